#include "tools/clip.hpp"

#include "runtime/base/text.hpp"

#include <algorithm>
#include <cstdint>

namespace fathom::tools {
namespace {

constexpr std::size_t kBytesATokenMax = 16;  // nothing beyond this is counted for one token
constexpr std::size_t kEstimateBytesAToken = 3;
constexpr char kEscape = '\x1b';

// The end of the terminal sequence that starts at `at`: CSI, OSC and the two-byte ones.
std::size_t end_of_escape(std::string_view text, std::size_t at) {
  if (at + 1 >= text.size()) return text.size();
  const char kind = text[at + 1];
  if (kind == '[') {
    std::size_t end = at + 2;
    while (end < text.size() && (text[end] < '@' || text[end] > '~') && text[end] >= ' ') ++end;
    return std::min(end + 1, text.size());
  }
  if (kind == ']') {
    const std::size_t line = std::min(text.find('\n', at), text.size());
    for (std::size_t end = at + 2; end < line; ++end) {
      if (text[end] == '\a') return end + 1;
      if (text[end] == kEscape && end + 1 < line && text[end + 1] == '\\') return end + 2;
    }
    return at + 2;  // never ended: only the introducer goes
  }
  return at + 2;
}

std::string without_escapes(std::string_view text) {
  std::string kept;
  kept.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t escape = std::min(text.find(kEscape, at), text.size());
    kept.append(text.substr(at, escape - at));
    if (escape == text.size()) break;
    at = end_of_escape(text, escape);
  }
  return kept;
}

// Of a line that was redrawn ("10%\r20%\r30%") only the last drawing stays.
std::string without_redraws(std::string_view text) {
  std::string kept;
  kept.reserve(text.size());
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    const bool is_last = end == std::string_view::npos;
    text.remove_prefix(is_last ? text.size() : end + 1);
    while (line.ends_with('\r')) line.remove_suffix(1);
    const std::size_t redraw = line.rfind('\r');
    kept += redraw == std::string_view::npos ? line : line.substr(redraw + 1);
    if (!is_last) kept += '\n';
  }
  return kept;
}

std::string clean(std::string_view text) {
  const bool is_plain = text.find_first_of("\x1b\r") == std::string_view::npos;
  std::string kept = is_plain ? std::string(text) : without_redraws(without_escapes(text));
  std::erase_if(kept, [](char c) { return c == '\0' || c == '\b' || c == '\a'; });
  return to_valid_utf8(kept);
}

// The most bytes, by bisection, that count to no more than `tokens`.
template <class Take>
std::string_view most(std::string_view text, std::size_t tokens, const TokenCounter& count,
                      Take take) {
  std::size_t fits = 0;
  std::size_t over = std::min(text.size(), tokens * kBytesATokenMax) + 1;
  while (fits + 1 < over) {
    const std::size_t middle = fits + (over - fits) / 2;
    (count(take(text, middle)) <= tokens ? fits : over) = middle;
  }
  return take(text, fits);
}

std::string_view head_of(std::string_view text, std::size_t tokens, const TokenCounter& count) {
  const std::string_view head = most(text, tokens, count, clip_prefix);
  if (head.size() == text.size()) return head;
  const std::size_t line = head.rfind('\n');
  return line != std::string_view::npos && line >= head.size() / 2 ? head.substr(0, line + 1)
                                                                   : head;
}

std::string_view tail_of(std::string_view text, std::size_t tokens, const TokenCounter& count) {
  const std::string_view tail = most(text, tokens, count, clip_suffix);
  if (tail.size() == text.size()) return tail;
  const std::size_t line = tail.find('\n');
  return line != std::string_view::npos && line < tail.size() / 2 ? tail.substr(line + 1) : tail;
}

std::uint64_t lines_in(std::string_view text) {
  return static_cast<std::uint64_t>(std::ranges::count(text, '\n'));
}

}  // namespace

std::size_t estimate_tokens(std::string_view text) {
  return (text.size() + kEstimateBytesAToken - 1) / kEstimateBytesAToken;
}

Clipped clip(const sandbox::CapturedOutput& output, const ClipOptions& options) {
  std::string first = clean(output.bytes_cut == 0 ? output.head + output.tail : output.head);
  if (output.bytes_cut == 0 && options.count(first) <= options.tokens_max)
    return {std::move(first), false};
  const std::string last = output.bytes_cut == 0 ? first : clean(output.tail);
  const std::size_t head_tokens = options.tokens_max / 4;
  const std::string_view head = head_of(first, head_tokens, options.count);
  const std::string_view tail = tail_of(last, options.tokens_max - head_tokens, options.count);
  const std::uint64_t shown_lines = lines_in(head) + lines_in(tail);
  const std::uint64_t lines = output.bytes_cut == 0 ? lines_in(first) : output.lines;
  const std::uint64_t bytes = std::max<std::uint64_t>(output.bytes, first.size()) -
                              std::min<std::uint64_t>(output.bytes, head.size() + tail.size());
  std::string text(head);
  if (!text.empty() && !text.ends_with('\n')) text += '\n';
  text += "[... " + std::to_string(lines - std::min(lines, shown_lines)) + " lines, " +
          format_bytes(bytes) + " cut here" +
          (options.whole_at.empty() ? "" : "; all of it: " + options.whole_at) + " ...]\n";
  text += tail;
  return {std::move(text), true};
}

}  // namespace fathom::tools
