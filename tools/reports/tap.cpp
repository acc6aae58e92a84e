// TAP: https://testanything.org/tap-version-14-specification.html. A subtest is indented by four
// and stands before the line of its parent; that parent is then a suite, and no case, unless it
// failed on its own account.
#include "tools/reports/line_parser.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

namespace fathom::tools {
namespace {

constexpr std::size_t kIndent = 4;

struct Level {
  std::vector<TestCase> cases;  ///< of finished lines, subtests' among them
  std::uint32_t seen = 0;
  std::optional<std::uint32_t> plan;
  bool open = false;
};

struct ResultLine {
  bool ok = false;
  std::string_view name;
  std::string_view directive;  ///< behind "# ": "SKIP why"
};

bool has_word(std::string_view text, std::string_view upper) {
  return text.size() >= upper.size() &&
         std::ranges::equal(text.substr(0, upper.size()), upper, [](char a, char b) {
           return std::toupper(static_cast<unsigned char>(a)) == b;
         });
}

std::optional<ResultLine> result_line(std::string_view line) {
  ResultLine result;
  std::string_view rest;
  if (const auto bad = behind(line, "not ok")) {
    rest = *bad;
  } else if (const auto good = behind(line, "ok")) {
    result.ok = true;
    rest = *good;
  } else {
    return std::nullopt;
  }
  if (!rest.empty() && rest.front() != ' ') return std::nullopt;
  rest = trimmed(rest);
  take_number(rest);
  rest = trimmed(rest);
  if (const auto dashed = behind(rest, "-")) rest = trimmed(*dashed);
  // An escaped \# is part of the name.
  for (std::size_t at = rest.find('#'); at != std::string_view::npos; at = rest.find('#', at + 1)) {
    if (at > 0 && rest[at - 1] == '\\') continue;
    const std::string_view directive = trimmed(rest.substr(at + 1));
    if (!has_word(directive, "SKIP") && !has_word(directive, "TODO") &&
        !has_word(directive, "TIME"))
      continue;
    result.directive = directive;
    rest = trimmed(rest.substr(0, at));
    break;
  }
  result.name = rest;
  return result;
}

class TapParser final : public LineParser {
 public:
  void line(std::string_view line) override;
  std::optional<TestReport> finish() override;

 private:
  void take_result(std::size_t depth, const ResultLine& result);
  bool take_plan(std::size_t depth, std::string_view text);
  void take_yaml(std::string_view line);
  void take_yaml_value(std::string_view key, std::string_view value);
  void take_comment(std::string_view comment);
  void close_above(std::size_t depth);
  TestCase* current();
  Level& level(std::size_t depth) {
    if (levels_.size() <= depth) levels_.resize(depth + 1);
    return levels_[depth];
  }

