#include "runtime/net/websocket.hpp"
#include "tests/support/catch.hpp"

using namespace fathom::net;

namespace {

HttpRequest handshake() {
  return {"GET",
          "/",
          {{"Host", "localhost"},
           {"Connection", "keep-alive, Upgrade"},
           {"Upgrade", "WebSocket"},
           {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="},
           {"Sec-WebSocket-Version", "13"}},
          ""};
}

unsigned status_of(const HttpRequest& request) {
  const auto checked = check_handshake(request, {});
  return checked ? 101 : checked.error().status;
}

}  // namespace

TEST_CASE("a proper WebSocket handshake passes and every broken one is refused", "[runtime]") {
  CHECK(status_of(handshake()) == 101);
  struct Row {
    const char* field;
    const char* value;
    unsigned status;
  };
  const Row rows[] = {
      {"Connection", "keep-alive", 400},
      {"Connection", "Upgraded", 400},
      {"Upgrade", "h2c", 400},
      {"Sec-WebSocket-Key", "", 400},
      {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ", 400},
      {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZ!==", 400},
      {"Sec-WebSocket-Version", "8", 426},
      {"Sec-WebSocket-Version", "", 426},
  };
  for (const Row& row : rows) {
    INFO(row.field << ": " << row.value);
    HttpRequest request = handshake();
    request.headers.set(row.field, row.value);
    CHECK(status_of(request) == row.status);
    request.headers.remove(row.field);
    CHECK(status_of(request) == (row.status == 426 ? 426 : 400));
  }
  HttpRequest post = handshake();
  post.method = "POST";
  CHECK(status_of(post) == 400);
}

TEST_CASE("the subprotocol is the first of ours that the client offers", "[runtime]") {
  const std::vector<std::string> ours{"fathom.trace.v2", "fathom.trace.v1"};
  struct Row {
    Headers offered;
    std::string chosen;
  };
  const Row rows[] = {
      {{{"Sec-WebSocket-Protocol", "fathom.trace.v1"}}, "fathom.trace.v1"},
      {{{"Sec-WebSocket-Protocol", "x, fathom.trace.v1 ,fathom.trace.v2"}}, "fathom.trace.v2"},
      {{{"Sec-WebSocket-Protocol", "x"}, {"Sec-WebSocket-Protocol", "fathom.trace.v1"}},
       "fathom.trace.v1"},
      {{{"Sec-WebSocket-Protocol", "FATHOM.TRACE.V1"}}, ""},
      {{{"Sec-WebSocket-Protocol", ","}}, ""},
      {{}, ""},
  };
  for (const Row& row : rows) {
    HttpRequest request = handshake();
    for (const Header& field : row.offered.fields()) request.headers.add(field.name, field.value);
    const auto checked = check_handshake(request, ours);
    CHECK(checked.value_or("") == row.chosen);
    if (row.chosen.empty()) {
      REQUIRE_FALSE(checked);
      CHECK(checked.error() == Refusal{400,
                                       "bad_handshake",
                                       "no subprotocol in common; offer one of: fathom.trace.v2 "
                                       "fathom.trace.v1",
                                       {}});
    }
  }
}
