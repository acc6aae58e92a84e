#include "engine/remote/call_repair.hpp"

#include "engine/remote/wire_json.hpp"

namespace fathom::engine {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";

std::string_view trim(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

// What stands between ``` or ```json and the closing ```, or all of it.
std::string_view without_fence(std::string_view text) {
  constexpr std::string_view kFence = "```";
  if (!text.starts_with(kFence)) return text;
  const std::size_t line = text.find('\n');
  if (line == std::string_view::npos) return text;
  std::string_view inside = trim(text.substr(line + 1));
  if (inside.ends_with(kFence)) inside.remove_suffix(kFence.size());
  return trim(inside);
}

struct Scan {
  std::string text;     ///< without commas before a closing bracket or the end
  std::string missing;  ///< brackets to be closed, innermost first
  bool commas = false;
  bool whole_strings = false;  ///< no string is open at the end, and brackets match
};

// Walks over the text as JSON's brackets and strings; nothing else is looked at.
Scan scan(std::string_view text) {
  Scan seen;
  std::string open;
  bool in_string = false;
  const auto drop_comma = [&seen] {
    const std::size_t last = seen.text.find_last_not_of(kBlanks);
    if (last == std::string::npos || seen.text[last] != ',') return;
    seen.text.erase(last, 1);
    seen.commas = true;
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\' && i + 1 < text.size()) seen.text += text[i++];
      in_string = c != '"';
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      open += c == '{' ? '}' : ']';
    } else if (c == '}' || c == ']') {
      if (open.empty() || open.back() != c) return seen;
      drop_comma();
      open.pop_back();
    }
    seen.text += text[i];
  }
  if (in_string) return seen;
  if (!open.empty()) drop_comma();
  seen.missing.assign(open.rbegin(), open.rend());
  seen.whole_strings = true;
  return seen;
}

}  // namespace

std::optional<RepairedArguments> repair_arguments(std::string_view arguments) {
  if (arguments.size() > kRepairBytesMax) return std::nullopt;
  const std::string_view trimmed = trim(arguments);
  if (trimmed.empty()) return RepairedArguments{"{}", "took no arguments for an empty object"};
  const std::string_view inside = without_fence(trimmed);
  std::string what;
  const auto also = [&what](std::string_view step) {
    if (!what.empty()) what += ", ";
    what += step;
  };
  if (inside.size() != trimmed.size()) also("removed a code fence");
  if (is_json_object(inside)) return RepairedArguments{std::string(inside), what};

  Scan seen = scan(inside);
  if (!seen.whole_strings || seen.missing.size() > kMissingBracketsMax) return std::nullopt;
  if (seen.commas) also("removed a trailing comma");
  if (!seen.missing.empty()) also("added the missing " + seen.missing);
  seen.text += seen.missing;
  if (!is_json_object(seen.text)) return std::nullopt;
  return RepairedArguments{std::move(seen.text), std::move(what)};
}

}  // namespace fathom::engine
