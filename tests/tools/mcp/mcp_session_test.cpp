#include "tools/mcp/mcp_session.hpp"

#include "tests/support/catch.hpp"

#include <nlohmann/json.hpp>

using namespace fathom;
using namespace fathom::tools;
using nlohmann::json;

namespace {

std::string response(std::uint64_t id, std::string_view result) {
  return R"({"jsonrpc":"2.0","id":)" + std::to_string(id) + R"(,"result":)" + std::string(result) +
         "}";
}

std::string greeting(std::string_view version = kMcpVersion) {
  return response(1,
                  R"({"protocolVersion":")" + std::string(version) +
                      R"(","capabilities":{"tools":{}},"serverInfo":{"name":"s","version":"2"}})");
}

McpSession ready_session() {
  McpSession session;
  (void)session.begin();
  REQUIRE(session.take(greeting()));
  return session;
}

std::vector<SessionEvent> taken(McpSession& session, std::string_view frame) {
  auto events = session.take(frame);
  INFO((events ? "" : events.error().message));
  REQUIRE(events);
  return *std::move(events);
}

}  // namespace

TEST_CASE("a session greets, and is ready when the server has answered", "[tools]") {
  McpSession session;
  const json sent = json::parse(session.begin().frame);
  CHECK(sent["method"] == "initialize");
  CHECK(sent["params"]["protocolVersion"] == std::string(kMcpVersion));
  CHECK(sent["params"]["clientInfo"]["name"] == "fathom");
  CHECK_FALSE(session.is_ready());
  const auto events = taken(session, greeting());
  REQUIRE(events.size() == 2);
  CHECK(json::parse(std::get<session_event::Send>(events[0]).frame)["method"] ==
        "notifications/initialized");
  CHECK(std::get<session_event::Ready>(events[1]).id == 1);
  CHECK(session.is_ready());
  CHECK(session.server() == "s 2");
  CHECK(session.has_tools());
}

TEST_CASE("an older known version is spoken, an unknown one is not", "[tools]") {
  McpSession older;
  (void)older.begin();
  (void)taken(older, greeting("2024-11-05"));
  CHECK(older.version() == "2024-11-05");
  McpSession newer;
  (void)newer.begin();
  const auto refused = newer.take(greeting("2099-01-01"));
  REQUIRE_FALSE(refused);
  CHECK(refused.error() == Error{ErrorCode::unsupported,
                                 "initialize: the server speaks version '2099-01-01', known are "
                                 "2024-11-05 to 2025-06-18"});
}

TEST_CASE("an answer reaches its request once", "[tools]") {
  McpSession session = ready_session();
  const auto first = session.ask("tools/call", R"({"name":"x"})").value();
  const auto second = session.ask("tools/list", "{}").value();
  CHECK(json::parse(first.frame)["params"] ==
        json({{"_meta", {{"progressToken", first.id}}}, {"name", "x"}}));
  CHECK(json::parse(second.frame)["params"] == json({{"_meta", {{"progressToken", second.id}}}}));
  auto events = taken(session, response(second.id, "[2]"));
  REQUIRE(events.size() == 1);
  CHECK(std::get<session_event::Answered>(events[0]).id == second.id);
  CHECK(std::get<session_event::Answered>(events[0]).result.value() == "[2]");
  CHECK(taken(session, response(second.id, "[3]")).empty());
  CHECK(session.awaits(first.id));
}

TEST_CASE("the server's error is the request's", "[tools]") {
  McpSession session = ready_session();
  const auto id = session.ask("tools/call", "{}").value().id;
  const auto events = taken(session, R"({"jsonrpc":"2.0","id":)" + std::to_string(id) +
                                         R"(,"error":{"code":-32602,"message":"no such tool"}})");
  CHECK(std::get<session_event::Answered>(events.at(0)).result.error() ==
        Error{ErrorCode::bad_data, "the server says: no such tool"});
}

