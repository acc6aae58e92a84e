// Runs code that is meant to die in a child process, and tells how it died.
#pragma once

#include <functional>
#include <string>

namespace fathom::test {

struct Death {
  int status = 0;      ///< as of waitpid
  std::string output;  ///< what it wrote to standard error
};

/// The test process must have one thread, which makes fork safe; nothing of the product forks like
/// this. `body` gets the descriptor of the captured standard error.
Death run_in_child(const std::function<void(int)>& body);

}  // namespace fathom::test
