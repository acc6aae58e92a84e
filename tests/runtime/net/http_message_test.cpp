#include "runtime/net/http_message.hpp"

#include "tests/support/catch.hpp"

using namespace fathom::net;

TEST_CASE("header names compare without regard to case and keep their order", "[runtime]") {
  Headers headers{{"Content-Type", "text/plain"}, {"x-a", "1"}, {"X-A", "2"}};
  CHECK(headers.get("content-type") == "text/plain");
  CHECK(*headers.find("X-a") == "1");
  CHECK(headers.find("absent") == nullptr);
  CHECK(headers.get("absent").empty());
  headers.set("x-A", "3");
  CHECK(headers == Headers{{"Content-Type", "text/plain"}, {"x-A", "3"}});
  headers.remove("CONTENT-TYPE");
  CHECK(headers.fields().size() == 1);
}

TEST_CASE("only ASCII letters fold", "[runtime]") {
  CHECK(equal_ignoring_case("ETag", "etag"));
  CHECK_FALSE(equal_ignoring_case("a[", "A{"));
  CHECK_FALSE(equal_ignoring_case("a", "ab"));
}
