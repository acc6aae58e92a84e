#include "tools/reports/report_text.hpp"

#include "runtime/base/text.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace fathom::tools {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Bytes of the escape sequence at the start of `text`: CSI, OSC, or two characters.
std::size_t escape_length(std::string_view text) {
  if (text.size() < 2) return text.size();
  if (text[1] == '[') {
    std::size_t at = 2;
    while (at < text.size() && (text[at] < '@' || text[at] > '~')) ++at;
    return std::min(at + 1, text.size());
  }
  if (text[1] == ']') {
    const std::size_t end = text.find_first_of("\a\033", 2);
    if (end == std::string_view::npos) return 2;
    return end + (text[end] == '\033' ? 2 : 1);
  }
  return 2;
}

bool is_plain(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= ' ' && c < '\x7f'; });
}

// Without escapes and control characters.
std::string without_controls(std::string_view text) {
  std::string clean;
  clean.reserve(text.size());
  while (!text.empty()) {
    const char c = text.front();
    if (c == '\033') {
      text.remove_prefix(std::min(escape_length(text), text.size()));
      continue;
    }
    if ((c >= '\0' && c < ' ' && c != '\n' && c != '\t') || c == '\x7f') {
      text.remove_prefix(1);
      continue;
    }
    clean += c;
    text.remove_prefix(1);
  }
  return to_valid_utf8(clean);
}

constexpr std::array<std::string_view, 14> kForeignPlaces = {
    "node:",          "node_modules/", "site-packages/", "/usr/lib",  "/usr/include",
    "/usr/local/lib", "/rustc/",       "/usr/share",     "internal/", "unittest/",
    "/.pyenv/",       "/.cargo/",      "/.rustup/",      "testing.go"};

bool is_foreign(std::string_view file) {
  return std::ranges::any_of(kForeignPlaces, [&](std::string_view place) {
    return file.find(place) != std::string_view::npos;
  });
}

bool is_path_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_' || c == '-' ||
         c == '.' || c == '/' || c == '+' || c == '@' || static_cast<unsigned char>(c) >= 0x80;
}

// "name.ext" with an extension of letters: times (12.5:3), versions and hosts (1.2.3.4:80) are not
// files.
bool looks_like_file(std::string_view path) {
  constexpr std::size_t kExtensionMax = 6;
  const std::size_t dot = path.rfind('.');
  if (dot == std::string_view::npos || dot == 0 || dot + 1 == path.size()) return false;
  const std::string_view extension = path.substr(dot + 1);
  const char first = extension.front();
  const bool letter = (first >= 'a' && first <= 'z') || (first >= 'A' && first <= 'Z');
  return letter && extension.size() <= kExtensionMax && path[dot - 1] != '/' &&
         extension.find_first_of("/-") == std::string_view::npos;
}

// `FILE:12` or `FILE(12)`, where `at` is the colon or parenthesis.
Location place_before(std::string_view line, std::size_t at) {
  std::string_view number = line.substr(at + 1);
  const auto row = take_number(number);
  if (!row || *row == 0) return {};
  if (line[at] == '(' && !number.starts_with(')') && !number.starts_with(',')) return {};
  std::size_t from = at;
  while (from > 0 && is_path_char(line[from - 1])) --from;
  std::string_view file = line.substr(from, at - from);
  if (file.starts_with("///")) file.remove_prefix(2);  // file:///a/b.js
  if (file.starts_with("//")) return {};               // https://a.b:80
  if (!looks_like_file(file)) return {};
  return {std::string(file), *row};
}

// `File "a.py", line 12` and `at t/a.t line 12.`
Location named_line(std::string_view line) {
  const std::size_t word = line.find("line ");
  if (word == std::string_view::npos || word < 3) return {};
  std::string_view number = line.substr(word + 5);
  const auto row = take_number(number);
  if (!row) return {};
  std::string_view before = trimmed(line.substr(0, word));
  if (const auto python = behind(trimmed(line), "File \"")) {
    const std::size_t quote = python->find('"');
    if (quote == std::string_view::npos) return {};
    return {std::string(python->substr(0, quote)), *row};
  }
  const std::size_t at = before.rfind("at ");
  if (at == std::string_view::npos) return {};
  before = trimmed(before.substr(at + 3));
  if (!looks_like_file(before) || before.find(' ') != std::string_view::npos) return {};
  return {std::string(before), *row};
}

}  // namespace

