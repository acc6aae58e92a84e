// FilterCache: seccomp programs by their options. Building one takes 2 ms, as long as a whole
// command.
#pragma once

#include "runtime/base/result.hpp"
#include "sandbox/filter_options.hpp"

#include <string>
#include <utility>
#include <vector>

namespace fathom::sandbox {

/// Not shared between threads.
class FilterCache {
 public:
  /// The program's bytes, as SessionPlan::filters takes them.
  Result<std::string> bytes(const FilterOptions& options);

 private:
  std::vector<std::pair<FilterOptions, std::string>> kept_;
};

}  // namespace fathom::sandbox
