#include "tools/search/match_list.hpp"

#include "runtime/base/text.hpp"

#include <algorithm>
#include <charconv>
#include <tuple>

namespace fathom::tools {

MatchList parse_matches(std::string_view printed) {
  MatchList list;
  while (!printed.empty()) {
    const std::size_t nul = printed.find('\0');
    const std::size_t line_end = printed.find('\n');
    // "binary file matches" and the like have no NUL, nor has a last line that was cut.
    if (nul == std::string_view::npos || nul > line_end) {
      ++list.unreadable;
      printed.remove_prefix(line_end == std::string_view::npos ? printed.size() : line_end + 1);
      continue;
    }
    std::string_view path = printed.substr(0, nul);
    printed.remove_prefix(nul + 1);
    const std::size_t end = std::min(printed.find('\n'), printed.size());
    std::string_view rest = printed.substr(0, end);
    printed.remove_prefix(std::min(end + 1, printed.size()));
    Match match;
    const auto number = std::from_chars(rest.data(), rest.data() + rest.size(), match.line);
    const auto used = static_cast<std::size_t>(number.ptr - rest.data());
    // ripgrep and grep write ':' behind the number, git grep a second NUL.
    if (number.ec != std::errc() || used >= rest.size() ||
        (rest[used] != ':' && rest[used] != '\0')) {
      ++list.unreadable;
      continue;
    }
    while (path.starts_with("./")) path.remove_prefix(2);
    match.path = path;
    rest.remove_prefix(used + 1);
    if (rest.ends_with('\r')) rest.remove_suffix(1);
    match.text = rest;
    list.matches.push_back(std::move(match));
  }
  // Programs search in parallel: their order differs from run to run, and a result that differs
  // costs the prefix.
  std::ranges::sort(list.matches, [](const Match& a, const Match& b) {
    return std::tie(a.path, a.line, a.text) < std::tie(b.path, b.line, b.text);
  });
  for (std::size_t i = 0; i < list.matches.size(); ++i)
    if (i == 0 || list.matches[i].path != list.matches[i - 1].path) ++list.files;
  return list;
}

std::string show_matches(const MatchList& list, std::size_t most) {
  std::string text;
  std::string_view path;
  for (std::size_t i = 0; i < std::min(most, list.matches.size()); ++i) {
    const Match& match = list.matches[i];
    if (i == 0 || path != match.path) {
      text += to_printable(match.path) + "\n";
      path = match.path;
    }
    const std::string_view shown = clip_prefix(match.text, kMatchLineBytesMax);
    text += std::to_string(match.line) + ":" + to_valid_utf8(shown);
    if (shown.size() < match.text.size()) text += " [...]";
    text += '\n';
  }
  return text;
}

}  // namespace fathom::tools
