#include "tools/run_tests.hpp"

#include "runtime/base/text.hpp"
#include "tools/reports/digest.hpp"
#include "tools/reports/report_text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>
#include <utility>

namespace fathom::tools {
namespace {

using nlohmann::json;

// The wording is part of every session's prefix: it stays.
constexpr const char* kDescription =
    "Run the repository's tests (the command is found by itself) and report counts, failing cases, "
    "the first error, and what changed since the first run.";
constexpr const char* kParameters =
    R"({"type":"object","properties":{)"
    R"("filter":{"type":"string",)"
    R"("description":"only tests that match, in the runner's own syntax"},)"
    R"("rerun":{"type":"integer","minimum":0,"maximum":10,)"
    R"("description":"run failing tests again so often, to tell flaky from broken"},)"
    R"("baseline":{"type":"string","enum":["keep","reset"],)"
    R"("description":"reset: later runs are compared with this one"}},)"
    R"("additionalProperties":false})";

bool lacks_pytest(const TestPlan& plan, const TestRun& run) {
  return plan.runner == TestRunner::pytest && run.end.exit_code == 1 &&
         run.output.text().find("No module named pytest") != std::string::npos;
}

// The words that a person would type: where our report goes is nobody's concern.
std::vector<std::string> without_report(const std::vector<std::string>& argv) {
  std::vector<std::string> words;
  for (const std::string& word : argv) {
    if (word.find(kReportMark) == std::string::npos) {
      words.push_back(word);
    } else if (word == kReportMark && !words.empty()) {
      words.pop_back();  // the option that it is the value of
    }
  }
  return words;
}

// The end of an output that nobody understood. The whole of it is 8,000 tokens, which a digest does
// not leave to the model's choice.
sandbox::CapturedOutput tail_of(const sandbox::CapturedOutput& output, const std::string& command) {
  constexpr std::size_t kTailLines = 25;
  constexpr std::size_t kTailBytes = 4'096;
  const std::string text = output.text();
  std::string_view tail = clip_suffix(text, kTailBytes);
  std::size_t at = tail.size();
  for (std::size_t lines = 0; lines <= kTailLines && at != std::string_view::npos && at > 0;
       ++lines)
    at = tail.rfind('\n', at - 1);
  if (at != std::string_view::npos && at > 0) tail.remove_prefix(at + 1);
  if (tail.size() == text.size()) return output;
  const auto shown = static_cast<std::uint64_t>(std::ranges::count(tail, '\n'));
  return ToolOutput::of("[the last " + std::to_string(shown) + " of " +
                        std::to_string(output.lines) + " lines; for more: bash, " + command +
                        "]\n" + std::string(tail))
      .text;
}

std::vector<TestCase> red_cases(const TestReport& report) {
  std::vector<TestCase> red;
  for (const TestCase& test : report.cases)
    if (is_red(test.status)) red.push_back(test);
  return red;
}

json bounded(const std::vector<std::string>& ids) {
  json list = json::array();
  for (const std::string& id : std::span(ids).first(std::min(ids.size(), kDataCasesMax)))
    list.push_back(id);
  return list;
}

json json_of(const Delta& delta, const std::string& against) {
  return {{"against", against.empty() ? "baseline" : against},
          {"newly_failing", bounded(delta.newly_failing)},
          {"fixed", bounded(delta.fixed)},
          {"still_failing", bounded(delta.still_failing)},
          {"silenced", bounded(delta.silenced)},
          {"appeared", delta.appeared},
          {"vanished", delta.vanished}};
}

void add_report(json& data, const TestReport& report,
                const std::vector<ClassifiedCase>& classified) {
  const CaseCounts counts = report.counts();
  data["format"] = report.format;
  data["truncated"] = report.truncated;
  data["problems"] = report.problems;
  data["counts"] = {{"passed", counts.passed},
                    {"failed", counts.failed},
                    {"errors", counts.errors},
                    {"skipped", counts.skipped}};
  std::map<std::string_view, const ClassifiedCase*> kinds;
  for (const ClassifiedCase& one : classified) kinds.emplace(one.id, &one);
  json failing = json::array();
  for (const TestCase& test : report.cases) {
    if (!is_red(test.status) || failing.size() >= kDataCasesMax) continue;
    std::string id = id_of(test);
    json entry = {{"id", id},
                  {"file", test.file},
                  {"line", test.line},
                  {"status", name_of(test.status)},
                  {"message", test.message}};
    if (const auto kind = kinds.find(id); kind != kinds.end()) {
      entry["kind"] = name_of(kind->second->kind);
      entry["runs"] = kind->second->runs;
      entry["passes"] = kind->second->passes;
    }
    failing.push_back(std::move(entry));
  }
  data["failing_more"] = counts.red() - failing.size();
  data["failing"] = std::move(failing);
}

}  // namespace

struct RunTests::Asked {
  std::string filter;
  std::int64_t rerun = 0;
  bool reset = false;
};

struct RunTests::Answer {
  TestRun run;
  std::optional<Delta> delta;
  std::string against;  ///< the id of the run that the delta starts from; empty: the baseline
  std::vector<ClassifiedCase> classified;
  std::size_t reruns = 0;
  std::string notes;

