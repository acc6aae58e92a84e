// `cargo test`: libtest's text, or its JSON where somebody asked for that. One binary after the
// other; "Running …" and "Doc-tests …" say which.
#include "tools/reports/line_parser.hpp"

#include <nlohmann/json.hpp>

#include <map>
#include <utility>

namespace fathom::tools {
namespace {

constexpr std::size_t kCompilerLinesMax = 12;  // kept of a compiler's error
constexpr std::size_t kBinaryCasesMax = kCasesMax + kRedCasesMax;

class CargoParser final : public LineParser {
 public:
  void line(std::string_view line) override;
  std::optional<TestReport> finish() override;

 private:
  bool take_section(std::string_view line);
  bool take_json(std::string_view line);
  void take_case(std::string_view rest);
  void take_compiler(std::string_view line);
  void add(TestCase test);
  void end_binary(bool complete);

  ReportBuilder builder_{"cargo"};
  std::string suite_;
  std::vector<TestCase> cases_;                 ///< of the binary that runs
  std::map<std::string, std::size_t> by_name_;  ///< red ones, which get their output later
  std::optional<std::size_t> block_;            ///< whose "---- name stdout ----" this is
  std::uint32_t announced_ = 0;
  bool in_binary_ = false;
  bool recognised_ = false;
  bool could_not_compile_ = false;
  std::string compiler_;
  std::size_t compiler_left_ = 0;
};

// "src/lib.rs (target/debug/deps/demo-8348ca7a80742723)": the hash changes with every compiler.
std::string suite_of(std::string_view text) {
  text = text.substr(0, text.find(" ("));
  if (const auto rest = behind(text, "unittests ")) text = *rest;
  return std::string(trimmed(text));
}

void CargoParser::line(std::string_view line) {
  if (take_section(line)) return;
  if (line.starts_with('{') && take_json(line)) return;
  if (block_) {
    if (line == "failures:") {
      block_.reset();
      return;
    }
    append_line(cases_[*block_].output, line, 4 * kCaseOutputBytesMax);
    return;
  }
  if (const auto rest = behind(line, "test "); rest && in_binary_) return take_case(*rest);
  take_compiler(line);
}

bool CargoParser::take_section(std::string_view line) {
  const std::string_view text = trimmed(line);
  if (const auto rest = behind(text, "Running "); rest && line.starts_with(' ')) {
    end_binary(false);
    suite_ = suite_of(*rest);
    return true;
  }
  if (const auto rest = behind(text, "Doc-tests "); rest && line.starts_with(' ')) {
    end_binary(false);
    suite_ = "doc-tests " + std::string(*rest);
    return true;
  }
  if (auto rest = behind(line, "running ")) {
    const auto count = take_number(*rest);
    if (!count || !rest->starts_with(" test")) return false;
    end_binary(false);
    recognised_ = in_binary_ = true;
    announced_ = *count;
    return true;
  }
  if (line.starts_with("test result: ")) {
    end_binary(true);
    return true;
  }
  if (const auto rest = behind(line, "---- ")) {
    const std::size_t end = rest->rfind(" stdout ----");
    if (end == std::string_view::npos) return false;
    const auto found = by_name_.find(std::string(rest->substr(0, end)));
    if (found == by_name_.end()) return false;
    block_ = found->second;
    return true;
  }
  return false;
}

// "tests::bad ... FAILED", "tests::slow ... ignored, slow", "x - should panic ... ok".
void CargoParser::take_case(std::string_view rest) {
  const std::size_t dots = rest.rfind(" ... ");
  if (dots == std::string_view::npos) return;
  TestCase test;
  const std::string_view verdict = rest.substr(dots + 5);
  std::string_view name = rest.substr(0, dots);
  constexpr std::string_view kPanics = " - should panic";
  if (name.ends_with(kPanics)) name.remove_suffix(kPanics.size());
  test.suite = suite_;
  test.name = name;
  if (verdict.starts_with("ok")) {
    test.status = CaseStatus::passed;
  } else if (verdict.starts_with("ignored")) {
    test.status = CaseStatus::skipped;
    if (const auto why = behind(verdict, "ignored, ")) test.message = *why;
  } else if (verdict.starts_with("FAILED")) {
    test.status = CaseStatus::failed;
  } else {
    return;
  }
  add(std::move(test));
}

void CargoParser::add(TestCase test) {
  if (cases_.size() >= kBinaryCasesMax) {
    builder_.add_unnamed(test.status, 1);
    builder_.mark_truncated();
    return;
  }
  if (is_red(test.status)) by_name_[test.name] = cases_.size();
  cases_.push_back(std::move(test));
}

bool CargoParser::take_json(std::string_view line) {
  const auto shallow = [](int depth, nlohmann::json::parse_event_t, nlohmann::json&) {
    return depth <= 2;
  };
  const auto json = nlohmann::json::parse(line, shallow, false);
  if (!json.is_object()) return false;
  const auto text = [&](const char* key) {
    const auto found = json.find(key);
    return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  const std::string type = text("type");
  const std::string event = text("event");
  if (type == "suite") {
    recognised_ = true;
    if (event == "started") {
      end_binary(false);
      in_binary_ = true;
      const auto count = json.find("test_count");
      if (count != json.end() && count->is_number_unsigned())
        announced_ = static_cast<std::uint32_t>(
            std::min<std::uint64_t>(count->get<std::uint64_t>(), UINT32_MAX));
    } else {
      end_binary(true);
    }
    return true;
  }
  if (type != "test") return false;
  recognised_ = true;
  TestCase test;
  test.suite = suite_;
  test.name = text("name");
  const auto seconds = json.find("exec_time");
  if (seconds != json.end() && seconds->is_number()) test.seconds = seconds->get<double>();
  if (!(test.seconds >= 0) || test.seconds > 1e9) test.seconds = 0;
  if (event == "started" || event == "timeout") return true;  // "timeout" only says that it is slow
  test.status = event == "ok"        ? CaseStatus::passed
                : event == "ignored" ? CaseStatus::skipped
                                     : CaseStatus::failed;
  test.message = text("message");
  test.output = text("stdout");
  add(std::move(test));
  return true;
}

// The first error with its place, as rustc prints it.
void CargoParser::take_compiler(std::string_view line) {
  if (line.starts_with("error: could not compile")) {
    could_not_compile_ = true;
    compiler_left_ = 0;
  } else if (line.starts_with("error[") || (line.starts_with("error: ") && compiler_.empty())) {
    if (compiler_.empty()) compiler_left_ = kCompilerLinesMax;
  }
  if (compiler_left_ == 0) return;
  --compiler_left_;
  append_line(compiler_, line, kProblemBytesMax);
}

void CargoParser::end_binary(bool complete) {
  if (in_binary_ && (!complete || cases_.size() < announced_) && cases_.size() < announced_)
    builder_.add_problem(suite_ + ": " + std::to_string(announced_) + " tests announced and " +
                         std::to_string(cases_.size()) + " reported: the test binary ended early");
  for (TestCase& test : cases_) {
    if (is_red(test.status)) {
      // "thread 'x' panicked at src/lib.rs:8:45:", then what was not equal.
      const std::size_t panicked = test.output.find("panicked at ");
      const std::string_view said = panicked == std::string::npos
                                        ? std::string_view(test.output)
                                        : std::string_view(test.output).substr(panicked + 12);
      const Location place = find_location(said);
      test.file = place.file;
      test.line = place.line;
      // Where libtest's advice or the stack begins.
      const std::size_t end =
          std::min(said.find("stack backtrace:"), said.find("\nnote: run with"));
      if (test.message.empty()) test.message = first_lines(said.substr(0, end), 5);
    }
    builder_.add(std::move(test));
  }
  cases_.clear();
  by_name_.clear();
  block_.reset();
  announced_ = 0;
  in_binary_ = false;
}

std::optional<TestReport> CargoParser::finish() {
  end_binary(false);
  if (could_not_compile_) {
    recognised_ = true;
    builder_.add_problem("build failed: " + (compiler_.empty() ? "could not compile" : compiler_));
  }
  if (!recognised_) return std::nullopt;
  return builder_.finish();
}

}  // namespace

LineParserPtr make_cargo_parser() { return std::make_unique<CargoParser>(); }

}  // namespace fathom::tools
