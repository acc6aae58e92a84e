#include "tools/mcp/json_slice.hpp"

#include <algorithm>

namespace fathom::tools {
namespace {

constexpr std::string_view kSpace = " \t\r\n";

void skip_space(std::string_view text, std::size_t& at) {
  at = std::min(text.find_first_not_of(kSpace, at), text.size());
}

// `at` stands on a quote; behind the closing one afterwards.
void skip_string(std::string_view text, std::size_t& at) {
  for (++at; at < text.size() && text[at] != '"'; ++at)
    if (text[at] == '\\') ++at;
  at = std::min(at + 1, text.size());
}

// Behind the value that begins at `at`.
void skip_value(std::string_view text, std::size_t& at) {
  std::size_t depth = 0;
  while (at < text.size()) {
    const char c = text[at];
    if (c == '"') {
      skip_string(text, at);
    } else if (c == '{' || c == '[') {
      ++depth;
      ++at;
    } else if (c == '}' || c == ']') {
      if (depth == 0) return;
      --depth;
      ++at;
    } else if (depth == 0 && (c == ',' || kSpace.find(c) != std::string_view::npos)) {
      return;
    } else {
      ++at;
      continue;  // inside a number or a word
    }
    if (depth == 0) return;
  }
}

bool take(std::string_view text, std::size_t& at, char wanted) {
  skip_space(text, at);
  if (at >= text.size() || text[at] != wanted) return false;
  ++at;
  return true;
}

}  // namespace

std::string_view json_member(std::string_view object, std::string_view key) {
  std::size_t at = 0;
  if (!take(object, at, '{')) return {};
  do {
    skip_space(object, at);
    if (at >= object.size() || object[at] != '"') return {};
    const std::size_t name = at + 1;
    skip_string(object, at);
    const bool found = object.substr(name, at - name - 1) == key;
    if (!take(object, at, ':')) return {};
    skip_space(object, at);
    const std::size_t value = at;
    skip_value(object, at);
    if (found) return object.substr(value, at - value);
  } while (take(object, at, ','));
  return {};
}

std::vector<std::string_view> json_elements(std::string_view array, std::size_t count_max) {
  std::vector<std::string_view> elements;
  std::size_t at = 0;
  if (!take(array, at, '[')) return elements;
  while (elements.size() < count_max) {
    skip_space(array, at);
    const std::size_t value = at;
    skip_value(array, at);
    if (at == value) break;
    elements.push_back(array.substr(value, at - value));
    if (!take(array, at, ',')) break;
  }
  return elements;
}

std::string json_without_space(std::string_view json) {
  std::string dense;
  dense.reserve(json.size());
  for (std::size_t at = 0; at < json.size();) {
    const std::size_t from = at;
    if (json[at] == '"') {
      skip_string(json, at);
      dense += json.substr(from, at - from);
    } else {
      if (kSpace.find(json[at]) == std::string_view::npos) dense += json[at];
      ++at;
    }
  }
  return dense;
}

}  // namespace fathom::tools
