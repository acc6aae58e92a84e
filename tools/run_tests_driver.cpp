#include "tools/run_tests_driver.hpp"

#include "tools/git/ignore_rules.hpp"
#include "tools/reports/console_report.hpp"
#include "tools/reports/digest.hpp"
#include "tools/reports/junit.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace fathom::tools {
namespace {

constexpr std::string_view kReportName = "/report";

// Both streams in the order in which they were written: libtest names its binary on one and its
// cases on the other. The words are parameters of the shell, never text of it.
sandbox::Command merged(const TestPlan& plan, const std::vector<std::string>& argv) {
  sandbox::Command command;
  command.time = plan.time;
  command.argv = {"/bin/sh", "-c", "exec \"$@\" 2>&1", "sh"};
  command.argv.insert(command.argv.end(), argv.begin(), argv.end());
  return command;
}

RunEnd end_of(const sandbox::Outcome& outcome) {
  RunEnd end;
  end.exit_code = outcome.exit_code;
  end.summary = sandbox::summary(outcome);
  switch (outcome.ending) {
    case sandbox::Ending::exited:
      end.how = RunEnd::How::exited;
      break;
    case sandbox::Ending::signalled:
      end.how = RunEnd::How::crashed;
      break;
    case sandbox::Ending::not_started:
      end.how = RunEnd::How::not_started;
      break;
    default:
      end.how = RunEnd::How::stopped;
      break;
  }
  return end;
}

double seconds_of_run(const sandbox::Outcome& outcome) {
  return std::chrono::duration<double>(outcome.usage.wall).count();
}

std::vector<std::string> with_report(std::vector<std::string> argv, const std::string& path) {
  for (std::string& word : argv)
    if (const std::size_t at = word.find(kReportMark); at != std::string::npos)
      word.replace(at, kReportMark.size(), path);
  return argv;
}

// The folders before the first wildcard: what need be looked through.
std::string fixed_part(std::string_view glob) {
  const std::string_view fixed = glob.substr(0, glob.find_first_of("*?["));
  if (fixed.size() == glob.size()) return std::string(glob);
  const std::size_t slash = fixed.rfind('/');
  return slash == std::string_view::npos ? "." : std::string(fixed.substr(0, slash));
}

// A person writes "./out/a.xml" as well.
std::string_view without_dot(std::string_view path) {
  while (path.starts_with("./")) path.remove_prefix(2);
  return path;
}

}  // namespace

// What a command of ours prints; its failure is an error with what it said.
asio::awaitable<Result<std::string>> TestDriver::capture(std::vector<std::string> argv,
                                                         std::size_t bytes_max) {
  std::string text;
  bool more = false;
  sandbox::Command command;
  const std::string name = argv.front();
  command.argv = std::move(argv);
  command.on_output = [&](sandbox::OutputStream stream, std::string_view bytes) {
    if (stream != sandbox::OutputStream::out) return;
    more |= bytes.size() > bytes_max - text.size();
    text += bytes.substr(0, bytes_max - text.size());
  };
  auto running = commands_.run(std::move(command));
  CO_TRY(const sandbox::Outcome outcome, co_await std::move(running));
  if (more) co_return fail(ErrorCode::too_large, name + ": it printed more than may be kept");
  if (outcome.ending != sandbox::Ending::exited || outcome.exit_code != 0)
    co_return fail(ErrorCode::io, name + ": " + sandbox::summary(outcome));
  co_return text;
}

asio::awaitable<Result<std::string>> TestDriver::make_folder() {
  // $TMPDIR is not the same on every rung of the sandbox: mktemp knows it.
  constexpr std::size_t kPathBytesMax = 4'096;
  auto making = capture({"mktemp", "-d", "-t", "fathom-tests-XXXXXX"}, kPathBytesMax);
  CO_TRY(std::string folder, co_await std::move(making));
  if (folder.ends_with('\n')) folder.pop_back();
  if (!folder.starts_with('/') || folder.find('\n') != std::string::npos)
    co_return fail(ErrorCode::io, "mktemp: it printed no path");
  co_return folder;
}

// Each matching file with its inode, size and time of change, which a command cannot set.
asio::awaitable<Result<TestDriver::Stamps>> TestDriver::list_reports(const TestPlan& plan) {
  Stamps stamps;
  std::set<std::string> roots;
  for (const std::string& glob : plan.reports) roots.insert(fixed_part(glob));
  for (const std::string& root : roots) {
    // A folder that is not there yet is no error: the tests make it.
    auto listing = capture({"find", "./" + root, "-type", "f", "-printf", "%i %s %C@ %p\\0"},
                           kListingBytesMax);
    const Result<std::string> listed = co_await std::move(listing);
    if (!listed && listed.error().code == ErrorCode::io) continue;
    if (!listed) co_return fail(listed.error());
    std::string_view rest = *listed;
    while (!rest.empty()) {
      const std::size_t end = std::min(rest.find('\0'), rest.size());
      const std::string_view entry = rest.substr(0, end);
      rest.remove_prefix(std::min(end + 1, rest.size()));
      const std::size_t path = entry.find(" ./");
      if (path == std::string_view::npos) continue;
      std::string name(entry.substr(path + 3));
      const std::string inner(without_dot(name));
      if (std::ranges::any_of(plan.reports, [&](const std::string& glob) {
            return matches_glob(without_dot(glob), inner);
          }))
        stamps.emplace(inner, entry.substr(0, path));
    }
  }
  co_return stamps;
}

