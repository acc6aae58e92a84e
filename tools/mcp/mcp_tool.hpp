// McpTool: one tool of a server as a tool of the session.
//
// A call always counts as a write: a server says of its tools whether they only read
// (annotations.readOnlyHint), but it is the server's own program that would be believed, and a
// wrong word there would run it beside other calls and without a snapshot before it.
//
// data: what content_output() says, see mcp_content.hpp.
#pragma once

#include "tools/mcp/mcp_connection.hpp"
#include "tools/tool.hpp"

#include <string>

namespace fathom::tools {

class McpTool final : public Tool {
 public:
  /// `connection` outlives it. `name` is the session's name of `remote`.
  McpTool(McpConnection& connection, const RemoteTool& remote, std::string name);
  [[nodiscard]] const ToolSpec& spec() const override { return spec_; }
  [[nodiscard]] Result<Intent> intent(const Arguments& arguments) const override;
  asio::awaitable<Result<ToolOutput>> run(const Call& call) override;

 private:
  McpConnection& connection_;
  std::string remote_name_;
  ToolSpec spec_;
};

}  // namespace fathom::tools
