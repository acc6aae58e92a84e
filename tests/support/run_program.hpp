// Runs a program to its end and keeps what it said; for tests of the real binary.
#pragma once

#include <string>
#include <vector>

namespace fathom::test {

struct ProgramResult {
  int exit_code = -1;  ///< 128 + signal when it was killed
  std::string out;
  std::string err;
};

struct ProgramOptions {
  std::vector<std::string> environment = {"PATH=/usr/bin:/bin", "HOME=/nonexistent"};
  std::string stdout_path;  ///< where standard output goes instead of `out`
};

ProgramResult run_program(const std::vector<std::string>& argv, const ProgramOptions& options = {});

/// The fathom binary of this build.
ProgramResult fathom(std::vector<std::string> args, const ProgramOptions& options = {});

}  // namespace fathom::test
