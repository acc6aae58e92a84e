#include "tests/support/skip.hpp"

#include <cstdio>

namespace fathom::test {
namespace {
// A test process is skipped as a whole.
// NOLINTNEXTLINE(cppcoreguidelines-avoid-non-const-global-variables)
bool g_skipped = false;
}  // namespace

void skip(std::string_view why) {
  g_skipped = true;
  std::printf("SKIPPED: %.*s\n", static_cast<int>(why.size()), why.data());
}

bool was_skipped() { return g_skipped; }

}  // namespace fathom::test
