#include "engine/remote/http_date.hpp"

#include "tests/support/catch.hpp"

#include <chrono>
#include <string>

using namespace fathom;
using engine::parse_http_date;

TEST_CASE("the date of RFC 9110's example is read", "[engine]") {
  const auto date = parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT");
  REQUIRE(date);
  CHECK(date->time_since_epoch() == std::chrono::seconds(784111777));
}

TEST_CASE("what is no date of HTTP is none", "[engine]") {
  for (const std::string text :
       {"", "120", "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:49:37 GMT", "Sun, 06 Nox 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT", "Sun  06 Nov 1994 08:49:37 GMT",
        "Sun, 0x Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08-49-37 GMT"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_http_date(text));
  }
}
