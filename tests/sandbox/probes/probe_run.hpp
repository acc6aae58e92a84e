// ProbeRun: holds rows of the table against one rung, each unconfined first, and counts what ran.
#pragma once

#include "tests/sandbox/probes/probe_box.hpp"
#include "tests/sandbox/probes/probe_cases.hpp"

#include <map>
#include <span>
#include <string>

namespace fathom::test {

struct SectionCount {
  int executed = 0;
  int pending = 0;
  int gaps = 0;
};

class ProbeRun {
 public:
  explicit ProbeRun(std::string name) : name_(std::move(name)) {}

  /// All rows in one session of `box`. `section` 0 is all of them.
  void hold(ProbeBox& box, std::span<const ProbeCase> cases, char section = 0);

  /// For what is tested by other means than a row.
  void count(char section) { ++counts_[section].executed; }

  /// Prints one line a section, and fails for each of `sections` that executed nothing.
  void report(std::string_view sections) const;

 private:
  void hold_one(ProbeBox& box, const ProbeCase& row);

  std::string name_;
  std::map<char, SectionCount> counts_;
};

}  // namespace fathom::test