std::string clean_text(std::string_view text, std::size_t bytes_max) {
  const std::string clean = without_controls(text);
  std::string_view body = clean;
  while (body.starts_with('\n')) body.remove_prefix(1);
  while (!body.empty() && (body.back() == '\n' || body.back() == ' ' || body.back() == '\t'))
    body.remove_suffix(1);
  return body.size() > bytes_max ? clip_middle(body, bytes_max) : std::string(body);
}

std::string clean_line(std::string_view text, std::size_t bytes_max) {
  if (text.size() <= bytes_max && is_plain(text)) return std::string(trimmed(text));
  std::string clean = without_controls(text);
  for (char& c : clean)
    if (c == '\n' || c == '\t') c = ' ';
  return std::string(clip_prefix(trimmed(clean), bytes_max));
}

Location find_location(std::string_view text) {
  constexpr std::size_t kLinesMax = 400;
  Location first;
  Location python;
  std::size_t left = kLinesMax;
  while (!text.empty() && left-- > 0) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, std::min<std::size_t>(end, 4096));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (Location place = named_line(line); !place.file.empty() && !is_foreign(place.file)) {
      if (!trimmed(line).starts_with("File ")) return place;
      python = std::move(place);
      continue;
    }
    if (!first.file.empty() || is_foreign_frame(line)) continue;
    for (std::size_t at = line.find_first_of(":(");
         at != std::string_view::npos && at + 1 < line.size();
         at = line.find_first_of(":(", at + 1)) {
      Location place = is_digit(line[at + 1]) ? place_before(line, at) : Location{};
      if (place.file.empty() || is_foreign(place.file)) continue;
      first = std::move(place);
      break;
    }
    if (!first.file.empty() && python.file.empty()) return first;
  }
  return python.file.empty() ? first : python;
}

bool is_foreign_frame(std::string_view line) {
  // Of assertion libraries whose files say nothing: Assert.java.
  constexpr std::array<std::string_view, 6> kPackages = {"at org.junit.",   "at junit.framework.",
                                                         "at java.base/",   "at org.hamcrest.",
                                                         "at org.assertj.", "at jdk.internal."};
  if (std::ranges::any_of(kPackages, [&](std::string_view package) {
        return line.find(package) != std::string_view::npos;
      }))
    return true;
  const std::size_t colon = line.find_first_of("(/");
  return colon != std::string_view::npos && is_foreign(line.substr(colon));
}

std::string_view trimmed(std::string_view text) {
  const std::size_t from = text.find_first_not_of(" \t\r\n");
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(" \t\r\n") - from + 1);
}

std::optional<std::string_view> behind(std::string_view text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return std::nullopt;
  return text.substr(prefix.size());
}

std::optional<std::uint32_t> take_number(std::string_view& text) {
  constexpr std::size_t kDigitsMax = 9;
  std::size_t digits = 0;
  while (digits < text.size() && is_digit(text[digits])) ++digits;
  if (digits == 0 || digits > kDigitsMax) return std::nullopt;
  std::uint32_t value = 0;
  for (const char c : text.substr(0, digits)) value = 10 * value + static_cast<unsigned>(c - '0');
  text.remove_prefix(digits);
  return value;
}

double seconds_of(std::string_view text) {
  constexpr double kSecondsMax = 1e9;
  std::string digits;
  for (const char c : trimmed(text).substr(0, 32))
    if (c != ',') digits += c;
  double value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc{} || !(value >= 0) || value > kSecondsMax) return 0;
  return value;
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

std::string_view first_lines(std::string_view text, std::size_t lines_max) {
  std::size_t at = 0;
  for (std::size_t i = 0; i < lines_max; ++i) {
    at = text.find('\n', at);
    if (at == std::string_view::npos) return text;
    ++at;
  }
  return at == 0 ? std::string_view{} : text.substr(0, at - 1);
}

void append_line(std::string& kept, std::string_view line, std::size_t bytes_max) {
  if (kept.size() + line.size() + 1 > bytes_max) return;
  if (!kept.empty()) kept += '\n';
  kept += line;
}

}  // namespace fathom::tools
