#include "policies/command_words.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

namespace fathom::policies {
namespace {

bool contains(std::span<const std::string_view> words, std::string_view word) {
  return std::ranges::find(words, word) != words.end();
}

bool is_name_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

bool is_assignment(std::string_view word) {
  const std::size_t equals = word.find('=');
  return equals != std::string_view::npos && equals > 0 && (word[0] < '0' || word[0] > '9') &&
         std::ranges::all_of(word.substr(0, equals), is_name_byte);
}

// Words behind which a command stands, in a construct that is not read as a whole.
constexpr std::array<std::string_view, 12> kKeywords = {
    "if", "then", "elif", "else", "while", "until", "do", "!", "{", "time", "fi", "done"};
// Commands whose arguments run, or that change what later words mean.
constexpr std::array<std::string_view, 12> kOpaque = {"eval", "source", ".",       "alias",
                                                      "trap", "for",    "case",    "function",
                                                      "exec", "select", "command", "builtin"};

class ScriptReader {
 public:
  explicit ScriptReader(std::string_view script) : script_(script.substr(0, kScriptBytesMax)) {
    out_.whole = script_.size() == script.size();
  }

  Commands read() {
    while (at_ < script_.size()) {
      if (in_double_quotes_) {
        read_quoted();
      } else {
        read_plain();
      }
    }
    if (in_double_quotes_ || !nested_.empty()) out_.whole = false;
    end_command();
    return std::move(out_);
  }

 private:
  [[nodiscard]] char peek(std::size_t ahead = 0) const {
    return at_ + ahead < script_.size() ? script_[at_ + ahead] : '\0';
  }
  void take(char c) {
    word_ += c;
    has_word_ = true;
  }

  // `$(`, a backtick or `(`: what is inside is a command of its own.
  void open_nested(std::size_t bytes) {
    at_ += bytes;
    out_.whole = false;
    end_command();
    nested_.push_back(in_double_quotes_);
    in_double_quotes_ = false;
  }
  void close_nested() {
    ++at_;
    out_.whole = false;
    end_command();
    if (nested_.empty()) return;
    in_double_quotes_ = nested_.back();
    nested_.pop_back();
  }

  // Common to both states: substitutions and backslashes.
  bool read_special(char c) {
    if (c == '`') {
      ++at_;
      out_.whole = false;
      end_command();
      return true;
    }
    if (c == '$') {
      out_.whole = false;
      if (peek(1) == '(') {
        open_nested(2);
        return true;
      }
    }
    if (c == '\\') {
      if (peek(1) != '\n' && at_ + 1 < script_.size()) take(peek(1));
      at_ += 2;
      return true;
    }
    return false;
  }

  void read_quoted() {
    const char c = peek();
    if (read_special(c)) return;
    ++at_;
    if (c == '"') {
      in_double_quotes_ = false;
    } else {
      take(c);
    }
  }

  void read_single_quotes() {
    has_word_ = true;
    const std::size_t end = script_.find('\'', ++at_);
    if (end == std::string_view::npos) out_.whole = false;
    const std::string_view inside = script_.substr(at_, end - at_);
    word_ += inside;
    at_ = std::min(end, script_.size() - 1) + 1;
  }

  void read_plain() {
    const char c = peek();
    if (read_special(c)) return;
    switch (c) {
      case '\'':
        return read_single_quotes();
      case '"':
        ++at_;
        has_word_ = true;
        in_double_quotes_ = true;
        return;
      case '(':
        return open_nested(1);
      case ')':
        return close_nested();
      case '<':
      case '>':
        return read_redirection();
      case '#':
        if (has_word_) break;
        at_ = std::min(script_.find('\n', at_), script_.size());
        return;
      case ' ':
      case '\t':
        ++at_;
        return end_word();
      case '\n':
      case ';':
      case '&':
      case '|':
        return read_separator(c);
      default:
        break;
    }
    ++at_;
    take(c);
  }

  void read_separator(char c) {
    if (c == '&' && peek(1) == '>') {  // &>file
      ++at_;
      return read_redirection();
    }
    ++at_;
    end_command();
  }

