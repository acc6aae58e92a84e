#include "tools/edit/file_text.hpp"

#include "runtime/base/text.hpp"

#include <algorithm>
#include <array>

namespace fathom::tools {
namespace {

constexpr auto kNowhere = std::string_view::npos;
constexpr std::size_t kNumberWidth = 6;

bool is_shown_as_is(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte == '\t' || (byte >= 0x20 && byte != 0x7f);
}

std::string_view without_end(std::string_view line) {
  if (line.ends_with('\n')) line.remove_suffix(1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

// C1 controls (U+0080..U+009F) move a terminal's cursor as escapes do.
bool is_c1_control(std::string_view text, std::size_t at) {
  return text[at] == '\xC2' && at + 1 < text.size() &&
         static_cast<unsigned char>(text[at + 1]) < 0xA0;
}

bool is_plain(std::string_view line) {
  if (!std::ranges::all_of(line, is_shown_as_is)) return false;
  if (find_invalid_utf8(line) != kNowhere) return false;
  for (std::size_t at = line.find('\xC2'); at != kNowhere; at = line.find('\xC2', at + 1))
    if (is_c1_control(line, at)) return false;
  return true;
}

void append_escaped(std::string& out, std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    out.append("\\x").append(1, kDigits[byte >> 4]).append(1, kDigits[byte & 15U]);
  }
}

std::string escape(std::string_view line) {
  std::string out;
  while (!line.empty()) {
    const std::size_t valid = std::min(find_invalid_utf8(line), line.size());
    for (std::size_t at = 0; at < valid; ++at) {
      if (is_c1_control(line, at)) {
        append_escaped(out, line.substr(at++, 2));
      } else if (is_shown_as_is(line[at])) {
        out += line[at];
      } else {
        append_escaped(out, line.substr(at, 1));
      }
    }
    line.remove_prefix(valid);
    if (line.empty()) break;
    append_escaped(out, line.substr(0, 1));
    line.remove_prefix(1);
  }
  return out;
}

}  // namespace

std::size_t mark_bytes(std::string_view file) {
  return file.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0;
}

LineEnding line_ending_at(std::string_view file, std::size_t offset) {
  std::size_t feed = file.find('\n', offset);
  if (feed == kNowhere) feed = file.substr(0, offset).rfind('\n');
  const bool crlf = feed != kNowhere && feed > 0 && file[feed - 1] == '\r';
  return crlf ? LineEnding::crlf : LineEnding::lf;
}

std::string with_line_ending(std::string_view text, LineEnding ending) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    // By lines: one search for a line feed costs a tenth of looking at each byte.
    const std::size_t feed = text.find('\n');
    if (feed == kNowhere) return out.append(text);
    const bool pair = feed > 0 && text[feed - 1] == '\r';
    out.append(text.substr(0, pair ? feed - 1 : feed));
    out.append(ending == LineEnding::crlf ? "\r\n" : "\n");
    text.remove_prefix(feed + 1);
  }
  return out;
}

std::size_t line_at(std::string_view file, std::size_t offset) {
  const auto before = file.substr(0, offset);
  return 1 + static_cast<std::size_t>(std::ranges::count(before, '\n'));
}

std::size_t count_lines(std::string_view file) {
  const auto feeds = static_cast<std::size_t>(std::ranges::count(file, '\n'));
  return feeds + (file.empty() || file.ends_with('\n') ? 0 : 1);
}

std::size_t line_begin(std::string_view file, std::size_t line) {
  std::size_t at = 0;
  for (; line > 1 && at < file.size(); --line) at = line_end(file, at);
  return at;
}

std::size_t line_end(std::string_view file, std::size_t offset) {
  const std::size_t feed = file.find('\n', offset);
  return feed == kNowhere ? file.size() : feed + 1;
}

std::string spliced(std::string_view file, const Splice& splice) {
  std::string out;
  out.reserve(file.size() - splice.length + splice.text.size());
  out.append(file.substr(0, splice.offset)).append(splice.text);
  return out.append(file.substr(splice.offset + splice.length));
}

std::string shown_line(std::string_view line, std::size_t bytes_max, std::size_t unread) {
  line = without_end(line);
  const std::string_view kept = clip_prefix(line, bytes_max);
  std::string out = is_plain(kept) ? std::string(kept) : escape(kept);
  const std::size_t cut = line.size() - kept.size() + unread;
  if (cut > 0) out.append(" … [").append(std::to_string(cut)).append(" bytes more]");
  return out;
}

bool LineNumbering::add(std::string_view line, std::size_t unread) {
  line = without_end(line);
  std::string number = std::to_string(next_);
  if (number.size() < kNumberWidth) number.insert(0, kNumberWidth - number.size(), ' ');
  const std::string shown = shown_line(line, kShownLineBytesMax, unread);
  const std::size_t bytes = number.size() + 1 + shown.size() + 1;
  if (!text_.empty() && text_.size() + bytes > bytes_max_) return false;
  text_.append(number).append(1, '\t').append(shown).append(1, '\n');
  if (!shown.starts_with(clip_prefix(line, kShownLineBytesMax))) ++escaped_;
  ++next_;
  return true;
}

}  // namespace fathom::tools