TEST_CASE("a ping is answered and everything else that is asked is declined", "[tools]") {
  McpSession session = ready_session();
  auto events = taken(session, R"({"jsonrpc":"2.0","id":"p","method":"ping"})");
  CHECK(std::get<session_event::Send>(events.at(0)).frame ==
        R"({"jsonrpc":"2.0","id":"p","result":{}})");
  events = taken(session, R"({"jsonrpc":"2.0","id":5,"method":"sampling/createMessage"})");
  CHECK(json::parse(std::get<session_event::Send>(events.at(0)).frame)["error"]["code"] == -32601);
}

TEST_CASE("progress belongs to a request in flight", "[tools]") {
  McpSession session = ready_session();
  const auto id = session.ask("tools/call", "{}").value().id;
  const auto progress = [](std::uint64_t token) {
    return R"({"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":)" +
           std::to_string(token) + R"(,"progress":3,"total":10,"message":"reading"}})";
  };
  const auto events = taken(session, progress(id));
  CHECK(std::get<session_event::Progress>(events.at(0)).line == "3/10: reading");
  CHECK(taken(session, progress(id + 1)).empty());
}

TEST_CASE("a request that is given up is taken back, the greeting is not", "[tools]") {
  McpSession session;
  const auto greeted = session.begin().id;
  CHECK(session.cancel(greeted, "late").empty());
  session = ready_session();
  const auto id = session.ask("tools/call", "{}").value().id;
  const json sent = json::parse(session.cancel(id, "late"));
  CHECK(sent["method"] == "notifications/cancelled");
  CHECK(sent["params"] == json({{"requestId", id}, {"reason", "late"}}));
  CHECK(session.cancel(id, "late").empty());
  CHECK(taken(session, response(id, "{}")).empty());
}

TEST_CASE("requests in flight are bounded", "[tools]") {
  McpSession session = ready_session();
  for (std::size_t i = 0; i < kInFlightMax; ++i) REQUIRE(session.ask("tools/list", "{}"));
  CHECK(session.ask("tools/list", "{}").error().code == ErrorCode::in_use);
}

TEST_CASE("a flood of messages that answer nothing ends the session", "[tools]") {
  McpSession session = ready_session();
  const std::string note = R"({"jsonrpc":"2.0","method":"notifications/message","params":{}})";
  for (std::size_t i = 0; i < kUnaskedMax; ++i) REQUIRE(session.take(note));
  CHECK(session.take(note).error().code == ErrorCode::too_large);
  // An answer shows that the server still works.
  session = ready_session();
  for (std::size_t i = 0; i < kUnaskedMax; ++i) REQUIRE(session.take(note));
  const auto id = session.ask("tools/list", "{}").value().id;
  REQUIRE(session.take(response(id, "{}")));
  CHECK(session.take(note));
}

TEST_CASE("large messages that answer nothing end the session sooner", "[tools]") {
  McpSession session = ready_session();
  const std::string large =
      R"({"jsonrpc":"2.0","method":"m","params":{"x":")" + std::string(2UL << 20, 'x') + "\"}}";
  std::size_t taken_count = 0;
  while (session.take(large)) REQUIRE(++taken_count < kUnaskedMax);
  CHECK(taken_count == kUnaskedBytesMax / large.size());
}

TEST_CASE("what the server logs is kept to its last lines, and a new tool list is noted",
          "[tools]") {
  McpSession session = ready_session();
  for (std::size_t i = 0; i < 2 * kLogLinesMax; ++i)
    (void)taken(session,
                R"({"jsonrpc":"2.0","method":"notifications/message","params":{"level":"error",)"
                R"("data":"line )" +
                    std::to_string(i) + "\"}}");
  CHECK(session.log().size() == kLogLinesMax);
  CHECK(session.log().back() == "error: line " + std::to_string(2 * kLogLinesMax - 1));
  CHECK_FALSE(session.tools_changed());
  (void)taken(session, R"({"jsonrpc":"2.0","method":"notifications/tools/list_changed"})");
  CHECK(session.tools_changed());
}
