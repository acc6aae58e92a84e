#include "tests/support/skip.hpp"

#include <cstdio>

namespace fathom::test {
namespace {
bool g_skipped = false;
}

void skip(std::string_view why) {
  g_skipped = true;
  std::printf("SKIPPED: %.*s\n", static_cast<int>(why.size()), why.data());
}

bool was_skipped() { return g_skipped; }

}  // namespace fathom::test
