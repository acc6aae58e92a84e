#include "sandbox/git_config.hpp"

#include <algorithm>
#include <array>
#include <span>

namespace fathom::sandbox {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
bool is_alpha(char c) { return lower(c) >= 'a' && lower(c) <= 'z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_key_char(char c) { return is_alpha(c) || is_digit(c) || c == '-'; }
bool is_blank(char c) { return c == ' ' || c == '\t'; }

// Follows config.c of git: sections, then `key [= value]`, also on the line of the section.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<std::vector<GitSetting>> run() {
    constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
    if (text_.starts_with(kByteOrderMark)) at_ = kByteOrderMark.size();
    while (!done()) {
      const char c = peek();
      if (is_blank(c) || c == '\n') {
        next();
      } else if (c == '#' || c == ';') {
        skip_line();
      } else if (c == '[') {
        TRY(section());
      } else if (is_alpha(c)) {
        TRY(setting());
      } else {
        return wrong("expected a section, a key or a comment");
      }
    }
    return std::move(settings_);
  }

 private:
  [[nodiscard]] bool done() const { return at_ == text_.size(); }

  // The end of the file ends a line. CR before LF is not part of the line.
  [[nodiscard]] char peek() const {
    if (done()) return '\n';
    if (text_[at_] == '\r' && at_ + 1 < text_.size() && text_[at_ + 1] == '\n') return '\n';
    return text_[at_];
  }

  char next() {
    const char c = peek();
    if (done()) return c;
    if (c == '\n') ++line_;
    at_ += text_[at_] == '\r' && c == '\n' ? 2 : 1;
    return c;
  }

  void skip_blanks() {
    while (is_blank(peek())) next();
  }

  void skip_line() {
    while (!done() && peek() != '\n') next();
  }

  [[nodiscard]] std::unexpected<Error> wrong(std::string_view why) const {
    return fail(ErrorCode::bad_data, "line " + std::to_string(line_) + ": " + std::string(why));
  }

  Result<> section() {
    next();
    section_.clear();
    subsection_.reset();
    while (is_key_char(peek()) || peek() == '.') section_ += lower(next());
    if (is_blank(peek())) {
      skip_blanks();
      TRY(subsection());
    }
    if (peek() != ']') return wrong("a section's name ends with ']'");
    next();
    if (section_.empty()) return wrong("a section needs a name");
    // "[a.b]" is the old spelling of [a "b"], with b in lower case.
    if (const std::size_t dot = section_.find('.'); dot != std::string::npos) {
      if (subsection_ || dot == 0) return wrong("a section's name has no '.'");
      subsection_ = section_.substr(dot + 1);
      section_.resize(dot);
    }
    return {};
  }

  Result<> subsection() {
    if (next() != '"') return wrong("a subsection stands in double quotes");
    subsection_.emplace();
    for (;;) {
      if (done() || peek() == '\n') return wrong("a subsection ends with a double quote");
      char c = next();
      if (c == '"') return {};
      if (c == '\\') {
        if (done() || peek() == '\n') return wrong("a subsection ends with a double quote");
        c = next();
      }
      if (c == '\0' || c == '\r') return wrong("a control character");
      *subsection_ += c;
    }
  }

  Result<> setting() {
    if (section_.empty()) return wrong("a key needs a section before it");
    GitSetting setting{section_, subsection_, {}, {}};
    while (is_key_char(peek())) setting.key += lower(next());
    skip_blanks();
    if (peek() == '=') {
      next();
      setting.value = TRY(value());
    } else if (peek() != '\n') {
      return wrong("a key is followed by '='");
    }
    if (settings_.size() == kGitConfigEntriesMax) return wrong("too many settings");
    settings_.push_back(std::move(setting));
    return {};
  }

