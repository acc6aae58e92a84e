#include "agents/cli/exit_code.hpp"

#include "tests/support/catch.hpp"

#include <set>

using namespace fathom;
using namespace fathom::agents;

TEST_CASE("every kind of error ends the program with a code of its own", "[agents]") {
  std::set<int> codes;
  int kinds = 0;
  for (int i = 0; i <= static_cast<int>(ErrorCode::unsupported); ++i, ++kinds) {
    const ExitCode code = exit_code_of(static_cast<ErrorCode>(i));
    CHECK(code != ExitCode::ok);
    CHECK(code != ExitCode::bug);
    codes.insert(static_cast<int>(code));
  }
  CHECK(codes.size() == static_cast<std::size_t>(kinds));
}
