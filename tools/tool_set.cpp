#include "tools/tool_set.hpp"

#include "runtime/base/text.hpp"

#include <algorithm>

namespace fathom::tools {
namespace {

bool is_tool_name(std::string_view name) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  };
  return !name.empty() && name.size() <= kToolNameBytesMax && std::ranges::all_of(name, allowed);
}

}  // namespace

Result<ToolSet> ToolSet::create(std::vector<std::unique_ptr<Tool>> tools) {
  if (tools.size() > kToolsMax)
    return fail(ErrorCode::too_large, std::to_string(tools.size()) +
                                          " tools are more than a session may have (" +
                                          std::to_string(kToolsMax) + ")");
  ToolSet set;
  for (std::unique_ptr<Tool>& tool : tools) {
    const ToolSpec& spec = tool->spec();
    if (!is_tool_name(spec.name))
      return fail(ErrorCode::bad_data, "tool '" +
                                           to_printable(clip_prefix(spec.name, kToolNameBytesMax)) +
                                           "': a name has letters, digits, '_' and '-', " +
                                           std::to_string(kToolNameBytesMax) + " at most");
    if (set.find(spec.name) != nullptr)
      return fail(ErrorCode::bad_data, "tool '" + spec.name + "' stands twice");
    auto schema = TRY(ArgumentSchema::compile(spec.name, spec.parameters));
    set.entries_.push_back({std::move(tool), std::move(schema)});
  }
  return set;
}

const ToolSet::Entry* ToolSet::find(std::string_view name) const {
  const auto found = std::ranges::find_if(
      entries_, [&](const Entry& entry) { return entry.tool->spec().name == name; });
  return found == entries_.end() ? nullptr : &*found;
}

std::vector<std::string_view> ToolSet::names() const {
  std::vector<std::string_view> names;
  for (const Entry& entry : entries_) names.emplace_back(entry.tool->spec().name);
  return names;
}

}  // namespace fathom::tools