  // Blanks around the value are dropped, inside quotes they count. Versions of git read empty
  // quotes beside other text differently: they may only be the whole value. A tab between words is
  // a blank to git 2.39 and a tab to later ones; a value with a tab is never inert.
  Result<std::string> value() {
    std::string out;
    std::size_t kept = 0;  // length of `out` without trailing blanks
    std::optional<std::size_t> quote;
    bool complete = false;
    for (;;) {
      const char c = next();
      if (c == '\n') {
        if (quote) return wrong("a quote is left open");
        out.resize(kept);
        return out;
      }
      if (c == '\0' || c == '\r') return wrong("a control character");
      if (!quote && (c == '#' || c == ';')) {
        skip_line();
      } else if (!quote && is_blank(c)) {
        if (kept > 0) out += c;
      } else if (complete) {
        return wrong("text beside empty quotes");
      } else if (c == '"') {
        if (!quote) {
          quote = out.size();
          continue;
        }
        if (*quote == out.size() && !out.empty()) return wrong("text beside empty quotes");
        complete = out.empty();
        quote.reset();
      } else {
        TRY(append(c, out));
        kept = out.size();
      }
    }
  }

  Result<> append(char c, std::string& out) {
    if (c != '\\') {
      out += c;
      return {};
    }
    if (done()) return wrong("a continued line is missing");
    const char escaped = next();
    if (escaped == '\n') return {};
    return append_escaped(escaped, out);
  }

  Result<> append_escaped(char escaped, std::string& out) const {
    constexpr std::string_view kNames = "tbn\\\"";
    constexpr std::string_view kMeanings = "\t\b\n\\\"";
    const std::size_t index = kNames.find(escaped);
    if (index == std::string_view::npos) return wrong("an unknown escape");
    out += kMeanings[index];
    return {};
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int line_ = 1;
  std::string section_;
  std::optional<std::string> subsection_;
  std::vector<GitSetting> settings_;
};

// Values are judged by Kind; the key "*" is all keys of the section.
enum class Kind : std::uint8_t { any, url, name, off, null_path, update };

struct InertKey {
  std::string_view section;
  std::string_view key;
  Kind kind = Kind::any;
};

constexpr std::array kPlainKeys = {
    InertKey{"advice", "*"},
    InertKey{"color", "*"},
    InertKey{"commit", "gpgsign", Kind::off},
    InertKey{"core", "abbrev"},
    InertKey{"core", "autocrlf"},
    InertKey{"core", "bare"},
    InertKey{"core", "commitgraph"},
    InertKey{"core", "compression"},
    InertKey{"core", "eol"},
    InertKey{"core", "filemode"},
    InertKey{"core", "fsmonitor", Kind::off},
    InertKey{"core", "hookspath", Kind::null_path},
    InertKey{"core", "ignorecase"},
    InertKey{"core", "logallrefupdates"},
    InertKey{"core", "longpaths"},
    InertKey{"core", "precomposeunicode"},
    InertKey{"core", "quotepath"},
    InertKey{"core", "repositoryformatversion"},
    InertKey{"core", "safecrlf"},
    InertKey{"core", "sparsecheckout"},
    InertKey{"core", "sparsecheckoutcone"},
    InertKey{"core", "symlinks"},
    InertKey{"core", "untrackedcache"},
    InertKey{"extensions", "compatobjectformat"},
    InertKey{"extensions", "noop"},
    InertKey{"extensions", "objectformat"},
    InertKey{"extensions", "partialclone", Kind::name},
    InertKey{"extensions", "preciousobjects"},
    InertKey{"extensions", "refstorage", Kind::name},
    InertKey{"extensions", "relativeworktrees"},
    InertKey{"extensions", "worktreeconfig"},
    InertKey{"fetch", "prune"},
    InertKey{"gc", "auto"},
    InertKey{"index", "sparse"},
    InertKey{"index", "version"},
    InertKey{"init", "defaultbranch"},
    InertKey{"lfs", "repositoryformatversion"},
    InertKey{"maintenance", "auto"},
    InertKey{"maintenance", "strategy"},
    InertKey{"merge", "conflictstyle"},
    InertKey{"merge", "ff"},
    InertKey{"pull", "ff"},
    InertKey{"pull", "rebase"},
    InertKey{"push", "autosetupremote"},
    InertKey{"push", "default"},
    InertKey{"receive", "denycurrentbranch"},
    InertKey{"receive", "denydeletes"},
    InertKey{"receive", "denynonfastforwards"},
    InertKey{"rerere", "enabled"},
    InertKey{"submodule", "active"},
    InertKey{"submodule", "recurse"},
    InertKey{"tag", "gpgsign", Kind::off},
    InertKey{"user", "email"},
    InertKey{"user", "name"},
};

// With a subsection. Left out: remote.*.{uploadpack,receivepack,vcs,proxy} and the "!command" form
// of submodule.*.update, which run or reach what they say.
constexpr std::array kNamedKeys = {
    InertKey{"branch", "description"},
    InertKey{"branch", "merge"},
    InertKey{"branch", "pushremote", Kind::name},
    InertKey{"branch", "rebase"},
    InertKey{"branch", "remote", Kind::name},
    InertKey{"remote", "fetch"},
    InertKey{"remote", "mirror"},
    InertKey{"remote", "partialclonefilter"},
    InertKey{"remote", "promisor"},
    InertKey{"remote", "prune"},
    InertKey{"remote", "push"},
    InertKey{"remote", "pushurl", Kind::url},
    InertKey{"remote", "tagopt"},
    InertKey{"remote", "url", Kind::url},
    InertKey{"submodule", "active"},
    InertKey{"submodule", "branch"},
    InertKey{"submodule", "ignore"},
    InertKey{"submodule", "update", Kind::update},
    InertKey{"submodule", "url", Kind::url},
};

// Where later commands of the user send or fetch.
constexpr std::array kRoutes = {
    InertKey{"branch", "pushremote"}, InertKey{"branch", "remote"}, InertKey{"remote", "push"},
    InertKey{"remote", "pushurl"},    InertKey{"remote", "url"},    InertKey{"submodule", "url"},
};

const InertKey* find_key(std::span<const InertKey> keys, const GitSetting& setting) {
  const auto found = std::ranges::find_if(keys, [&](const InertKey& known) {
    return known.section == setting.section && (known.key == setting.key || known.key == "*");
  });
  return found == keys.end() ? nullptr : &*found;
}

bool has_control(std::string_view text) {
  return std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20; });
}

