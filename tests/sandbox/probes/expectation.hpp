// What a column of the table says, read: see probe_cases.hpp for the forms.
#pragma once

#include "policies/policy.hpp"

#include <optional>
#include <string_view>
#include <vector>

namespace fathom::test {

struct Expectation {
  std::vector<std::string_view> answers;  ///< empty: any
  std::optional<policies::Guarantee> weaker;
  std::string_view gap;      ///< why it does not hold
  std::string_view pending;  ///< why it is not run

  [[nodiscard]] bool holds(std::string_view answer) const;
};

/// `root`: who runs the test. Ends the test on a form that it does not know.
Expectation read_expectation(std::string_view text, bool root);

}  // namespace fathom::test