  /// What did not run properly says nothing about the cases.
  [[nodiscard]] bool is_usable() const {
    return run.report && !run.report->cases.empty() && run.judgement.verdict != TestVerdict::infra;
  }
};

const ToolSpec& RunTests::description() {
  static const ToolSpec spec{"run_tests", kDescription, kParameters};
  return spec;
}

RunTests::RunTests(Commands& commands, std::string workspace, Result<TestSettings> settings,
                   std::unique_ptr<BaselineKeeper> keeper)
    : workspace_(std::move(workspace)),
      settings_(std::move(settings)),
      driver_(commands, workspace_),
      keeper_(std::move(keeper)) {}

Result<RunTests::Asked> RunTests::read(const Arguments& arguments) const {
  if (!settings_) return fail(settings_.error());
  Asked asked;
  asked.filter = arguments.text("filter").value_or("");
  asked.rerun = arguments.integer("rerun").value_or(settings_->reruns);
  asked.reset = arguments.text("baseline").value_or("keep") == "reset";
  if (asked.rerun < 0 || asked.rerun > kRerunsMax)
    return fail(ErrorCode::usage, "rerun: a number from 0 to " + std::to_string(kRerunsMax));
  if (asked.reset && !asked.filter.empty())
    return fail(ErrorCode::usage, "baseline: reset it with a whole run, without a filter");
  return asked;
}

Result<TestPlan> RunTests::plan() const {
  const TestSettings settings = TRY(Result<TestSettings>(settings_));
  const WorkspaceFacts facts =
      TRY(settings.command.empty() ? look_at_tests(workspace_)
                                   : Result<WorkspaceFacts>(WorkspaceFacts{}));
  return plan_tests(facts, settings);
}

Result<Intent> RunTests::intent(const Arguments& arguments) const {
  const Asked asked = TRY(read(arguments));
  const TestPlan planned = TRY(plan());
  Intent intent;
  for (const std::vector<std::string>& argv : planned.before)
    intent.requests.emplace_back(policies::request::Exec{argv, workspace_});
  std::vector<std::string> argv = TRY(filtered_argv(planned, asked.filter));
  intent.requests.emplace_back(policies::request::Exec{std::move(argv), workspace_});
  return intent;
}

asio::awaitable<Result<TestRun>> RunTests::first_run(TestPlan& plan, std::vector<std::string>& argv,
                                                     const Asked& asked, const Call& call) {
  auto running = driver_.run(plan, argv, call.on_output);
  CO_TRY(TestRun run, co_await std::move(running));
  if (!lacks_pytest(plan, run)) co_return run;
  CO_TRY(const WorkspaceFacts facts, look_at_tests(workspace_));
  plan = without_pytest(facts);
  CO_TRY(argv, filtered_argv(plan, asked.filter));
  auto again = driver_.run(plan, argv, call.on_output);
  co_return co_await std::move(again);
}

asio::awaitable<Result<>> RunTests::rerun(const TestPlan& plan, std::int64_t times,
                                          Answer& answer) {
  if (!answer.run.report) co_return Result<>();
  const std::vector<TestCase> red = red_cases(*answer.run.report);
  TestPlan unbuilt = plan;
  unbuilt.before.clear();  // nothing changed since
  std::vector<TestReport> reports;
  for (std::int64_t i = 0; i < times && !red.empty(); ++i) {
    auto running = driver_.run(unbuilt, rerun_argv(unbuilt, red), {});
    CO_TRY(TestRun run, co_await std::move(running));
    ++answer.reruns;
    reports.push_back(run.report ? *std::move(run.report) : TestReport{});
    answer.classified = classify(*answer.run.report, reports);
    // Once every case has passed there is nothing left to find out.
    if (std::ranges::all_of(answer.classified, [](const ClassifiedCase& one) {
          return one.kind == FailureKind::flaky;
        }))
      break;
  }
  co_return Result<>();
}

void RunTests::compare_with_baseline(const Asked& asked, const std::vector<std::string>& command,
                                     Answer& answer) {
  if (!answer.is_usable()) return;
  const TestReport& report = *answer.run.report;
  const Scope scope = asked.filter.empty() ? Scope::whole : Scope::part;
  if (baseline_ && !asked.reset) {
    answer.delta = compare(*baseline_, report, scope);
  } else if (earlier_ && earlier_->command == command && !asked.reset) {
    answer.delta = compare(earlier_->cases, report, scope);
    answer.against = earlier_->run;
  }
  if (scope == Scope::whole && (!baseline_ || asked.reset)) baseline_ = baseline_of(report);
}

asio::awaitable<void> RunTests::look_for_earlier() {
  if (!keeper_ || has_looked_) co_return;
  auto looking = keeper_->last();
  earlier_ = co_await std::move(looking);
  has_looked_ = true;
}

asio::awaitable<void> RunTests::keep_for_later(const std::vector<std::string>& command,
                                               Answer& answer) {
  if (!keeper_) co_return;
  auto keeping = keeper_->keep(command, baseline_of(*answer.run.report));
  const Result<> kept = co_await std::move(keeping);
  if (!kept) answer.notes += kept.error().message + "\n";
}

asio::awaitable<Result<ToolOutput>> RunTests::run(const Call& call) {
  CO_TRY(const Asked asked, read(call.arguments));
  CO_TRY(TestPlan planned, plan());
  CO_TRY(std::vector<std::string> argv, filtered_argv(planned, asked.filter));
  Answer answer;
  auto running = first_run(planned, argv, asked, call);
  CO_TRY(answer.run, co_await std::move(running));
  if (asked.rerun > 0) {
    auto again = rerun(planned, asked.rerun, answer);
    CO_TRY_VOID(co_await std::move(again));
  }
  auto looking = look_for_earlier();
  co_await std::move(looking);
  compare_with_baseline(asked, planned.argv, answer);
  if (asked.filter.empty() && answer.is_usable()) {
    auto keeping = keep_for_later(planned.argv, answer);
    co_await std::move(keeping);
  }
  co_return output_of(planned, answer);
}

ToolOutput RunTests::output_of(const TestPlan& planned, Answer& answer) {
  TestRun& run = answer.run;
  const std::string command = command_line(without_report(run.argv));
  ToolOutput output;
  output.status =
      run.judgement.verdict == TestVerdict::passed ? ToolStatus::ok : ToolStatus::failed;
  output.digest = digest_of({run.judgement, run.report, command, planned.why, run.seconds,
                             answer.delta, answer.against, answer.classified, answer.reruns});
  json data = {{"verdict", name_of(run.judgement.verdict)},
               {"proven", run.judgement.proven},
               {"reason", run.judgement.reason},
               {"runner", name_of(planned.runner)},
               {"command", run.argv},
               {"why", planned.why},
               {"exit_code", run.end.exit_code},
               {"seconds", run.seconds},
               {"reruns", answer.reruns}};
  if (run.report) add_report(data, *run.report, answer.classified);
  if (answer.delta) data["delta"] = json_of(*answer.delta, answer.against);
  output.data = data.dump(-1, ' ', false, json::error_handler_t::replace);
  for (const std::string& note : run.notes)
    if (!run.report) output.notes += clean_line(note, kDigestLineBytesMax) + "\n";
  output.notes += answer.notes + run.notice;
  output.denials = std::move(run.denials);
  // Cases speak for themselves; where none did, the output is all there is.
  if (!run.report || run.report->cases.empty()) output.text = tail_of(run.output, command);
  return output;
}

}  // namespace fathom::tools