bool is_remote_name(std::string_view value) {
  return !value.empty() && value.front() != '-' && value.front() != '/' &&
         std::ranges::all_of(value,
                             [](char c) {
                               return is_key_char(c) || c == '_' || c == '.' || c == '/' ||
                                      c == '+';
                             }) &&
         value.find("..") == std::string_view::npos;
}

bool is_off(std::string_view value) {
  constexpr std::array<std::string_view, 3> kOff = {"false", "no", "0"};
  return std::ranges::find(kOff, value) != kOff.end();
}

bool is_update(std::string_view value) {
  constexpr std::array<std::string_view, 4> kWays = {"checkout", "merge", "none", "rebase"};
  return std::ranges::find(kWays, value) != kWays.end();
}

bool fits(Kind kind, const std::optional<std::string>& value) {
  if (!value) return kind == Kind::any;
  switch (kind) {
    case Kind::any:
      return !has_control(*value);
    case Kind::url:
      return is_plain_url(*value);
    case Kind::name:
      return is_remote_name(*value);
    case Kind::off:
      return is_off(*value);
    case Kind::null_path:
      return *value == "/dev/null";
    case Kind::update:
      return is_update(*value);
  }
  return false;
}

void print_quoted(std::string_view text, bool subsection, std::string& out) {
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (!subsection && (c == '\n' || c == '\t' || c == '\b')) {
      out += '\\';
      out += c == '\n' ? 'n' : c == '\t' ? 't' : 'b';
    } else {
      out += c;
    }
  }
  out += '"';
}

std::vector<const GitSetting*> without_inert(const std::vector<GitSetting>& settings) {
  std::vector<const GitSetting*> out;
  for (const GitSetting& setting : settings)
    if (!is_inert(setting)) out.push_back(&setting);
  return out;
}

bool same_variable(const GitSetting& a, const GitSetting& b) {
  return a.section == b.section && a.subsection == b.subsection && a.key == b.key;
}

