// A test that cannot run on this machine says in one line what was not tested, and is counted as
// skipped.
#pragma once

#include <string_view>

namespace fathom::test {

constexpr int kSkipReturnCode = 77;

/// Call it and return from the test case. `why` names what is missing and what was not tested.
void skip(std::string_view why);
[[nodiscard]] bool was_skipped();

}  // namespace fathom::test
