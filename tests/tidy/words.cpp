#include "tests/tidy/words.hpp"

#include "tests/tidy/lexer.hpp"
#include "tests/tidy/path.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <string_view>

namespace fathom::tidy {
namespace {

constexpr std::array<std::string_view, 4> kTodoKinds = {"limits", "perf", "security",
                                                        "portability"};

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

// Where `word` stands in `text` as a whole word, from `from` on.
std::size_t find_whole_word(std::string_view text, std::string_view word, std::size_t from) {
  for (std::size_t at = text.find(word, from); at != std::string_view::npos;
       at = text.find(word, at + 1)) {
    const bool begins = at == 0 || !is_letter(text[at - 1]);
    const std::size_t end = at + word.size();
    if (begins && (end == text.size() || !is_letter(text[end]))) return at;
  }
  return std::string_view::npos;
}

bool is_well_formed_todo(std::string_view behind) {
  return std::ranges::any_of(kTodoKinds, [&](std::string_view kind) {
    const std::string opening = "(" + std::string(kind) + "): ";
    return behind.starts_with(opening) && behind.size() > opening.size() &&
           behind[opening.size()] > ' ';
  });
}

// Looks around in the tokens without running off either end.
class View {
 public:
  explicit View(std::span<const Token> code) : code_(code) {}
  [[nodiscard]] std::string_view at(std::size_t i, int offset) const {
    const auto index = static_cast<long>(i) + offset;
    if (index < 0 || index >= static_cast<long>(code_.size())) return {};
    return code_[static_cast<std::size_t>(index)].text;
  }
  [[nodiscard]] TokenKind kind(std::size_t i, int offset) const {
    return at(i, offset).empty()
               ? TokenKind::punctuation
               : code_[static_cast<std::size_t>(static_cast<long>(i) + offset)].kind;
  }

