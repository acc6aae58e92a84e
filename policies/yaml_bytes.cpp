#include "policies/yaml_bytes.hpp"

#include "runtime/base/text.hpp"

#include <algorithm>

namespace fathom::policies {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

std::uint32_t code_points(std::string_view text) {
  return static_cast<std::uint32_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::optional<YamlFlaw> find_control(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    const bool line_end = c == '\n' || (c == '\r' && i + 1 < text.size() && text[i + 1] == '\n');
    if ((c >= 0x20 && c != 0x7F) || c == '\t' || line_end) continue;
    if (c == 0) return YamlFlaw{place_of(text, i), "a NUL byte (documents are text: remove it)"};
    return YamlFlaw{place_of(text, i), "control character " + to_printable(text.substr(i, 1)) +
                                           " (remove it, or write it as an escape in quotes)"};
  }
  return std::nullopt;
}

// A line that ends in "|" or ">" with its indicators opens a block scalar.
bool opens_block(std::string_view line) {
  if (const std::size_t comment = line.find(" #"); comment != std::string_view::npos)
    line = line.substr(0, comment);
  while (!line.empty() && (line.back() == ' ' || line.back() == '\r')) line.remove_suffix(1);
  while (!line.empty() &&
         (line.back() == '-' || line.back() == '+' || (line.back() >= '1' && line.back() <= '9')))
    line.remove_suffix(1);
  if (line.empty() || (line.back() != '|' && line.back() != '>')) return false;
  line.remove_suffix(1);
  return line.empty() || line.back() == ' ' || line.back() == ':';
}

std::optional<YamlFlaw> find_bad_line(std::string_view text) {
  std::uint32_t number = 0;
  std::size_t block_indent = std::string_view::npos;  // of the line that opened the block
  for (std::size_t begin = 0; begin < text.size(); ++number) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = text.substr(begin, end - begin);
    begin = end + 1;
    const std::size_t indent = line.find_first_not_of(' ');
    if (indent == std::string_view::npos || line[indent] == '\r') continue;
    const bool in_block = block_indent != std::string_view::npos && indent > block_indent;
    if (in_block) continue;
    block_indent = opens_block(line) ? indent : std::string_view::npos;
    if (line[indent] == '\t')
      return YamlFlaw{{number + 1, static_cast<std::uint32_t>(indent) + 1},
                      "a tab in the indentation (indent with spaces)"};
    if (line.front() == '%')
      return YamlFlaw{{number + 1, 1}, "a '%' directive (remove it; quote text that begins so)"};
  }
  return std::nullopt;
}

}  // namespace

Place place_of(std::string_view text, std::size_t offset) {
  const std::string_view before = text.substr(0, offset);
  const std::size_t newline = before.rfind('\n');
  const std::size_t begin = newline == std::string_view::npos ? 0 : newline + 1;
  return {static_cast<std::uint32_t>(std::ranges::count(before, '\n')) + 1,
          code_points(before.substr(begin)) + 1};
}

std::optional<YamlFlaw> find_flaw(std::string_view text) {
  if (text.starts_with(kByteOrderMark))
    return YamlFlaw{{1, 1}, "a byte order mark (save the file as UTF-8 without one)"};
  if (const std::size_t at = find_invalid_utf8(text); at != std::string_view::npos)
    return YamlFlaw{place_of(text, at), "the text is not UTF-8 from here (save the file as UTF-8)"};
  if (auto flaw = find_control(text)) return flaw;
  return find_bad_line(text);
}

}  // namespace fathom::policies
