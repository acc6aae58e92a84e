#include "tools/mcp/rpc_message.hpp"

#include "tests/support/catch.hpp"
#include "tools/mcp/json_slice.hpp"
#include "tools/mcp/line_frames.hpp"

using namespace fathom;
using namespace fathom::tools;

namespace {

RpcMessage one(std::string_view frame) {
  auto messages = parse_frame(frame);
  INFO((messages ? "" : messages.error().message));
  REQUIRE(messages);
  REQUIRE(messages->size() == 1);
  return messages->front();
}

Error refused(std::string_view frame) {
  auto messages = parse_frame(frame);
  REQUIRE_FALSE(messages);
  return messages.error();
}

std::vector<std::string> lines_of(LineFrames& frames, std::string_view bytes) {
  std::vector<std::string> lines;
  REQUIRE(frames.feed(bytes, [&](std::string_view line) { lines.emplace_back(line); }));
  return lines;
}

}  // namespace

TEST_CASE("a response keeps its id and the bytes of its result", "[tools]") {
  const auto message = one(R"({"jsonrpc":"2.0","id":7,"result":{"b": 1, "a":[ {"x":"}\"" } ]}})");
  CHECK(message == RpcMessage(rpc::Response{7, R"({"b": 1, "a":[ {"x":"}\"" } ]})", {}}));
}

TEST_CASE("a response with an error is one printable line", "[tools]") {
  const auto message = one(
      "{\"jsonrpc\":\"2.0\",\"id\":7,\"error\":{\"code\":-32000,\"message\":\"a\\u001b[1mb\"}}");
  CHECK(message == RpcMessage(rpc::Response{7, "", RpcError{-32000, "a\\x1b[1mb"}}));
  CHECK(
      std::get<rpc::Response>(one(R"({"jsonrpc":"2.0","id":1,"result":{},"error":null})")).result ==
      "{}");
}

TEST_CASE("ids that we never give belong to no request", "[tools]") {
  for (const char* id : {"-1", "1.5", "\"7\"", "null", "[7]"}) {
    const auto message = one(std::string(R"({"jsonrpc":"2.0","result":{},"id":)") + id + "}");
    CHECK_FALSE(std::get<rpc::Response>(message).id);
  }
}

TEST_CASE("requests and notifications are told apart by their id", "[tools]") {
  CHECK(one(R"({"jsonrpc":"2.0","id":"s-1","method":"ping"})") ==
        RpcMessage(rpc::Request{"\"s-1\"", "ping", ""}));
  CHECK(one(R"({"jsonrpc":"2.0","method":"m","params":{"k":[1]}})") ==
        RpcMessage(rpc::Notification{"m", R"({"k":[1]})"}));
}

TEST_CASE("a batch is its messages in order", "[tools]") {
  auto messages = parse_frame(
      R"( [ {"jsonrpc":"2.0","method":"m"} , {"jsonrpc":"2.0","id":2,"result":[1]} ] )");
  REQUIRE(messages);
  CHECK(*messages ==
        std::vector<RpcMessage>{rpc::Notification{"m", ""}, rpc::Response{2, "[1]", std::nullopt}});
}

TEST_CASE("what is no JSON-RPC is refused with what is wrong", "[tools]") {
  CHECK(refused("hello").code == ErrorCode::protocol);
  CHECK(refused("3").message == "a message that is no object");
  CHECK(refused("{}").message == "a message that is not JSON-RPC 2.0");
  CHECK(refused(R"({"jsonrpc":"2.0"})").message == "a message without method, result and error");
  CHECK(refused(R"({"jsonrpc":"2.0","id":{},"method":"m"})").code == ErrorCode::protocol);
  CHECK(refused("{\"jsonrpc\":\"2.0\",\"method\":\"\xff\"}").code == ErrorCode::protocol);
}

TEST_CASE("frames beyond the bounds are refused", "[tools]") {
  const std::string deep(kFrameDepthMax + 2, '[');
  CHECK(refused(R"({"jsonrpc":"2.0","id":1,"result":)" + deep).code == ErrorCode::too_large);
  CHECK(refused(std::string(kFrameBytesMax + 1, ' ')).code == ErrorCode::too_large);
  CHECK(refused("[]").code == ErrorCode::too_large);
  std::string batch = "[";
  for (std::size_t i = 0; i <= kBatchMax; ++i) batch += R"({"jsonrpc":"2.0","method":"m"},)";
  batch.back() = ']';
  CHECK(refused(batch).code == ErrorCode::too_large);
  CHECK(refused(R"({"jsonrpc":"2.0","method":")" + std::string(kMethodBytesMax + 1, 'm') + "\"}")
            .code == ErrorCode::too_large);
}

TEST_CASE("what we send is one line that parses to what was meant", "[tools]") {
  CHECK(request_frame(3, "tools/list", "") == R"({"jsonrpc":"2.0","id":3,"method":"tools/list"})");
  CHECK(one(request_frame(3, "a\nb", R"({"x":1})")) ==
        RpcMessage(rpc::Request{"3", "a\nb", R"({"x":1})"}));
  CHECK(one(notification_frame("n", "{}")) == RpcMessage(rpc::Notification{"n", "{}"}));
  CHECK(one(error_frame("9", -32601, "no")) ==
        RpcMessage(rpc::Response{9, "", RpcError{-32601, "no"}}));
  CHECK(one(result_frame("9", "{}")) == RpcMessage(rpc::Response{9, "{}", {}}));
}

TEST_CASE("a member's slice is its own bytes", "[tools]") {
  CHECK(json_member(R"({"a":{"b":1},"b": [2, 3] ,"c":-1e5})", "b") == "[2, 3]");
  CHECK(json_member(R"({"a":"\"b\":","b":"x,y"})", "b") == R"("x,y")");
  CHECK(json_member(R"({"a":1})", "a") == "1");
  CHECK(json_member("{}", "a").empty());
  CHECK(json_member("[1]", "a").empty());
  CHECK(json_elements(R"([1, "a,]" ,{"b":[]},[]])", 9) ==
        std::vector<std::string_view>{"1", R"("a,]")", R"({"b":[]})", "[]"});
  CHECK(json_elements("[1,2,3]", 2).size() == 2);
  CHECK(json_elements("[ ]", 9).empty());
  CHECK(json_without_space("{ \"a b\" :\t[1 ,\n2 ]}") == R"({"a b":[1,2]})");
}

TEST_CASE("lines are frames whatever pieces they come in", "[tools]") {
  const std::string text = "one\r\n\ntwo\nthree";
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    LineFrames frames(10);
    std::vector<std::string> lines;
    for (std::size_t at = 0; at < text.size(); at += piece)
      for (std::string& line : lines_of(frames, std::string_view(text).substr(at, piece)))
        lines.push_back(std::move(line));
    CHECK(lines == std::vector<std::string>{"one", "two"});
  }
}

TEST_CASE("a line that outgrows its bound ends the framing, finished or not", "[tools]") {
  LineFrames frames(8);
  const auto ignore = [](std::string_view) {};
  CHECK(frames.feed("12345678\n", ignore));
  CHECK(frames.feed("1234567", ignore));
  const Result<> failed = frames.feed("89", ignore);
  REQUIRE_FALSE(failed);
  CHECK(failed.error() == Error{ErrorCode::too_large, "a line of more than 8 B"});
  CHECK_FALSE(frames.feed("x\n", ignore));
}
