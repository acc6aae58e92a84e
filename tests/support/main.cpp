// The main of every test executable: Catch's, with 77 (ctest's "skipped") when a test could not run
// here.
#include "tests/support/skip.hpp"

#if __has_include(<catch2/catch_session.hpp>)
#include <catch2/catch_session.hpp>
#else
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>
#endif

int main(int argc, char** argv) {
  const int failed = Catch::Session().run(argc, argv);
  if (failed == 0 && fathom::test::was_skipped()) return fathom::test::kSkipReturnCode;
  return failed;
}
