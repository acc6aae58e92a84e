#include "tests/tidy/functions.hpp"

#include <algorithm>
#include <optional>
#include <span>
#include <utility>

namespace fathom::tidy {
namespace {

enum class Brace : std::uint8_t { scope, function, other };

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::ranges::find(words, text) != words.end();
}

// The head of a brace reduced to what lies outside (), <> and [[ ]], with a group's opening mark
// kept.
std::vector<Token> outline(std::span<const Token> head, bool& inside_parens) {
  std::vector<Token> outer;
  int parens = 0;
  int angles = 0;
  bool behind_operator = false;  // its marks are a name: operator<, operator(), operator==
  for (const Token& token : head) {
    const std::string_view text = token.text;
    const bool mark = token.kind == TokenKind::punctuation;
    if (behind_operator && mark && text != "(") continue;
    behind_operator = token.kind == TokenKind::identifier && text == "operator";
    if (parens == 0 && angles == 0) outer.push_back(token);
    if (!mark) continue;
    if (text == "(" || text == "[") ++parens;
    if ((text == ")" || text == "]") && parens > 0) --parens;
    if (parens > 0) continue;
    if (text == "<") ++angles;
    if (text == ">" && angles > 0) --angles;
  }
  inside_parens = parens > 0;
  return outer;
}

std::size_t find_word(std::span<const Token> outer, std::initializer_list<std::string_view> words) {
  const auto found =
      std::ranges::find_if(outer, [&](const Token& token) { return is_one_of(token.text, words); });
  return static_cast<std::size_t>(found - outer.begin());
}

// `class X final : public Base<Y> {` and not `struct stat f() {`.
bool opens_class(std::span<const Token> outer) {
  const std::size_t keyword = find_word(outer, {"class", "struct", "union"});
  for (std::size_t i = keyword + 1; i < outer.size(); ++i) {
    if (outer[i].text == ":") return true;
    const bool attribute = is_one_of(outer[i - 1].text, {"alignas", "__attribute__", "decltype"});
    if (outer[i].text == "(" && !attribute) return false;
    if (outer[i].text == "=") return false;
  }
  return keyword < outer.size();
}

// `Foo() : a_{` opens the initializer of a member, `Foo() : a_{1} {` the body.
bool opens_member_initializer(std::span<const Token> outer, std::size_t parameters) {
  const bool has_initializers = std::ranges::any_of(
      outer.subspan(parameters), [](const Token& token) { return token.text == ":"; });
  const Token& last = outer.back();
  return has_initializers && (last.kind == TokenKind::identifier || last.text == ">");
}

Brace classify(std::span<const Token> head) {
  bool inside_parens = false;
  const std::vector<Token> outer = outline(head, inside_parens);
  if (outer.empty() || inside_parens) return Brace::other;
  if (find_word(outer, {"namespace"}) < outer.size()) return Brace::scope;
  if (outer.front().text == "extern" && outer.back().kind == TokenKind::string) return Brace::scope;
  if (find_word(outer, {"enum"}) < outer.size()) return Brace::other;
  if (opens_class(outer)) return Brace::scope;
  if (const std::size_t equals = find_word(outer, {"="}); equals < outer.size()) {
    const bool lambda = equals + 1 < outer.size() && outer[equals + 1].text == "[";
    return lambda ? Brace::function : Brace::other;
  }
  const std::size_t parameters = find_word(outer, {"("});
  if (parameters == outer.size() || outer.back().text == "requires") return Brace::other;
  return opens_member_initializer(outer, parameters) ? Brace::other : Brace::function;
}

std::string name_of(std::span<const Token> head) {
  bool inside_parens = false;
  const std::vector<Token> outer = outline(head, inside_parens);
  const std::size_t behind = find_word(outer, {"(", "="});
  if (behind == 0 || behind == outer.size()) return "?";
  return std::string(outer[behind - 1].text);
}

class Finder {
 public:
  std::vector<Function> run(const std::vector<Token>& tokens) {
    for (const Token& token : tokens) {
      if (token.kind == TokenKind::comment) continue;
      if (token.kind == TokenKind::directive) conditional(token.text);
      if (!token.in_directive && !skipping_from_) code(token);
    }
    return std::move(functions_);
  }

 private:
  struct Open {
    Brace brace{};
    int line = 0;
  };

  // Two branches may open the same brace twice: only the first of them is read.
  void conditional(std::string_view directive) {
    if (is_one_of(directive, {"if", "ifdef", "ifndef"})) {
      ++conditionals_;
    } else if (is_one_of(directive, {"else", "elif", "elifdef", "elifndef"})) {
      if (!skipping_from_) skipping_from_ = conditionals_;
    } else if (directive == "endif" && conditionals_ > 0) {
      if (skipping_from_ == conditionals_) skipping_from_.reset();
      --conditionals_;
    }
  }

  [[nodiscard]] bool at_scope() const {
    return open_.empty() || open_.back().brace == Brace::scope;
  }

  void code(const Token& token) {
    const bool mark = token.kind == TokenKind::punctuation;
    if (mark && token.text == "{") {
      opened(token);
    } else if (mark && token.text == "}") {
      closed(token);
    } else if (at_scope()) {
      head(token);
    }
  }

  void head(const Token& token) {
    const bool mark = token.kind == TokenKind::punctuation;
    const bool access = mark && token.text == ":" && head_.size() == 1 &&
                        is_one_of(head_.front().text, {"public", "private", "protected"});
    if (access || (mark && token.text == ";")) {
      head_.clear();
    } else {
      head_.push_back(token);
    }
  }

  void opened(const Token& token) {
    // Inside a function or an initializer nothing is told apart: it all belongs to that.
    const Brace brace = at_scope() ? classify(head_) : Brace::other;
    if (brace == Brace::scope) head_.clear();
    open_.push_back({brace, token.line});
  }

  void closed(const Token& token) {
    if (open_.empty()) return;
    const Open open = open_.back();
    open_.pop_back();
    if (open.brace == Brace::function)
      functions_.push_back({name_of(head_), open.line, token.line});
    if (open.brace != Brace::other) {
      head_.clear();
    } else if (at_scope()) {
      head_.push_back(token);  // an initializer is over, what it belongs to is not
    }
  }

  std::vector<Open> open_;
  std::vector<Token> head_;  ///< since the last end of a declaration, at namespace or class level
  std::vector<Function> functions_;
  int conditionals_ = 0;
  std::optional<int> skipping_from_;  ///< the conditional whose later branches are not read
};

}  // namespace

std::vector<Function> functions_of(const std::vector<Token>& tokens) {
  return Finder().run(tokens);
}

}  // namespace fathom::tidy
