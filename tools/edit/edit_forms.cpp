#include "tools/edit/edit_forms.hpp"

#include "runtime/base/text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <unordered_map>
#include <utility>

namespace fathom::tools {
namespace {

using nlohmann::ordered_json;

constexpr std::string_view kBlanks = " \t\r";
constexpr std::string_view kMarker = "｜DSML｜";  // in an argument it reads as a tag

std::string form(ordered_json properties) {
  ordered_json required = ordered_json::array();
  for (const auto& [name, value] : properties.items()) required.push_back(name);
  const ordered_json schema = {{"type", "object"},
                               {"properties", std::move(properties)},
                               {"required", std::move(required)},
                               {"additionalProperties", false}};
  return schema.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

bool occurs_once(std::string_view text, std::string_view line, std::size_t at) {
  return text.find(line) == at && text.find(line, at + 1) == std::string_view::npos;
}

}  // namespace

bool is_form_path(std::string_view path) {
  return path.size() <= kFormPathBytesMax && !path.contains(kMarker) &&
         find_invalid_utf8(path) == std::string_view::npos &&
         std::ranges::none_of(path, [](char c) { return static_cast<unsigned char>(c) < ' '; });
}

std::vector<std::string_view> unique_lines(std::string_view text) {
  std::vector<std::string_view> out;
  if (text.size() > kFormFileBytesMax) return out;
  std::unordered_map<std::string_view, int> counts;
  std::vector<std::pair<std::string_view, std::size_t>> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line = text.substr(at, end - at);
    if (line.ends_with('\r')) line.remove_suffix(1);
    ++counts[line];
    lines.emplace_back(line, at);
    at = end + 1;
  }
  for (const auto& [line, at] : lines) {
    const bool fits = counts[line] == 1 &&
                      line.find_first_not_of(kBlanks) != std::string_view::npos &&
                      line.size() <= kFormLineBytesMax && !line.contains(kMarker) &&
                      find_invalid_utf8(line) == std::string_view::npos;
    if (fits && occurs_once(text, line, at)) out.push_back(line);
  }
  return out;
}

std::vector<std::string> edit_forms(std::span<const KnownFile> files) {
  if (files.empty()) return {};
  ordered_json paths = ordered_json::array();
  for (const KnownFile& file : files.first(std::min(files.size(), kFormFilesMax)))
    paths.push_back(file.path);
  std::vector<std::string> out = {
      form({{"command", {{"const", "view"}}}, {"path", {{"enum", std::move(paths)}}}})};
  std::size_t room = kFormLinesMax;
  for (const KnownFile& file : files) {
    if (!file.may_edit) continue;
    std::vector<std::string_view> lines = unique_lines(file.text);
    lines.resize(std::min(lines.size(), room));
    if (lines.empty()) continue;
    if (out.size() == kEditFormsMax) break;
    room -= lines.size();
    out.push_back(form({{"command", {{"const", "str_replace"}}},
                        {"path", {{"const", file.path}}},
                        {"old_str", {{"enum", lines}}},
                        {"new_str", {{"type", "string"}}}}));
  }
  return out;
}

}  // namespace fathom::tools
