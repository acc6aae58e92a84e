#include "tests/sandbox/guard/machine.hpp"

#include "tests/support/run_program.hpp"
#include "tests/support/skip.hpp"

#include <unistd.h>

namespace fathom::test {

bool has_git() {
  const bool found = run_program({"sh", "-c", "command -v git"}).exit_code == 0;
  if (!found) skip("git is not installed: what it reads and writes was not tested");
  return found;
}

std::filesystem::path fast_folder() {
  const bool memory = ::access("/dev/shm", W_OK) == 0;
  return memory ? std::filesystem::path("/dev/shm") : std::filesystem::temp_directory_path();
}

}  // namespace fathom::test
