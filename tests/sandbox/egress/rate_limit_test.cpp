#include "sandbox/egress/rate_limit.hpp"

#include "tests/support/catch.hpp"

using namespace fathom;
using namespace fathom::sandbox;
using namespace std::chrono_literals;

TEST_CASE("a burst passes at once, then turns come at the even rate", "[sandbox-egress]") {
  RateLimit limit(10, 3);
  const Instant start{1h};
  for (int i = 0; i < 3; ++i) CHECK(limit.take(start) == start);
  CHECK(limit.take(start) == start + 100ms);
  CHECK(limit.take(start) == start + 200ms);
  // After a rest the burst is there again, and no more than that.
  const Instant later = start + 1h;
  for (int i = 0; i < 3; ++i) CHECK(limit.take(later) == later);
  CHECK(limit.take(later) == later + 100ms);
}