std::vector<std::optional<std::string>> values_of(const std::vector<GitSetting>& settings,
                                                  const GitSetting& variable) {
  std::vector<std::optional<std::string>> values;
  for (const GitSetting& setting : settings)
    if (same_variable(setting, variable)) values.push_back(setting.value);
  return values;
}

bool same_section(const GitSetting& a, const GitSetting& b) {
  return a.section == b.section && a.subsection == b.subsection;
}

}  // namespace

Result<std::vector<GitSetting>> parse_git_config(std::string_view text) {
  if (text.size() > kGitConfigBytesMax)
    return fail(ErrorCode::too_large, "more than " + std::to_string(kGitConfigBytesMax) + " bytes");
  return Parser(text).run();
}

std::string print_git_config(const std::vector<GitSetting>& settings) {
  std::string out;
  const GitSetting* before = nullptr;
  for (const GitSetting& setting : settings) {
    if (before == nullptr || !same_section(*before, setting)) {
      out += '[' + setting.section;
      if (setting.subsection) {
        out += ' ';
        print_quoted(*setting.subsection, true, out);
      }
      out += "]\n";
    }
    out += '\t' + setting.key;
    if (setting.value) {
      out += " = ";
      print_quoted(*setting.value, false, out);
    }
    out += '\n';
    before = &setting;
  }
  return out;
}

std::string name_of(const GitSetting& setting) {
  std::string name = setting.section + '.';
  if (setting.subsection) name += *setting.subsection + '.';
  return name + setting.key;
}

bool is_inert(const GitSetting& setting) {
  const std::span<const InertKey> keys =
      setting.subsection ? std::span<const InertKey>(kNamedKeys) : kPlainKeys;
  const InertKey* found = find_key(keys, setting);
  return found != nullptr && fits(found->kind, setting.value);
}

bool is_plain_url(std::string_view url) {
  if (url.empty() || url.front() == '-' || has_control(url)) return false;
  const std::size_t scheme_end = url.find("://");
  std::string_view rest = url;
  if (scheme_end != std::string_view::npos) {
    constexpr std::array<std::string_view, 5> kSchemes = {"https", "http", "ssh", "git", "file"};
    if (std::ranges::find(kSchemes, url.substr(0, scheme_end)) == kSchemes.end()) return false;
    rest = url.substr(scheme_end + 3);
  } else if (url.find("::") != std::string_view::npos) {
    return false;  // a remote helper
  }
  // ssh takes a host that begins with '-' for an option; newer gits refuse it themselves.
  const std::string_view authority = rest.substr(0, rest.find('/'));
  const std::size_t at_sign = authority.rfind('@');
  const std::string_view host =
      at_sign == std::string_view::npos ? authority : authority.substr(at_sign + 1);
  return !rest.starts_with('-') && !host.starts_with('-');
}

bool is_harmless_change(const std::vector<GitSetting>& before,
                        const std::vector<GitSetting>& after) {
  if (!std::ranges::equal(without_inert(before), without_inert(after),
                          [](const auto* a, const auto* b) { return *a == *b; }))
    return false;
  // A remote, branch or submodule that was there keeps its routes or goes as a whole: `git remote
  // add` and `git branch -d` pass, a second URL for origin does not.
  return std::ranges::all_of(before, [&](const GitSetting& old) {
    const bool routed = std::ranges::any_of(
        kRoutes, [&](const InertKey& route) { return route.section == old.section; });
    if (!routed || !old.subsection) return true;
    const bool gone = std::ranges::none_of(
        after, [&](const GitSetting& setting) { return same_section(setting, old); });
    return gone || std::ranges::all_of(kRoutes, [&](const InertKey& route) {
             if (route.section != old.section) return true;
             const GitSetting variable{old.section, old.subsection, std::string(route.key), {}};
             const auto had = values_of(before, variable);
             // A branch that had no upstream may be given one.
             if (had.empty() && old.section == "branch") return true;
             return had == values_of(after, variable);
           });
  });
}

}  // namespace fathom::sandbox
