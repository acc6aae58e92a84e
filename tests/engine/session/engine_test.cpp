#include "engine/session/engine.hpp"

#include "tests/support/catch.hpp"

using namespace fathom;

TEST_CASE("resident tokens of a prompt cost their own price", "[engine]") {
  const engine::Price price{2.0, 0.5, 8.0};
  CHECK(price.of({1'000'000, 400'000, 250'000, 100'000}) == Approx(0.6 * 2 + 0.4 * 0.5 + 0.25 * 8));
  CHECK(price.of({}) == 0);
}

TEST_CASE("only what may pass by itself is asked again", "[engine]") {
  using engine::FaultClass;
  for (const FaultClass kind :
       {FaultClass::transport, FaultClass::rate, FaultClass::server, FaultClass::format})
    CHECK(engine::may_retry(kind));
  for (const FaultClass kind : {FaultClass::refused, FaultClass::balance, FaultClass::overflow})
    CHECK_FALSE(engine::may_retry(kind));
}
