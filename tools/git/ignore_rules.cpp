#include "tools/git/ignore_rules.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

namespace fathom::tools {
namespace {

constexpr std::string_view kSpecial = "*?[\\";

bool in_class(std::string_view name, unsigned char c) {
  struct Named {
    std::string_view name;
    int (*test)(int);
  };
  static constexpr std::array<Named, 12> kClasses = {{{"alnum", std::isalnum},
                                                      {"alpha", std::isalpha},
                                                      {"blank", std::isblank},
                                                      {"cntrl", std::iscntrl},
                                                      {"digit", std::isdigit},
                                                      {"graph", std::isgraph},
                                                      {"lower", std::islower},
                                                      {"print", std::isprint},
                                                      {"punct", std::ispunct},
                                                      {"space", std::isspace},
                                                      {"upper", std::isupper},
                                                      {"xdigit", std::isxdigit}}};
  return c < 128 &&
         std::ranges::any_of(
             kClasses,
             [&](const Named& named) { return named.name == name && named.test(c) != 0; });
}

enum class Match : std::uint8_t { no, yes, malformed };

// Reads one member of a bracket expression at `at`; a range counts as one. False when the
// expression ends before it.
bool read_member(std::string_view glob, std::size_t& at, unsigned char c, bool& found) {
  if (glob.substr(at).starts_with("[:")) {
    const std::size_t close = glob.find(":]", at + 2);
    if (close != std::string_view::npos) {
      found = found || in_class(glob.substr(at + 2, close - at - 2), c);
      at = close + 2;
      return true;
    }
  }
  const auto letter = [&]() -> int {
    if (at < glob.size() && glob[at] == '\\') ++at;
    return at < glob.size() ? static_cast<unsigned char>(glob[at++]) : -1;
  };
  const int low = letter();
  if (low < 0) return false;
  int high = low;
  if (at + 1 < glob.size() && glob[at] == '-' && glob[at + 1] != ']') {
    ++at;
    high = letter();
    if (high < 0) return false;
  }
  found = found || (c >= low && c <= high);
  return true;
}

// Holds `c` against the bracket expression that begins at `at` and moves behind it.
Match match_bracket(std::string_view glob, std::size_t& at, unsigned char c) {
  ++at;
  const bool negated = at < glob.size() && (glob[at] == '!' || glob[at] == '^');
  if (negated) ++at;
  bool found = false;
  for (bool first = true; at < glob.size(); first = false) {
    if (glob[at] == ']' && !first) {
      ++at;
      return found != negated ? Match::yes : Match::no;
    }
    if (!read_member(glob, at, c, found)) break;
  }
  return Match::malformed;
}

// One element of the pattern against one byte; moves `p` behind the element.
bool match_one(std::string_view glob, std::size_t& p, char c) {
  switch (glob[p]) {
    case '?':
      ++p;
      return true;
    case '[':
      return match_bracket(glob, p, static_cast<unsigned char>(c)) == Match::yes;
    case '\\':
      ++p;
      return p < glob.size() && glob[p++] == c;
    default:
      return glob[p++] == c;
  }
}

// One name without '/'. A `*` that came later never has to give back what an earlier one took.
bool match_name(std::string_view glob, std::string_view name) {
  std::size_t p = 0;
  std::size_t n = 0;
  std::size_t star = std::string_view::npos;
  std::size_t resume = 0;
  while (n < name.size()) {
    if (p < glob.size() && glob[p] == '*') {
      star = ++p;
      resume = n;
      continue;
    }
    if (p < glob.size() && match_one(glob, p, name[n])) {
      ++n;
      continue;
    }
    if (star == std::string_view::npos) return false;
    p = star;
    n = ++resume;
  }
  return std::ranges::all_of(glob.substr(p), [](char c) { return c == '*'; });
}

struct Name {
  std::string_view text;
  std::size_t next = 0;  ///< npos behind the last name
};

// A '/' inside brackets ends the name too: the bracket is then malformed, and matches nothing, as
// in git, where a class never matches '/'.
Name name_at(std::string_view path, std::size_t at) {
  const std::size_t slash = path.find('/', at);
  if (slash == std::string_view::npos) return {path.substr(at), slash};
  return {path.substr(at, slash - at), slash + 1};
}

std::size_t unescaped_end(std::string_view line) {
  std::size_t end = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '\\' && i + 1 < line.size()) {
      ++i;
      end = i + 1;
    } else if (line[i] != ' ') {
      end = i + 1;
    }
  }
  return end;
}

}  // namespace

bool matches_glob(std::string_view pattern, std::string_view text) {
  constexpr std::size_t kEnd = std::string_view::npos;
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = kEnd;  // behind the last `**`, and where the text went on then
  std::size_t resume = 0;
  while (t != kEnd) {
    if (p != kEnd) {
      const Name glob = name_at(pattern, p);
      if (glob.text == "**") {
        // At the end it wants at least one name: "a/**" is about what is in a, not about a.
        if (glob.next == kEnd) return true;
        star = p = glob.next;
        resume = t;
        continue;
      }
      const Name name = name_at(text, t);
      if (match_name(glob.text, name.text)) {
        p = glob.next;
        t = name.next;
        continue;
      }
    }
    if (star == kEnd) return false;
    resume = name_at(text, resume).next;
    t = resume;
    p = star;
  }
  return p == kEnd;
}

IgnoreFile IgnoreFile::parse(std::string_view text) {
  IgnoreFile file;
  if (text.size() > kIgnoreFileBytesMax) return file;
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  while (!text.empty() && file.patterns_.size() < kIgnorePatternsMax) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.starts_with('#')) continue;
    line = line.substr(0, unescaped_end(line));
    Pattern pattern;
    if (line.starts_with('!')) {
      pattern.negated = true;
      line.remove_prefix(1);
    }
    if (line.ends_with('/')) {
      pattern.folders_only = true;
      line.remove_suffix(1);
    }
    pattern.anchored = line.find('/') != std::string_view::npos;
    if (line.starts_with('/')) line.remove_prefix(1);
    if (line.empty()) continue;
    pattern.glob = line;
    pattern.literal = line.find_first_of(kSpecial) == std::string_view::npos;
    file.patterns_.push_back(std::move(pattern));
  }
  return file;
}

bool IgnoreFile::matches(const Pattern& pattern, std::string_view path) {
  const std::string_view subject =
      pattern.anchored ? path : path.substr(path.rfind('/') + 1);  // npos + 1 is 0
  return pattern.literal ? subject == pattern.glob : matches_glob(pattern.glob, subject);
}

Ignored IgnoreFile::about(std::string_view path, bool is_folder) const {
  for (std::size_t i = patterns_.size(); i-- > 0;) {
    const Pattern& pattern = patterns_[i];
    if (pattern.folders_only && !is_folder) continue;
    if (matches(pattern, path)) return pattern.negated ? Ignored::no : Ignored::yes;
  }
  return Ignored::unsaid;
}

void IgnoreRules::enter(std::string_view folder, IgnoreFile file) {
  files_.push_back({folder.empty() ? 0 : folder.size() + 1, std::move(file)});
}

bool IgnoreRules::is_ignored(std::string_view path, bool is_folder) const {
  for (std::size_t i = files_.size(); i-- > 0;) {
    const Level& level = files_[i];
    if (level.file.empty()) continue;
    const Ignored said = level.file.about(path.substr(level.prefix), is_folder);
    if (said != Ignored::unsaid) return said == Ignored::yes;
  }
  return false;
}

}  // namespace fathom::tools
