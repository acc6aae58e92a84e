#include "runtime/net/refusal.hpp"

#include "tests/support/catch.hpp"

using namespace fathom::net;

TEST_CASE("a refusal becomes one line of JSON, whatever its message holds", "[runtime]") {
  const HttpResponse response =
      to_response({418, "teapot", "say \"tea\" \\ not\ncoffee", {{"Retry-After", "1"}}});
  CHECK(response.status == 418);
  CHECK(response.headers == Headers{{"Retry-After", "1"}, {"Content-Type", "application/json"}});
  CHECK(response.body == R"({"error":{"code":"teapot","message":"say \"tea\" \\ not\\x0acoffee"}})"
                         "\n");
}
