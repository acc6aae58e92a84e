#include "runtime/net/response_head.hpp"

#include "tests/support/catch.hpp"

using namespace fathom;
using namespace fathom::net;
using namespace std::chrono_literals;

TEST_CASE("a response's head says how its body ends", "[runtime]") {
  const HttpResponse response{200, {{"Content-Type", "text/plain"}}, ""};
  HeadFacts facts{.body_bytes = 5, .date = "D"};
  CHECK(response_head(response, facts) ==
        "HTTP/1.1 200 OK\r\nDate: D\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\n");
  facts.framing = Framing::chunked;
  facts.persistence = Persistence::close;
  CHECK(response_head(response, facts) ==
        "HTTP/1.1 200 OK\r\nDate: D\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n"
        "Connection: close\r\n\r\n");
  facts.framing = Framing::until_close;
  CHECK(response_head(response, facts) ==
        "HTTP/1.1 200 OK\r\nDate: D\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n");
  CHECK(response_head({204, {}, ""}, {.framing = Framing::none, .http_1_0 = true, .date = "D"}) ==
        "HTTP/1.1 204 No Content\r\nDate: D\r\nConnection: keep-alive\r\n\r\n");
  CHECK(response_head({599, {}, ""}, {.framing = Framing::none, .date = "D"})
            .starts_with("HTTP/1.1 599 "));
}

TEST_CASE("a response's fields can neither contradict the framing nor split the head",
          "[runtime]") {
  const HttpResponse response{200,
                              {{"content-length", "99"},
                               {"Transfer-Encoding", "gzip"},
                               {"Date", "never"},
                               {"X-Echo", "a\r\nSet-Cookie: b"},
                               {"X\r\nY", "c"}},
                              ""};
  CHECK(response_head(response, {.date = "D"}) ==
        "HTTP/1.1 200 OK\r\nDate: D\r\nX-Echo: a  Set-Cookie: b\r\nX  Y: c\r\nContent-Length: "
        "0\r\n\r\n");
}

TEST_CASE("the date is in the form that HTTP wants and follows the clock", "[runtime]") {
  HttpDate date;
  const WallTime rfc_example =
      std::chrono::sys_days{std::chrono::November / 6 / 1994} + 8h + 49min + 37s;
  CHECK(date.at(rfc_example) == "Sun, 06 Nov 1994 08:49:37 GMT");
  CHECK(date.at(rfc_example + 999ms) == "Sun, 06 Nov 1994 08:49:37 GMT");
  CHECK(date.at(rfc_example + 1s) == "Sun, 06 Nov 1994 08:49:38 GMT");
  CHECK(date.at(rfc_example) == "Sun, 06 Nov 1994 08:49:37 GMT");
}
