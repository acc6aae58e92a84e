#include "tools/edit/near_miss.hpp"

#include "tools/edit/file_text.hpp"

#include <algorithm>
#include <array>
#include <bitset>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

namespace fathom::tools {
namespace {

constexpr auto kNowhere = std::string_view::npos;
constexpr std::string_view kBlank = " \t\r\n";
constexpr std::string_view kAbsent = "old_str is not in the file";
constexpr std::size_t kQuotedBytesMax = 120;
constexpr std::size_t kTellingBytes = 4;          // shorter lines ("}") are everywhere
constexpr std::size_t kVoteBytesMax = 80;         // a long line must not outvote ten others
constexpr std::size_t kVotesMax = 4'000'000;      // cast in all
constexpr std::size_t kSimilarPercentMin = 60;    // of the pairs of letters
constexpr std::size_t kComparedBytesMax = 2'000;  // of one line

struct Spelling {
  std::string_view typographic;
  std::string_view plain;
};
constexpr std::array<Spelling, 12> kSpellings = {{{"\u2018", "'"},
                                                  {"\u2019", "'"},
                                                  {"\u201c", "\""},
                                                  {"\u201d", "\""},
                                                  {"\u2010", "-"},
                                                  {"\u2011", "-"},
                                                  {"\u2013", "-"},
                                                  {"\u2014", "-"},
                                                  {"\u2026", "..."},
                                                  {"\u00a0", " "},
                                                  {"\u200b", ""},
                                                  {"\ufeff", ""}}};

// `text` with plain quotes, dashes and spaces.
std::string plain_spelling(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const auto* found = kSpellings.end();
    if (static_cast<unsigned char>(text.front()) >= 0xC2)
      found = std::ranges::find_if(kSpellings, [&](const Spelling& spelling) {
        return text.starts_with(spelling.typographic);
      });
    if (found == kSpellings.end()) {
      out += text.front();
      text.remove_prefix(1);
    } else {
      out += found->plain;
      text.remove_prefix(found->typographic.size());
    }
  }
  return out;
}

// What is left of `text` when spelling and space do not count. Line feeds stay.
std::string essence(std::string_view text) {
  std::string out = plain_spelling(text);
  std::erase_if(out, [](char c) { return c == ' ' || c == '\t' || c == '\r'; });
  return out;
}

std::vector<std::string_view> split_lines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = line_end(text, 0);
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end);
    if (line.ends_with('\n')) line.remove_suffix(1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    lines.push_back(line);
  }
  return lines;
}

std::string_view without_indent(std::string_view line) {
  return line.substr(std::min(line.find_first_not_of(" \t"), line.size()));
}

std::string_view without_trailing(std::string_view line) {
  return line.substr(0, line.find_last_not_of(kBlank) + 1);  // npos + 1 is 0
}

std::string quoted(std::string_view line) {
  return "`" + shown_line(without_indent(without_trailing(line)), kQuotedBytesMax) + "`";
}

std::string count_of(std::size_t count, std::string_view thing) {
  return std::to_string(count) + " " + std::string(thing) + (count == 1 ? "" : "s");
}

std::string indentation(std::string_view line) {
  const std::string_view indent = line.substr(0, line.size() - without_indent(line).size());
  const auto tabs = static_cast<std::size_t>(std::ranges::count(indent, '\t'));
  const std::size_t spaces = indent.size() - tabs;
  if (tabs == 0) return count_of(spaces, "space");
  return count_of(tabs, "tab") + (spaces == 0 ? "" : " and " + count_of(spaces, "space"));
}

std::string both(std::string_view in_file, std::string_view in_text) {
  return ": " + std::string(in_file) + " in the file, " + std::string(in_text) + " in old_str";
}

std::string at_line(std::size_t line) {
  return std::string(kAbsent) + "; line " + std::to_string(line) + " is nearest and differs in ";
}

enum class Begins : std::uint8_t { with_line, inside };

// Between two lines of the same essence, the second perhaps a part of the first.
std::string difference(std::string_view in_file, std::string_view in_text, Begins begins) {
  const std::string_view bare = without_indent(without_trailing(in_text));
  const std::string file_indent = indentation(in_file);
  const std::string text_indent = indentation(in_text);
  const bool indent_differs = begins == Begins::with_line && file_indent != text_indent;
  if (!indent_differs && in_file.contains(without_trailing(in_text))) {
    const bool more = without_trailing(in_text).size() < in_text.size();
    return more ? "trailing space: old_str has some that the file has not"
                : "trailing space: the file has some that old_str has not";
  }
  if (in_file.contains(bare)) return "indentation" + both(file_indent, text_indent);
  if (plain_spelling(in_file).contains(plain_spelling(bare)))
    return "quotes, dashes or special spaces" + both(quoted(in_file), quoted(in_text));
  return "the space inside" + both(quoted(in_file), quoted(in_text));
}