// Nothing when all of it went well; a broken build is the run's result.
asio::awaitable<Result<std::optional<TestRun>>> TestDriver::build(const TestPlan& plan,
                                                                  OnOutput on_output) {
  for (const std::vector<std::string>& argv : plan.before) {
    sandbox::Command command = merged(plan, argv);
    if (on_output)
      command.on_output = [&](sandbox::OutputStream, std::string_view bytes) { on_output(bytes); };
    auto running = commands_.run(std::move(command));
    CO_TRY(sandbox::Outcome outcome, co_await std::move(running));
    if (outcome.ending == sandbox::Ending::exited && outcome.exit_code == 0) continue;
    TestRun run;
    run.end = end_of(outcome);
    run.argv = argv;
    run.seconds = seconds_of_run(outcome);
    run.notice = sandbox::notice_for_model(outcome);
    run.denials = std::move(outcome.denials);
    run.output = std::move(outcome.out);
    run.judgement = judge(run.end, std::nullopt);
    if (run.judgement.verdict == TestVerdict::failed) {
      run.report = TestReport{};
      run.report->format = "build";
      const std::string error = first_error(run.output.text());
      run.report->problems.push_back("the build failed: " +
                                     (error.empty() ? run.end.summary : error));
      make_relative(*run.report);
      run.judgement = {TestVerdict::failed, run.report->problems.front(), true};
    }
    co_return std::optional(std::move(run));
  }
  co_return std::optional<TestRun>();
}

asio::awaitable<Result<>> TestDriver::read_reports(const TestPlan& plan, const Stamps& before,
                                                   const std::string& folder, TestRun& run) {
  if (plan.files == ReportFormat::exit) co_return Result<>();
  std::vector<std::string> paths;
  if (!folder.empty()) paths.push_back(folder + std::string(kReportName));
  if (!plan.reports.empty()) {
    auto listing = list_reports(plan);
    CO_TRY(const Stamps after, co_await std::move(listing));
    for (const auto& [path, stamp] : after) {
      const auto old = before.find(path);
      if (old == before.end() || old->second != stamp) paths.push_back("./" + path);
    }
    if (paths.empty() && !before.empty())
      run.notes.emplace_back("the report files are older than this run and were not read");
  }
  std::vector<TestReport> reports;
  std::size_t bytes_left = kReportsBytesMax;
  for (const std::string& path : paths) {
    if (reports.size() >= kReportFilesMax) {
      run.notes.push_back("more than " + std::to_string(kReportFilesMax) + " report files");
      break;
    }
    auto reading = capture({"cat", path}, std::min(kJunitBytesMax, bytes_left));
    Result<std::string> bytes = co_await std::move(reading);
    if (!bytes && bytes.error().code == ErrorCode::unsupported) co_return fail(bytes.error());
    if (!bytes || bytes->empty()) {
      run.notes.emplace_back("no report was written to " + path);
      continue;
    }
    bytes_left -= bytes->size();
    Result<TestReport> report = parse_report(plan.files, *std::move(bytes));
    if (report)
      reports.push_back(*std::move(report));
    else
      run.notes.push_back(report.error().message);
  }
  if (!reports.empty()) run.report = merge(std::move(reports));
  co_return Result<>();
}

void TestDriver::make_relative(TestReport& report) const {
  // In texts too: the folder's name costs tokens in every line of a trace.
  const std::string prefix = workspace_ + "/";
  const auto strip = [&](std::string& text) {
    for (std::size_t at = text.find(prefix); at != std::string::npos; at = text.find(prefix, at))
      text.erase(at, prefix.size());
  };
  for (TestCase& test : report.cases)
    for (std::string* text : {&test.file, &test.message, &test.output}) strip(*text);
  for (std::string& problem : report.problems) strip(problem);
}

asio::awaitable<Result<TestRun>> TestDriver::run(const TestPlan& plan,
                                                 std::vector<std::string> argv,
                                                 OnOutput on_output) {
  std::string folder;
  if (writes_report(plan)) {
    auto making = make_folder();
    CO_TRY(folder, co_await std::move(making));
  }
  auto building = build(plan, on_output);
  CO_TRY(std::optional<TestRun> broken, co_await std::move(building));
  if (broken) co_return *std::move(broken);
  Stamps before;
  if (!plan.reports.empty()) {
    auto listing = list_reports(plan);
    CO_TRY(before, co_await std::move(listing));
  }
  ConsoleReport console(plan.console);
  sandbox::Command command = merged(plan, with_report(argv, folder + std::string(kReportName)));
  command.on_output = [&](sandbox::OutputStream, std::string_view bytes) {
    console.feed(bytes);
    if (on_output) on_output(bytes);
  };
  auto running = commands_.run(std::move(command));
  CO_TRY(sandbox::Outcome outcome, co_await std::move(running));
  TestRun run;
  run.argv = std::move(argv);
  run.end = end_of(outcome);
  run.seconds = seconds_of_run(outcome);
  run.notice = sandbox::notice_for_model(outcome);
  run.denials = std::move(outcome.denials);
  run.output = std::move(outcome.out);
  auto reading = read_reports(plan, before, folder, run);
  CO_TRY_VOID(co_await std::move(reading));
  const bool good = run.end.how == RunEnd::How::exited && run.end.exit_code == 0;
  std::optional<TestReport> printed =
      console.finish(good ? ConsoleReport::Exit::good : ConsoleReport::Exit::bad);
  if (run.report && printed)
    add_details(*run.report, *printed);
  else if (!run.report)
    run.report = std::move(printed);
  if (run.report) make_relative(*run.report);
  run.judgement = judge(run.end, run.report);
  if (!folder.empty()) {
    // Whether it is gone changes nothing: the folder goes with the session.
    auto removing = capture({"rm", "-rf", "--", folder}, kListingBytesMax);
    const auto removed = co_await std::move(removing);
    if (!removed && removed.error().code == ErrorCode::unsupported) co_return fail(removed.error());
  }
  co_return run;
}

}  // namespace fathom::tools
