// `go test -json`: one event a line, packages interleaved. Lines that are no event come from the
// go command itself: what did not compile. A test with subtests is a suite, and no case, unless it
// failed on its own account.
#include "tools/reports/line_parser.hpp"

#include <nlohmann/json.hpp>

#include <map>
#include <set>
#include <utility>

namespace fathom::tools {
namespace {

constexpr std::size_t kOpenTestsMax = 50'000;  // started and not ended
constexpr std::size_t kPackagesMax = 10'000;
constexpr std::size_t kMessageLines = 6;
constexpr std::size_t kGoLogBytesMax = 8'192;  // of a package's or the go command's own lines

struct GoEvent {
  std::string action;
  std::string package;
  std::string test;
  std::string output;
  double seconds = 0;
};

std::string text_at(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::optional<GoEvent> parse_event(std::string_view line) {
  // A flat object: nothing that go writes is nested, and what is costs no recursion then.
  const auto shallow = [](int depth, nlohmann::json::parse_event_t, nlohmann::json&) {
    return depth <= 2;
  };
  if (!line.starts_with('{')) return std::nullopt;
  const auto json = nlohmann::json::parse(line, shallow, false);
  if (!json.is_object()) return std::nullopt;
  GoEvent event{text_at(json, "Action"), text_at(json, "Package"), text_at(json, "Test"),
                text_at(json, "Output"), 0};
  if (event.action.empty()) return std::nullopt;
  if (event.package.empty()) event.package = text_at(json, "ImportPath");
  const auto elapsed = json.find("Elapsed");
  if (elapsed != json.end() && elapsed->is_number()) event.seconds = elapsed->get<double>();
  if (!(event.seconds >= 0) || event.seconds > 1e9) event.seconds = 0;
  return event;
}

// What a test printed, without go's own lines about it.
bool is_frame(std::string_view line) {
  const std::string_view text = trimmed(line);
  return text.empty() || text.starts_with("=== ") || text.starts_with("--- ");
}

class GoParser final : public LineParser {
 public:
  void line(std::string_view line) override;
  std::optional<TestReport> finish() override;

 private:
  struct Open {
    std::string output;
    bool has_children = false;
    bool has_red_child = false;
  };
  struct Package {
    std::map<std::string, Open> open;
    std::string log;
    std::size_t red = 0;
  };
  void take(const GoEvent& event);
  void end_test(Package& package, const GoEvent& event);
  void end_package(Package& package, const GoEvent& event);
  void take_plain(std::string_view line);

  ReportBuilder builder_{"go"};
  std::map<std::string, Package> packages_;
  std::size_t open_ = 0;
  std::string build_log_;
  std::set<std::string> unbuilt_;
  bool recognised_ = false;
};

void GoParser::line(std::string_view line) {
  if (const auto event = parse_event(line)) return take(*event);
  take_plain(line);
}

// "# package", "file.go:3:28: undefined: x", "FAIL package [build failed]".
void GoParser::take_plain(std::string_view line) {
  append_line(build_log_, line, kGoLogBytesMax);
  const auto failed = behind(line, "FAIL\t");
  if (!failed) return;
  const std::size_t bracket = failed->find(" [");
  if (bracket == std::string_view::npos || unbuilt_.size() >= kProblemsMax) return;
  unbuilt_.insert(std::string(*failed));
}

void GoParser::take(const GoEvent& event) {
  recognised_ = true;
  if (event.action == "build-output") {
    append_line(build_log_, trimmed(event.output), kGoLogBytesMax);
    return;
  }
  if (event.action == "build-fail") return;  // the package's own "fail" comes too
  if (!packages_.contains(event.package) && packages_.size() >= kPackagesMax) {
    builder_.mark_truncated();
    return;
  }
  Package& package = packages_[event.package];
  if (event.test.empty()) {
    if (event.action == "output") append_line(package.log, trimmed(event.output), kGoLogBytesMax);
    if (event.action == "fail") end_package(package, event);
    return;
  }
  if (event.action == "run") {
    if (open_ >= kOpenTestsMax) {
      builder_.mark_truncated();
      return;
    }
    open_ += package.open.emplace(event.test, Open{}).second ? 1 : 0;
  } else if (event.action == "output") {
    const auto found = package.open.find(event.test);
    if (found != package.open.end() && !is_frame(event.output)) {
      std::string_view text = event.output;
      if (text.ends_with('\n')) text.remove_suffix(1);
      append_line(found->second.output, text, kCaseOutputBytesMax);
    }
  } else if (event.action == "pass" || event.action == "fail" || event.action == "skip") {
    end_test(package, event);
  }
}

void GoParser::end_test(Package& package, const GoEvent& event) {
  Open state;
  if (auto found = package.open.extract(event.test)) {
    state = std::move(found.mapped());
    --open_;
  }
  TestCase test;
  test.suite = event.package;
  test.name = event.test;
  test.seconds = event.seconds;
  test.status = event.action == "pass"   ? CaseStatus::passed
                : event.action == "fail" ? CaseStatus::failed
                                         : CaseStatus::skipped;
  const bool red = is_red(test.status);
  package.red += red ? 1 : 0;
  const std::size_t slash = event.test.rfind('/');
  if (slash != std::string::npos) {
    const auto parent = package.open.find(event.test.substr(0, slash));
    if (parent != package.open.end()) {
      parent->second.has_children = true;
      parent->second.has_red_child |= red;
    }
  }
  if (state.has_children && (!red || state.has_red_child)) return;
  // The stack behind a panic is output, not message.
  const std::string_view said =
      std::string_view(state.output).substr(0, state.output.find("\ngoroutine "));
  for (const std::string_view line : lines_of(first_lines(said, red ? kMessageLines : 1)))
    append_line(test.message, trimmed(line), kCaseMessageBytesMax);
  if (state.output.find("panic: ") != std::string::npos) test.status = CaseStatus::error;
  if (red) test.output = std::move(state.output);
  builder_.add(std::move(test));
}

void GoParser::end_package(Package& package, const GoEvent& event) {
  // A panic, os.Exit or the deadline of the whole binary ends tests without a word about them.
  for (auto& [name, state] : package.open) {
    if (state.has_children) continue;
    TestCase test;
    test.suite = event.package;
    test.name = name;
    test.status = CaseStatus::error;
    test.message = "did not finish: the test binary ended before it";
    test.output = state.output + "\n" + package.log;
    const Location place = find_location(test.output);
    test.file = place.file;
    test.line = place.line;
    builder_.add(std::move(test));
    ++package.red;
  }
  open_ -= package.open.size();
  package.open.clear();
  if (package.red > 0) return;
  const bool unbuilt = package.log.find("[build failed]") != std::string::npos ||
                       package.log.find("[setup failed]") != std::string::npos;
  const std::string& why =
      (unbuilt && !build_log_.empty()) || package.log.empty() ? build_log_ : package.log;
  builder_.add_problem("package " + event.package + " failed: " + why);
}

std::optional<TestReport> GoParser::finish() {
  if (!recognised_ && unbuilt_.empty()) return std::nullopt;
  for (const std::string& package : unbuilt_)
    builder_.add_problem("package " + package + ": " + build_log_);
  for (auto& [name, package] : packages_) {
    if (package.open.empty()) continue;
    // The go command itself was ended.
    GoEvent event;
    event.package = name;
    end_package(package, event);
  }
  packages_.clear();
  return builder_.finish();
}

}  // namespace

LineParserPtr make_go_parser() { return std::make_unique<GoParser>(); }

}  // namespace fathom::tools