// ---- what old_str was meant to be -------------------------------------------------------------

bool holds(std::string_view file, std::string_view text) {
  if (text.empty()) return false;
  return file.contains(text) ||
         with_line_ending(file, LineEnding::lf).contains(with_line_ending(text, LineEnding::lf));
}

// The numbers and tabs in front of every line, as view prints them.
bool has_line_numbers(std::string_view text) {
  const std::vector<std::string_view> lines = split_lines(text);
  return !lines.empty() && std::ranges::all_of(lines, [](std::string_view line) {
    const std::string_view rest = without_indent(line);
    const std::size_t digits = rest.find_first_not_of("0123456789");
    return digits != kNowhere && digits > 0 && rest[digits] == '\t';
  });
}

std::string unescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char next = i + 1 < text.size() ? text[i + 1] : '\0';
    const std::size_t known = std::string_view("nrt\"'\\").find(next);
    if (text[i] != '\\' || next == '\0' || known == kNowhere) {
      out += text[i];
      continue;
    }
    out += "\n\r\t\"'\\"[known];
    ++i;
  }
  return out;
}

std::optional<std::string> meant_otherwise(std::string_view file, std::string_view text) {
  if (text.find_first_not_of(kBlank) == kNowhere)
    return std::string(kAbsent) + ": it is blank, name a line with text";
  if (has_line_numbers(text))
    return std::string(kAbsent) +
           ": its lines begin with the numbers that view adds, leave out number and tab";
  if (text.contains('\\') && holds(file, unescape(text)))
    return std::string(kAbsent) +
           ": it holds escapes such as \\n or \\\" as two characters, send "
           "the characters that they stand for";
  const std::size_t first = text.find_first_not_of(kBlank);
  const std::size_t last = text.find_last_not_of(kBlank) + 1;
  if (last < text.size() && holds(file, text.substr(0, last)))
    return std::string(kAbsent) + ": it is there without the space or line break at its end";
  // More than its first line: the indentation of that one is explained better below.
  if (text.substr(0, first).contains('\n') && holds(file, text.substr(first, last - first)))
    return std::string(kAbsent) + ": it is there without the blank lines at its start";
  return std::nullopt;
}

// ---- the nearest place ------------------------------------------------------------------------

std::optional<std::string> same_essence(std::string_view file, std::string_view text) {
  const std::string file_essence = essence(file);
  const std::string text_essence = essence(text);
  if (text_essence.find_first_not_of('\n') == kNowhere) return std::nullopt;
  const std::size_t found = file_essence.find(text_essence);
  if (found == kNowhere) return std::nullopt;
  const std::size_t line = line_at(file_essence, found);
  const bool starts_line = found == 0 || file_essence[found - 1] == '\n';
  const std::vector<std::string_view> in_text = split_lines(text);
  std::size_t at = line_begin(file, line);
  for (std::size_t i = 0; i < in_text.size(); ++i) {
    const std::size_t end = line_end(file, at);
    const std::vector<std::string_view> in_file = split_lines(file.substr(at, end - at));
    const std::string_view here = in_file.empty() ? std::string_view() : in_file.front();
    const bool first = i == 0;
    const bool last = i + 1 == in_text.size() && !text.ends_with('\n');
    const bool same = first && last ? here.contains(in_text[i])
                      : first       ? here.ends_with(in_text[i])
                      : last        ? here.starts_with(in_text[i])
                                    : here == in_text[i];
    // A first line without indentation may begin behind that of the file's.
    const bool inside = first && (!starts_line || without_indent(in_text[i]) == in_text[i]);
    if (!same)
      return at_line(line + i) +
             difference(here, in_text[i], inside ? Begins::inside : Begins::with_line);
    at = end;
  }
  return std::nullopt;
}

struct Alignment {
  std::size_t line = 0;  ///< of the file, from 0, for the text's line 0; may lie before the file
  std::size_t votes = 0;
};

