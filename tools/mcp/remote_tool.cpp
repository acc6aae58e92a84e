#include "tools/mcp/remote_tool.hpp"

#include "runtime/base/text.hpp"
#include "tools/mcp/json_slice.hpp"
#include "tools/tool_set.hpp"

#include <nlohmann/json.hpp>

namespace fathom::tools {

using nlohmann::json;

namespace {

constexpr std::size_t kShownNameBytes = 60;

// One line: a server's words must not look like anything but words, in a prompt or on a terminal.
std::string one_line(std::string_view text) {
  std::string line;
  for (const char c : to_valid_utf8(text)) {
    const bool is_space = c == ' ' || c == '\n' || c == '\t' || c == '\r';
    if (is_space && (line.empty() || line.ends_with(' '))) continue;
    line += is_space ? ' ' : c;
  }
  while (line.ends_with(' ')) line.pop_back();
  if (line.size() > kRemoteDescriptionBytesMax) {
    constexpr std::string_view kCut = "…";
    line = std::string(clip_prefix(line, kRemoteDescriptionBytesMax - kCut.size())) +
           std::string(kCut);
  }
  return to_printable(line);
}

std::string in_quotes(std::string_view name) {
  return "'" + to_printable(clip_prefix(name, kShownNameBytes)) + "'";
}

Result<RemoteTool> parse_tool(std::string_view bytes) {
  const json value = json::parse(bytes, nullptr, false);
  const auto text = [&](const char* name) -> std::string {
    if (!value.is_object()) return "";
    const auto found = value.find(name);
    return found != value.end() && found->is_string() ? found->get<std::string>() : "";
  };
  RemoteTool tool{text("name"), one_line(text("description")), ""};
  if (tool.name.empty()) return fail(ErrorCode::bad_data, "a tool without a name");
  if (tool.name.size() > kRemoteNameBytesMax)
    return fail(ErrorCode::too_large, "tool " + in_quotes(tool.name) + ": its name has more than " +
                                          std::to_string(kRemoteNameBytesMax) + " bytes");
  tool.parameters = json_without_space(json_member(bytes, "inputSchema"));
  if (tool.parameters.size() > kRemoteSchemaBytesMax)
    return fail(ErrorCode::too_large, "tool " + in_quotes(tool.name) +
                                          ": its inputSchema has more than " +
                                          format_bytes(kRemoteSchemaBytesMax));
  const json execution = value.value("execution", json::object());
  if (execution.is_object() && execution.value("taskSupport", json()) == json("required"))
    return fail(ErrorCode::unsupported,
                "tool " + in_quotes(tool.name) + ": it runs as a task only, which is not offered");
  if (!tool.parameters.starts_with('{'))
    return fail(ErrorCode::bad_data, "tool " + in_quotes(tool.name) + ": no inputSchema");
  const auto compiled = ArgumentSchema::compile("tool", tool.parameters);
  if (!compiled)
    return fail(context("tool " + in_quotes(tool.name) + ": its inputSchema", compiled.error()));
  return tool;
}

}  // namespace

Result<ToolPage> parse_tool_page(std::string_view result) {
  const std::string_view list = json_member(result, "tools");
  if (!list.starts_with('['))
    return fail(ErrorCode::protocol, "tools/list: the answer has no 'tools'");
  ToolPage page;
  const auto note = [&](std::string text) {
    if (page.notes.size() < kServerNotesMax) page.notes.push_back(std::move(text));
  };
  for (const std::string_view element : json_elements(list, kRemoteToolsMax + 1)) {
    if (page.tools.size() == kRemoteToolsMax) {
      note("more than " + std::to_string(kRemoteToolsMax) + " tools: the rest is left out");
      return page;
    }
    auto tool = parse_tool(element);
    if (tool)
      page.tools.push_back(*std::move(tool));
    else
      note(tool.error().message + "; left out");
  }
  const json cursor = json::parse(json_member(result, "nextCursor"), nullptr, false);
  if (cursor.is_string()) page.cursor = cursor.get<std::string>();
  if (page.cursor.size() > kCursorBytesMax)
    return fail(ErrorCode::too_large,
                "tools/list: a cursor of more than " + format_bytes(kCursorBytesMax));
  return page;
}

std::string remote_tool_name(std::string_view server, std::string_view tool,
                             std::set<std::string, std::less<>>& taken) {
  std::string base = "mcp_" + std::string(server) + "_" + std::string(tool);
  for (char& c : base) {
    const bool allowed = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                         (c >= '0' && c <= '9') || c == '_' || c == '-';
    if (!allowed) c = '_';
  }
  std::string name = base.substr(0, kToolNameBytesMax);
  for (std::size_t number = 2; taken.contains(name); ++number) {
    const std::string suffix = "_" + std::to_string(number);
    name = base.substr(0, kToolNameBytesMax - suffix.size()) + suffix;
  }
  taken.insert(name);
  return name;
}

}  // namespace fathom::tools
