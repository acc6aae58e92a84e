#include "agents/cli/run_view_style.hpp"

#include "runtime/base/text.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace fathom::agents {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kSpinnerStep{100};
constexpr std::size_t kTabColumns = 4;
constexpr milliseconds kRateTimeMin{50};  // shorter spans say more of buffers than of speed

// Of well-formed text.
char32_t code_point_of(std::string_view sequence) {
  const auto lead = static_cast<unsigned char>(sequence[0]);
  if (sequence.size() == 1) return lead;
  char32_t value = lead & (0x7FU >> sequence.size());
  for (const char c : sequence.substr(1)) value = value << 6U | (static_cast<unsigned>(c) & 0x3FU);
  return value;
}

std::size_t size_of_first(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  const std::size_t size = lead < 0xC0 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  return std::min(size, text.size());
}

// Marks of direction, and line ends that are none in ASCII.
bool is_deceptive(char32_t c) {
  return c == 0x061C || (c >= 0x200E && c <= 0x200F) || (c >= 0x2028 && c <= 0x202E) ||
         (c >= 0x2066 && c <= 0x2069);
}

std::size_t width_of(char32_t c) {
  if (c < 0x1100) return 1;
  return c >= 0x2000 && c < 0x2600 ? 1 : 2;
}

bool ends_as_utf8(std::string_view locale) {
  std::string lower;
  for (const char c : locale)
    if (c != '-') lower += static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  return lower.find("utf8") != std::string::npos;
}

}  // namespace

MarkSet marks_for(const GetEnv& env) {
  if (env("TERM") == "dumb") return MarkSet::ascii;
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const std::string value = env(name);
    if (!value.empty()) return ends_as_utf8(value) ? MarkSet::unicode : MarkSet::ascii;
  }
  return MarkSet::ascii;
}

std::string ViewStyle::painted(Colour colour, std::string_view text) const {
  return paint && !text.empty() ? paint(colour, text) : std::string(text);
}

std::string_view ViewStyle::mark(Mark mark) const {
  const bool unicode = marks == MarkSet::unicode;
  switch (mark) {
    case Mark::call:
      return unicode ? "•" : "*";
    case Mark::done:
      return unicode ? "✓" : "+";
    case Mark::failed:
      return unicode ? "✗" : "x";
    case Mark::stopped:
      return unicode ? "–" : "-";
    case Mark::asks:
      return "?";
    case Mark::warns:
      return "!";
    case Mark::steered:
      return unicode ? "»" : ">";
    case Mark::more:
      return unicode ? "…" : "...";
  }
  return "";
}

std::string_view ViewStyle::separator() const { return marks == MarkSet::unicode ? " · " : "; "; }

std::string_view ViewStyle::spinner(Instant now) const {
  static constexpr std::array<std::string_view, 10> kUnicode = {"⠋", "⠙", "⠹", "⠸", "⠼",
                                                                "⠴", "⠦", "⠧", "⠇", "⠏"};
  static constexpr std::array<std::string_view, 4> kAscii = {"|", "/", "-", "\\"};
  const auto step =
      static_cast<std::uint64_t>(duration_cast<milliseconds>(now.time_since_epoch()).count()) /
      static_cast<std::uint64_t>(kSpinnerStep.count());
  return marks == MarkSet::unicode ? kUnicode[step % kUnicode.size()]
                                   : kAscii[step % kAscii.size()];
}

std::string ViewStyle::fitted(std::string_view text, std::size_t indent) const {
  const std::size_t all = columns == 0 ? kLogColumns : columns;
  const std::size_t room = all > indent ? all - indent : 0;
  if (columns_of(text) <= room) return std::string(text);
  const std::string_view more = mark(Mark::more);
  const std::size_t more_columns = columns_of(more);
  if (room < more_columns) return "";
  std::size_t used = more_columns;
  std::size_t end = 0;
  while (end < text.size()) {
    const std::size_t size = size_of_first(text.substr(end));
    used += width_of(code_point_of(text.substr(end, size)));
    if (used > room) break;
    end += size;
  }
  return std::string(text.substr(0, end)).append(more);
}

std::string ViewStyle::line(Colour colour, std::size_t indent, std::string_view text) const {
  return std::string(indent, ' ') + painted(colour, fitted(text, indent)) + "\n";
}

std::string ViewStyle::whole_line(Colour colour, std::size_t indent, std::string_view text) const {
  return std::string(indent, ' ') + painted(colour, text) + "\n";
}

std::string shown(std::string_view text) {
  std::string untabbed;
  for (const char c : text)
    untabbed += c == '\t' ? std::string(kTabColumns, ' ') : std::string(1, c);
  const std::string printable = to_printable(untabbed);
  std::string out;
  for (std::string_view rest = printable; !rest.empty();) {
    const std::string_view one = rest.substr(0, size_of_first(rest));
    const char32_t c = code_point_of(one);
    if (is_deceptive(c)) {
      std::array<char, 16> name;
      std::snprintf(name.data(), name.size(), "<U+%04X>", static_cast<unsigned>(c));
      out += name.data();
    } else {
      out += one;
    }
    rest.remove_prefix(one.size());
  }
  return out;
}

std::size_t columns_of(std::string_view printable) {
  std::size_t columns = 0;
  while (!printable.empty()) {
    const std::size_t size = size_of_first(printable);
    columns += width_of(code_point_of(printable.substr(0, size)));
    printable.remove_prefix(size);
  }
  return columns;
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    while (line.ends_with('\r') || line.ends_with(' ') || line.ends_with('\t'))
      line.remove_suffix(1);
    if (!line.empty() || !lines.empty()) lines.push_back(line);
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  while (!lines.empty() && lines.back().empty()) lines.pop_back();
  return lines;
}

std::string grouped(std::uint64_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t at = digits.size(); at > 3;) {
    at -= 3;
    digits.insert(at, 1, ',');
  }
  return digits;
}

std::string time_of(Duration duration) {
  const auto ms = std::max<std::int64_t>(0, duration_cast<milliseconds>(duration).count());
  const std::int64_t s = ms / 1000;
  if (ms < 100) return std::to_string(ms) + " ms";
  if (s < 10) return std::to_string(s) + "." + std::to_string(ms % 1000 / 100) + " s";
  if (s < 60) return std::to_string(s) + " s";
  if (s < 3600) return std::to_string(s / 60) + " min " + std::to_string(s % 60) + " s";
  return std::to_string(s / 3600) + " h " + std::to_string(s % 3600 / 60) + " min";
}

std::string usd_of(double usd) {
  std::array<char, 64> text;
  // Where cents do not matter the digits would fill the line.
  std::snprintf(text.data(), text.size(), std::abs(usd) < 1e6 ? "$%.4f" : "$%.3g", usd);
  return text.data();
}

std::string counted(std::uint64_t count, std::string_view one) {
  return grouped(count) + " " + std::string(one) + (count == 1 ? "" : "s");
}

std::string percent_of(std::uint64_t part, std::uint64_t whole) {
  if (whole == 0) return "0 %";
  if (part >= whole) return "100 %";
  const double share = 100 * static_cast<double>(part) / static_cast<double>(whole);
  return std::to_string(std::min(99, static_cast<int>(share))) + " %";
}

std::string rate_of(std::uint64_t count, Duration during) {
  if (during < kRateTimeMin) return "";
  const double per_second =
      static_cast<double>(count) / std::chrono::duration<double>(during).count();
  return grouped(static_cast<std::uint64_t>(std::llround(std::min(per_second, 1e15))));
}

}  // namespace fathom::agents