// Every line of the text that is in the file votes for where the text would begin.
Alignment best_alignment(const std::vector<std::string>& file,
                         const std::vector<std::string>& text) {
  std::unordered_map<std::string_view, std::vector<std::size_t>> lines;
  for (std::size_t i = 0; i < text.size(); ++i)
    if (text[i].size() >= kTellingBytes) lines[text[i]].push_back(i);
  std::vector<std::size_t> votes(file.size() + text.size());
  std::size_t cast = 0;
  for (std::size_t at = 0; at < file.size() && cast < kVotesMax; ++at) {
    const auto found = lines.find(file[at]);
    if (found == lines.end()) continue;
    for (const std::size_t i : found->second)
      votes[at + text.size() - i] += std::min(file[at].size(), kVoteBytesMax);
    cast += found->second.size();
  }
  const auto best = std::ranges::max_element(votes);
  if (best == votes.end()) return {};
  return {static_cast<std::size_t>(best - votes.begin()), *best};
}

std::size_t pair_of(std::string_view line, std::size_t at) {
  return (static_cast<std::size_t>(static_cast<unsigned char>(line[at])) << 8) |
         static_cast<unsigned char>(line[at + 1]);
}

// The line that shares most pairs of letters with `wanted`, when they are enough.
std::optional<std::size_t> similar_line(const std::vector<std::string>& file,
                                        std::string_view wanted) {
  wanted = wanted.substr(0, kComparedBytesMax);
  std::bitset<1U << 16> pairs;
  for (std::size_t at = 0; at + 1 < wanted.size(); ++at) pairs.set(pair_of(wanted, at));
  std::optional<std::size_t> best;
  std::size_t best_percent = kSimilarPercentMin - 1;
  for (std::size_t i = 0; i < file.size(); ++i) {
    const std::string_view line = std::string_view(file[i]).substr(0, kComparedBytesMax);
    std::size_t shared = 0;
    for (std::size_t at = 0; at + 1 < line.size(); ++at)
      shared += pairs.test(pair_of(line, at)) ? 1 : 0;
    const std::size_t in_both = line.size() + wanted.size() - std::min(line.size(), 1UL) - 1;
    const std::size_t percent = 200 * shared / std::max<std::size_t>(1, in_both);
    if (percent <= best_percent) continue;
    best = i;
    best_percent = percent;
  }
  return best;
}

std::vector<std::string> essences(const std::vector<std::string_view>& lines) {
  std::vector<std::string> out;
  out.reserve(lines.size());
  for (const std::string_view line : lines) out.push_back(essence(line));
  return out;
}

std::string nearest_lines(std::string_view file, std::string_view text) {
  const std::vector<std::string_view> in_file = split_lines(file);
  const std::vector<std::string_view> in_text = split_lines(text);
  const std::vector<std::string> file_essence = essences(in_file);
  const std::vector<std::string> text_essence = essences(in_text);
  const Alignment alignment = best_alignment(file_essence, text_essence);
  for (std::size_t i = 0; alignment.votes > 0 && i < in_text.size(); ++i) {
    const std::size_t shifted = alignment.line + i;
    if (shifted < in_text.size()) continue;  // before the file
    const std::size_t at = shifted - in_text.size();
    if (at >= in_file.size())
      return std::string(kAbsent) + ": the file ends where old_str goes on with " +
             quoted(in_text[i]);
    if (file_essence[at] != text_essence[i])
      return at_line(at + 1) + "more than space" + both(quoted(in_file[at]), quoted(in_text[i]));
  }
  for (std::size_t i = 0; i < in_text.size(); ++i) {
    if (text_essence[i].size() < kTellingBytes) continue;
    const auto at = similar_line(file_essence, text_essence[i]);
    if (!at) break;
    return at_line(*at + 1) + "more than space" + both(quoted(in_file[*at]), quoted(in_text[i]));
  }
  return std::string(kAbsent) + ", nor anything like it: view the file again";
}

std::string explain(std::string_view file, std::string_view text) {
  if (file.empty()) return std::string(kAbsent) + ", which is empty";
  if (file.size() > kExplainedFileBytesMax || text.size() > kExplainedTextBytesMax)
    return std::string(kAbsent) + ": view the lines again, or search for one of them";
  if (auto meant = meant_otherwise(file, text)) return *std::move(meant);
  if (auto near = same_essence(file, text)) return *std::move(near);
  return nearest_lines(file, text);
}

}  // namespace

std::string explain_miss(std::string_view file, std::string_view old_text,
                         std::string_view new_text) {
  std::string why = explain(file, old_text);
  const std::size_t done = new_text.size() < kTellingBytes ? kNowhere : file.find(new_text);
  if (done != kNowhere)
    why += "; new_str is there already, at line " + std::to_string(line_at(file, done)) +
           ": the edit may have been made before";
  return why;
}

}  // namespace fathom::tools