  std::vector<Level> levels_;
  ReportBuilder builder_{"tap"};
  std::size_t kept_ = 0;
  bool recognised_ = false;
  bool in_yaml_ = false;
  std::size_t yaml_indent_ = 0;
  std::string yaml_block_key_;
  std::optional<std::size_t> current_;  ///< the level whose last case diagnostics belong to
};

TestCase* TapParser::current() {
  if (!current_ || *current_ >= levels_.size() || levels_[*current_].cases.empty()) return nullptr;
  return &levels_[*current_].cases.back();
}

void TapParser::line(std::string_view line) {
  const std::size_t indent = std::min(line.find_first_not_of(' '), line.size());
  const std::string_view text = line.substr(indent);
  if (in_yaml_) {
    if (indent <= yaml_indent_ && trimmed(text) == "...") {
      in_yaml_ = false;
      yaml_block_key_.clear();
      current_.reset();  // what follows is no diagnostic of this case: node ends with "# tests 6"
      return;
    }
    if (text.empty() || indent >= yaml_indent_) return take_yaml(line);
    in_yaml_ = false;  // never closed: the run broke off there
  }
  const std::size_t depth = indent / kIndent;
  if (depth > kNestingMax) return;
  if (trimmed(text) == "---" && indent % kIndent != 0 && current_) {
    in_yaml_ = true;
    yaml_indent_ = indent;
    return;
  }
  if (const auto comment = behind(text, "#")) return take_comment(trimmed(*comment));
  if (indent % kIndent != 0) return;
  if (text.starts_with("TAP version ")) {
    recognised_ = true;
    return;
  }
  if (const auto reason = behind(text, "Bail out!")) {
    builder_.add_problem("bail out: " + std::string(trimmed(*reason)));
    return;
  }
  if (take_plan(depth, text)) return;
  if (const auto result = result_line(text)) take_result(depth, *result);
}

bool TapParser::take_plan(std::size_t depth, std::string_view text) {
  auto rest = behind(text, "1..");
  if (!rest) return false;
  const auto count = take_number(*rest);
  if (!count || (!rest->empty() && rest->front() != ' ')) return false;
  recognised_ = true;
  current_.reset();
  level(depth).plan = count;
  level(depth).open = true;
  return true;
}

// What is deeper and has no parent's line: its cases stand for themselves.
void TapParser::close_above(std::size_t depth) {
  while (levels_.size() > depth + 1) {
    Level inner = std::move(levels_.back());
    levels_.pop_back();
    std::ranges::move(inner.cases, std::back_inserter(levels_.back().cases));
  }
}

void TapParser::take_result(std::size_t depth, const ResultLine& result) {
  level(depth);
  close_above(depth + 1);
  Level inner;
  if (levels_.size() == depth + 2) {
    inner = std::move(levels_.back());
    levels_.pop_back();
  }
  Level& here = levels_[depth];
  here.open = true;
  ++here.seen;
  current_.reset();
  TestCase test;
  test.name = result.name;
  if (const std::size_t at = test.name.find("\\#"); at != std::string::npos) test.name.erase(at, 1);
  const bool excused = has_word(result.directive, "SKIP") || has_word(result.directive, "TODO");
  test.status = result.ok ? CaseStatus::passed : CaseStatus::failed;
  if (excused && !(result.ok && has_word(result.directive, "TODO"))) {
    test.status = CaseStatus::skipped;
    test.message = trimmed(result.directive.substr(4));
  }
  const bool inner_red =
      std::ranges::any_of(inner.cases, [](const TestCase& one) { return is_red(one.status); });
  for (TestCase& one : inner.cases) {
    one.suite = one.suite.empty() ? test.name : test.name + " > " + one.suite;
    if (excused && is_red(one.status)) one.status = CaseStatus::skipped;
    here.cases.push_back(std::move(one));
  }
  if (inner.plan && *inner.plan != inner.seen && !excused) {
    builder_.add_problem("subtest '" + test.name + "' planned " + std::to_string(*inner.plan) +
                         " tests and ran " + std::to_string(inner.seen));
  }
  if (!inner.cases.empty() && (inner_red || test.status != CaseStatus::failed)) return;
  if (++kept_ > kCasesMax + kRedCasesMax) {
    builder_.add_unnamed(test.status, 1);
    builder_.mark_truncated();
    return;
  }
  here.cases.push_back(std::move(test));
  current_ = depth;
}

void TapParser::take_yaml(std::string_view line) {
  TestCase* test = current();
  if (!test) return;
  if (is_red(test->status)) append_line(test->output, line, 4 * kCaseOutputBytesMax);
  const std::size_t indent = std::min(line.find_first_not_of(' '), line.size());
  const std::string_view text = line.substr(indent);
  if (indent > yaml_indent_) {
    if (yaml_block_key_ == "error" || yaml_block_key_ == "message")
      append_line(test->message, text, kCaseMessageBytesMax);
    return;
  }
  yaml_block_key_.clear();
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return;
  const std::string_view key = text.substr(0, colon);
  std::string_view value = trimmed(text.substr(colon + 1));
  if (value.starts_with('|') || value.starts_with('>')) {
    yaml_block_key_ = key;
    return;
  }
  if (value.size() >= 2 && (value.front() == '\'' || value.front() == '"') &&
      value.back() == value.front())
    value = value.substr(1, value.size() - 2);
  take_yaml_value(key, value);
}

void TapParser::take_yaml_value(std::string_view key, std::string_view value) {
  TestCase* test = current();
  if ((key == "error" || key == "message") && test->message.empty()) test->message = value;
  if (key == "duration_ms") test->seconds = seconds_of(value) / 1000;
  // Where a case is declared; a trace in `stack` names the failing line itself.
  if (key == "file") test->file = value;
  if (key == "line") {
    if (const auto number = take_number(value)) test->line = *number;
  }
  if (key == "at" || key == "location") {
    const Location place = find_location(value);
    if (place.file.empty()) return;
    test->file = place.file;
    test->line = place.line;
  }
}

void TapParser::take_comment(std::string_view comment) {
  TestCase* test = current();
  const bool chatter = comment.starts_with("Subtest:") || comment.starts_with("Looks like you ");
  if (!test || !is_red(test->status) || chatter) return;
  // Perl's diagnostics: "Failed test 'x'", "at t/a.t line 5.", "got: …".
  append_line(test->message, comment, kCaseMessageBytesMax);
}

std::optional<TestReport> TapParser::finish() {
  // Lines that begin with "ok" are too common to be TAP without a version or a plan.
  if (!recognised_) return std::nullopt;
  if (!levels_.empty()) {
    close_above(0);
    const Level& top = levels_.front();
    if (!top.plan && top.open)
      builder_.add_problem("no plan: the run may have ended early");
    else if (top.plan && *top.plan != top.seen)
      builder_.add_problem("planned " + std::to_string(*top.plan) + " tests and ran " +
                           std::to_string(top.seen));
    for (TestCase& test : levels_.front().cases) {
      // `location` is where a case is declared; the trace is where it failed.
      const std::size_t stack = test.output.find("stack:");
      if (stack != std::string::npos) {
        const Location place = find_location(std::string_view(test.output).substr(stack));
        if (!place.file.empty()) {
          test.file = place.file;
          test.line = place.line;
        }
      }
      builder_.add(std::move(test));
    }
  }
  levels_.clear();
  return builder_.finish();
}

}  // namespace

LineParserPtr make_tap_parser() { return std::make_unique<TapParser>(); }

std::optional<TestReport> parse_lines(LineParser& parser, std::string_view text) {
  LineReader reader;
  const auto take = [&](std::string_view line) { parser.line(line); };
  reader.feed(text, take);
  reader.finish(take);
  return parser.finish();
}

}  // namespace fathom::tools
