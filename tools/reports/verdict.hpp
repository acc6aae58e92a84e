// What a run of tests amounts to, once it and its report are here; and how it differs from an
// earlier one. Pure.
#pragma once

#include "tools/reports/test_report.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::tools {

enum class TestVerdict : std::uint8_t {
  passed,    ///< cases ran and none is red; or nothing but the exit code speaks, and it says 0
  failed,    ///< a red case, a broken build, or an exit code that says so
  no_tests,  ///< nothing ran: never a success
  infra,     ///< the run says nothing about the code: not started, out of time or of memory
};
std::string_view name_of(TestVerdict verdict);

/// How the command ended, in the words of this file.
struct RunEnd {
  enum class How : std::uint8_t {
    exited,
    crashed,  ///< by a signal that was not ours
    stopped,  ///< by a limit or a deadline of ours
    not_started,
  };
  How how = How::exited;
  int exit_code = 0;
  std::string summary;  ///< "exit code 1", "stopped: deadline of 2000 ms"
};

struct Judgement {
  TestVerdict verdict = TestVerdict::infra;
  std::string reason;   ///< one line; empty for a plain pass or plain red cases
  bool proven = false;  ///< a report shows which cases ran
};

/// The worst of what the exit code and the report say counts.
Judgement judge(const RunEnd& end, const std::optional<TestReport>& report);

/// The cases of an earlier run by id.
using Baseline = std::map<std::string, CaseStatus, std::less<>>;
Baseline baseline_of(const TestReport& report);

enum class Scope : std::uint8_t {
  whole,
  part,  ///< a filter chose: what is not there has not vanished
};

struct Delta {
  std::vector<std::string> newly_failing;  ///< red now, and not before; new tests too
  std::vector<std::string> fixed;          ///< red before, passed now
  std::vector<std::string> still_failing;
  std::vector<std::string> silenced;  ///< red before, skipped or gone now: that is no fix
  std::size_t appeared = 0;
  std::size_t vanished = 0;

  friend bool operator==(const Delta&, const Delta&) = default;
};
Delta compare(const Baseline& before, const TestReport& now, Scope scope);

enum class FailureKind : std::uint8_t {
  broken,  ///< red every time
  flaky,   ///< passed at least once without a change
  infra,   ///< did not run again, so nobody knows
};
std::string_view name_of(FailureKind kind);

struct ClassifiedCase {
  std::string id;
  FailureKind kind = FailureKind::infra;
  std::size_t runs = 0;  ///< reruns in which it ran
  std::size_t passes = 0;

  friend bool operator==(const ClassifiedCase&, const ClassifiedCase&) = default;
};

/// The red cases of `first` by what they did in the reruns.
std::vector<ClassifiedCase> classify(const TestReport& first, std::span<const TestReport> reruns);

}  // namespace fathom::tools