 private:
  std::span<const Token> code_;
};

// `unique_ptr<T>(new T(` and `unique_ptr<T> x(new T(` have their owner at hand: the way to call a
// private constructor.
bool goes_into_unique_ptr(const View& code, std::size_t at) {
  if (code.at(at, -1) != "(" && code.at(at, -1) != "{") return false;
  const int angle = code.kind(at, -2) == TokenKind::identifier ? -3 : -2;
  if (code.at(at, angle) != ">") return false;
  constexpr int kTokensMax = 40;  // a type with more tokens should have a name
  int depth = 0;
  for (int back = angle; back > -kTokensMax; --back) {
    if (code.at(at, back) == ">") ++depth;
    if (code.at(at, back) == "<" && --depth == 0) return code.at(at, back - 1) == "unique_ptr";
  }
  return false;
}

std::string_view banned(const View& code, std::size_t i) {
  const std::string_view word = code.at(i, 0);
  const std::string_view before = code.at(i, -1);
  if (word == "detached") return "a detached task has no owner: spawn it in a TaskGroup";
  if (word == "endl" && before == "::" && code.at(i, -2) == "std")
    return "std::endl flushes: write '\\n'";
  if ((word == "usleep" || word == "nanosleep") && code.at(i, 1) == "(")
    return "a sleeping thread stops all its tasks: co_await Clock::sleep_for";
  if ((word == "sleep_for" || word == "sleep_until") && before == "::" &&
      code.at(i, -2) == "this_thread")
    return "a sleeping thread stops all its tasks: co_await Clock::sleep_for";
  if (before == "operator") return {};
  if (word == "new" && code.at(i, 1) != "(" && !goes_into_unique_ptr(code, i))
    return "`new` without an owner: use std::make_unique, or unique_ptr<T>(new T(…))";
  if (word == "delete" && before != "=")
    return "`delete` by hand: let a unique_ptr or a value own it";
  return {};
}

constexpr std::array<std::string_view, 17> kProcessStarts = {
    "fork",         "vfork",  "execl",   "execlp",  "execle",   "execv",
    "execvp",       "execve", "execvpe", "fexecve", "execveat", "posix_spawn",
    "posix_spawnp", "popen",  "system",  "daemon",  "forkpty"};

bool is_process_syscall(std::string_view word) {
  constexpr std::array<std::string_view, 6> kCalls = {"clone", "clone3", "fork",
                                                      "vfork", "execve", "execveat"};
  for (std::string_view prefix : {"SYS_", "__NR_"})
    if (word.starts_with(prefix))
      return std::ranges::find(kCalls, word.substr(prefix.size())) != kCalls.end();
  return false;
}

// A call of the C library's function, not a member of that name (a KV timeline can fork too) or its
// declaration.
bool calls_library(const View& code, std::size_t i) {
  constexpr std::array<std::string_view, 6> kBeforeCalls = {"return", "co_return", "else",
                                                            "do",     "throw",     "case"};
  if (code.at(i, 1) != "(") return false;
  const std::string_view before = code.at(i, -1);
  if (before == "." || before == "->") return false;
  if (before == "::") {
    const bool qualified = code.kind(i, -2) == TokenKind::identifier || code.at(i, -2) == ">";
    const bool keyword = std::ranges::find(kBeforeCalls, code.at(i, -2)) != kBeforeCalls.end();
    return !qualified || keyword || code.at(i, -2) == "std";
  }
  const bool behind_type =
      code.kind(i, -1) == TokenKind::identifier || before == ">" || before == "*" || before == "&";
  return !behind_type || std::ranges::find(kBeforeCalls, before) != kBeforeCalls.end();
}

std::string_view last_word(std::string_view name) { return name.substr(name.rfind('_') + 1); }

}  // namespace

Findings check_todos(const SourceFile& file) {
  Findings findings;
  for (const Token& token : lex(file.text)) {
    if (token.kind != TokenKind::comment) continue;
    for (std::string_view word : {"TODO", "FIXME"}) {
      std::size_t at = find_whole_word(token.text, word, 0);
      for (; at != std::string_view::npos; at = find_whole_word(token.text, word, at + 1)) {
        if (word == "TODO" && is_well_formed_todo(token.text.substr(at + word.size()))) continue;
        const auto lines = std::ranges::count(token.text.substr(0, at), '\n');
        findings.push_back({file.path, token.line + static_cast<int>(lines),
                            std::string(word) +
                                " must say which debt it is: TODO(limits|perf|security|"
                                "portability): what is missing"});
      }
    }
  }
  return findings;
}

Findings check_banned_words(const SourceFile& file) {
  Findings findings;
  const std::vector<Token> code = without_comments(lex(file.text));
  const View view(code);
  for (std::size_t i = 0; i < code.size(); ++i) {
    if (code[i].kind != TokenKind::identifier) continue;
    if (const std::string_view why = banned(view, i); !why.empty())
      findings.push_back({file.path, code[i].line, std::string(why)});
  }
  return findings;
}

Findings check_process_starts(const SourceFile& file) {
  Findings findings;
  if (is_below(file.path, "sandbox") || is_below(file.path, "tests")) return findings;
  const std::vector<Token> code = without_comments(lex(file.text));
  const View view(code);
  for (std::size_t i = 0; i < code.size(); ++i) {
    if (code[i].kind != TokenKind::identifier) continue;
    const std::string_view word = code[i].text;
    const bool by_name = std::ranges::find(kProcessStarts, word) != kProcessStarts.end();
    if ((by_name && calls_library(view, i)) || is_process_syscall(word))
      findings.push_back({file.path, code[i].line,
                          std::string(word) + " starts a process, which only sandbox/ does: call "
                                              "sandbox::Launcher"});
  }
  return findings;
}

Findings check_names(const SourceFile& file) {
  constexpr std::array<std::string_view, 10> kEmptyNames = {
      "core",    "common", "util",    "utils",    "helper",
      "helpers", "misc",   "manager", "managers", "stuff"};
  for (std::string_view ending : {".h", ".hh", ".hxx", ".cc", ".cxx", ".c++"})
    if (file.path.ends_with(ending))
      return {{file.path, 1, "C++ files end in .hpp and .cpp: rename it, the rules look at those"}};
  std::string_view rest = file.path;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('/'), rest.size());
    std::string_view name = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    name = name.substr(0, name.find('.'));
    if (rest.empty() && name.ends_with("_test"))
      name.remove_suffix(std::string_view("_test").size());
    if (std::ranges::find(kEmptyNames, last_word(name)) != kEmptyNames.end())
      return {
          {file.path, 1, "'" + std::string(name) + "' names nothing: call it after what is in it"}};
  }
  return {};
}

}  // namespace fathom::tidy
