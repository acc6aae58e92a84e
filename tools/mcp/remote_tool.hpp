// RemoteTool: a tool as its server describes it, and the name and words under which a model gets
// it. Pure.
#pragma once

#include "runtime/base/result.hpp"
#include "tools/tool.hpp"

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::tools {

inline constexpr std::size_t kRemoteToolsMax = 64;                // of one server
inline constexpr std::size_t kRemoteNameBytesMax = 256;           // of a tool's name at its server
inline constexpr std::size_t kRemoteDescriptionBytesMax = 1'024;  // more costs every session tokens
inline constexpr std::size_t kRemoteSchemaBytesMax = 16UL << 10;  // likewise
inline constexpr std::size_t kCursorBytesMax = 4UL << 10;
inline constexpr std::size_t kServerNotesMax = 16;

struct RemoteTool {
  std::string name;  ///< at its server
  std::string description;
  std::string parameters;  ///< its inputSchema, as it was sent, without white space

  friend bool operator==(const RemoteTool&, const RemoteTool&) = default;
};

struct ToolPage {
  std::vector<RemoteTool> tools;
  std::string cursor;              ///< of the next page; "" at the end
  std::vector<std::string> notes;  ///< what was left out, and why
};

/// One answer to tools/list. A tool that cannot be offered is left out with a note; an answer that
/// is no list is an error.
Result<ToolPage> parse_tool_page(std::string_view result);

/// mcp_SERVER_TOOL in [A-Za-z0-9_-], at most kToolNameBytesMax, and none of `taken`, to which it is
/// added: what collides ends in _2, _3, …
std::string remote_tool_name(std::string_view server, std::string_view tool,
                             std::set<std::string, std::less<>>& taken);

}  // namespace fathom::tools