  // The file's name is a word like others, and is dropped when it ends.
  void read_redirection() {
    if (std::ranges::all_of(word_, [](char c) { return c >= '0' && c <= '9'; })) {
      word_.clear();
      has_word_ = false;
    }
    end_word();
    const bool here_document = peek() == '<' && peek(1) == '<';
    if (here_document || peek(1) == '(') out_.whole = false;
    while (peek() == '<' || peek() == '>' || peek() == '&' || peek() == '|') ++at_;
    drop_next_ = true;
  }

  void end_word() {
    if (!has_word_) return;
    std::string word = std::exchange(word_, "");
    has_word_ = false;
    if (std::exchange(drop_next_, false)) return;
    if (words_.empty()) {
      if (is_assignment(word)) return;
      if (contains(kKeywords, word)) {
        out_.whole = false;
        return;
      }
      if (contains(kOpaque, word) || word.find_first_of("*?[{~") != std::string::npos ||
          word == "}")
        out_.whole = false;
    }
    words_.push_back(std::move(word));
  }

  void end_command() {
    end_word();
    drop_next_ = false;
    if (!words_.empty()) out_.commands.push_back(std::exchange(words_, {}));
  }

  std::string_view script_;
  std::size_t at_ = 0;
  Commands out_;
  Words words_;
  std::string word_;
  bool has_word_ = false;  // an empty pair of quotes is a word too
  bool in_double_quotes_ = false;
  bool drop_next_ = false;
  std::vector<bool> nested_;  // whether quotes were open where each `(` stands
};

struct Wrapper {
  std::string_view name;
  std::string_view options_with_value;  ///< letters
  std::size_t operands;                 ///< before the command
};

constexpr std::array kWrappers = {Wrapper{"env", "uC", 0}, Wrapper{"nice", "n", 0},
                                  Wrapper{"nohup", "", 0}, Wrapper{"setsid", "", 0},
                                  Wrapper{"timeout", "ks", 1}};
constexpr std::array<std::string_view, 5> kShells = {"bash", "dash", "ksh", "sh", "zsh"};

// env -S splits a text of its own.
bool is_unreadable_option(const Wrapper& wrapper, std::string_view word) {
  return wrapper.name == "env" && (word.starts_with("-S") || word.starts_with("--split-string"));
}

Commands unwrap_wrapper(const Wrapper& wrapper, const Words& argv) {
  std::size_t at = 1;
  for (; at < argv.size() && argv[at].size() > 1 && argv[at].front() == '-'; ++at) {
    if (is_unreadable_option(wrapper, argv[at])) return {{}, false};
    if (argv[at] == "--") {
      ++at;
      break;
    }
    const bool takes_next = argv[at].size() == 2 &&
                            wrapper.options_with_value.find(argv[at][1]) != std::string_view::npos;
    if (takes_next) ++at;
  }
  if (wrapper.name == "env")
    while (at < argv.size() && (is_assignment(argv[at]) || argv[at] == "-")) ++at;
  at += wrapper.operands;
  if (at >= argv.size()) return {};
  return {{Words(argv.begin() + static_cast<std::ptrdiff_t>(at), argv.end())}, true};
}

// The script behind -c, which may stand in a cluster such as -lc.
Commands unwrap_shell(const Words& argv) {
  bool runs_text = false;
  for (std::size_t at = 1; at < argv.size(); ++at) {
    const std::string& word = argv[at];
    const bool is_option = word.size() > 1 && (word.front() == '-' || word.front() == '+');
    if (is_option) {
      if (word.starts_with("--") || word.front() == '+') continue;
      runs_text = runs_text || word.find('c') != std::string::npos;
      if (word.ends_with('o')) ++at;  // -o pipefail
      continue;
    }
    return runs_text ? split_script(word) : Commands{};
  }
  return {};
}

}  // namespace

std::string_view base_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

Commands split_script(std::string_view script) { return ScriptReader(script).read(); }

Commands unwrap(const Words& argv) {
  if (argv.empty()) return {};
  const std::string_view name = base_name(argv.front());
  for (const Wrapper& wrapper : kWrappers)
    if (wrapper.name == name) return unwrap_wrapper(wrapper, argv);
  return contains(kShells, name) ? unwrap_shell(argv) : Commands{};
}

}  // namespace fathom::policies
