#include "tools/mcp/mcp_tool.hpp"

#include "tools/mcp/mcp_content.hpp"

#include <utility>

namespace fathom::tools {

McpTool::McpTool(McpConnection& connection, const RemoteTool& remote, std::string name)
    : connection_(connection),
      remote_name_(remote.name),
      spec_{std::move(name), remote.description, remote.parameters} {}

Result<Intent> McpTool::intent(const Arguments&) const {
  return Intent{Effect::write, {connection_.request()}};
}

asio::awaitable<Result<ToolOutput>> McpTool::run(const Call& call) {
  const std::string arguments = call.arguments.to_json();
  auto calling = connection_.call(remote_name_, arguments, [&call](std::string_view line) {
    if (call.on_output) call.on_output(std::string(line) + "\n");
  });
  CO_TRY(const std::string result, co_await std::move(calling));
  auto content = content_output(result);
  if (!content)
    co_return fail(context("mcp server " + connection_.name(), std::move(content).error()));
  if (connection_.take_tools_changed())
    content->notes = "the server's tools have changed; this session keeps those it began with";
  co_return content;
}

}  // namespace fathom::tools
