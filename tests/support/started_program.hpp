// StartedProgram: a program that goes on while the test does; for tests that interrupt it or end
// it.
#pragma once

#include "runtime/base/unique_fd.hpp"
#include "tests/support/run_program.hpp"

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

namespace fathom::test {

class StartedProgram {
 public:
  /// What it says goes into files below `folder`.
  StartedProgram(std::vector<std::string> argv, const std::vector<std::string>& environment,
                 const std::filesystem::path& folder);
  /// Ends it if it has not ended.
  ~StartedProgram();
  StartedProgram(const StartedProgram&) = delete;
  StartedProgram& operator=(const StartedProgram&) = delete;

  void send(int signal) const;
  /// Waits for its end.
  ProgramResult wait();

 private:
  std::filesystem::path out_;
  std::filesystem::path err_;
  pid_t pid_ = -1;
};

/// A named pipe, by which commands of the program say that they are there, and that they are gone.
class Gate {
 public:
  explicit Gate(const std::filesystem::path& path);

  /// What somebody wrote; "" when nobody does for a minute.
  [[nodiscard]] std::string read() const;
  /// Whether nobody has it open for writing any more; false when somebody still has after a minute.
  [[nodiscard]] bool is_left() const;

 private:
  UniqueFd fd_;
};

}  // namespace fathom::test
