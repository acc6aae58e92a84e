#include "engine/remote/fault_of.hpp"

#include "tests/support/catch.hpp"

#include <string>

using namespace fathom;
using namespace fathom::engine;
using namespace std::chrono_literals;

namespace {

const WallTime kNow = std::chrono::sys_days(std::chrono::year{2026} / 1 / 1);

Endpoint endpoint(EngineSpec::Kind kind = EngineSpec::Kind::openai) {
  return find_endpoint({kind, "http://h:8000/v1", ""}).value();
}

Fault fault(unsigned status, const std::string& body = "", net::Headers headers = {},
            EngineSpec::Kind kind = EngineSpec::Kind::openai) {
  return fault_of(BadAnswer{status, std::move(headers), body}, endpoint(kind), kNow);
}

std::string error_body(const std::string& message, const std::string& code = "x") {
  return R"({"error":{"message":")" + message + R"(","type":"t","param":null,"code":")" + code +
         "\"}}";
}

}  // namespace

TEST_CASE("a status has its class", "[engine]") {
  using enum FaultClass;
  const std::vector<std::pair<unsigned, FaultClass>> rows = {
      {400, refused}, {401, refused}, {403, refused}, {404, refused}, {422, refused},
      {402, balance}, {408, rate},    {409, rate},    {429, rate},    {413, overflow},
      {500, server},  {502, server},  {503, server},  {504, server},  {529, server},
      {302, refused}, {418, refused}};
  for (const auto& [status, kind] : rows) {
    CAPTURE(status);
    CHECK(fault(status, error_body("m")).kind == kind);
  }
}

TEST_CASE("a fault says what the server said, in every shape of error body", "[engine]") {
  CHECK(fault(400, error_body("bad field")).message == "400: bad field");
  CHECK(fault(400, R"({"type":"error","error":{"type":"t","message":"bad field"}})").message ==
        "400: bad field");
  CHECK(fault(400, R"({"detail":"bad field"})").message == "400: bad field");
  CHECK(fault(400, R"({"error":"bad field"})").message == "400: bad field");
  CHECK(fault(400, R"({"object":"error","message":"bad field"})").message == "400: bad field");
  CHECK(fault(500, "plain\n\x1b[1mwords ").message == "500: plain\\x0a\\x1b[1mwords");
  CHECK(fault(500).message == "500");
  CHECK(fault(500, std::string(100'000, 'x')).message.size() < 1000);
}

TEST_CASE("a prompt that does not fit is told from other bad requests", "[engine]") {
  for (const std::string message :
       {"This model's maximum context length is 8192 tokens. However, you requested 9000 tokens",
        "prompt is too long: 210000 tokens > 200000 maximum",
        "the request exceeds the available context size"}) {
    CAPTURE(message);
    CHECK(fault(400, error_body(message)).kind == FaultClass::overflow);
  }
  CHECK(fault(400, error_body("m", "context_length_exceeded")).kind == FaultClass::overflow);
}

TEST_CASE("an empty account is no matter of patience", "[engine]") {
  CHECK(fault(429, error_body("m", "insufficient_quota")).kind == FaultClass::balance);
  CHECK(fault(402, error_body("Insufficient Balance")).kind == FaultClass::balance);
}

TEST_CASE("how long to wait is read in all its forms", "[engine]") {
  const auto wait = [](net::Headers headers) {
    return fault(429, "", std::move(headers)).retry_after;
  };
  CHECK(wait({{"Retry-After", "7"}}) == 7s);
  CHECK(wait({{"retry-after", "0.5"}}) == 500ms);
  CHECK(wait({{"Retry-After-Ms", "250"}, {"Retry-After", "7"}}) == 250ms);
  CHECK(wait({{"Retry-After", "Thu, 01 Jan 2026 00:01:30 GMT"}}) == 90s);
  CHECK(wait({{"Retry-After", "Thu, 01 Jan 2025 00:01:30 GMT"}}) == 0s);
  CHECK(wait({{"Retry-After", "99999999999999"}}) == kRetryAfterMax);
  for (const std::string text : {"", "-1", "soon", "nan", "1e", "1 2"}) {
    CAPTURE(text);
    CHECK_FALSE(wait({{"Retry-After", text}}));
  }
  CHECK_FALSE(fault(400, "", {{"Retry-After", "7"}}).retry_after);
}

TEST_CASE("a server may say itself whether asking again helps", "[engine]") {
  CHECK(fault(500, "", {{"x-should-retry", "false"}}).kind == FaultClass::refused);
  CHECK(fault(400, "", {{"x-should-retry", "true"}}).kind == FaultClass::server);
  CHECK(fault(400, error_body("prompt is too long"), {{"x-should-retry", "true"}}).kind ==
        FaultClass::overflow);
}

TEST_CASE("a wrong kind of endpoint is told with the right one", "[engine]") {
  CHECK(
      fault(404, R"({"type":"error","error":{"type":"not_found_error","message":"x"}})").message ==
      "404: x (it speaks Anthropic's API: write anthropic:URL)");
  CHECK(fault(404, R"({"detail":"Not Found"})", {}, EngineSpec::Kind::anthropic).message ==
        "404: Not Found (it may not speak Anthropic's API: try openai:URL)");
  CHECK(fault(404, R"({"detail":"Not Found"})").message ==
        "404: Not Found (does the URL lack or double its /v1?)");
  for (const unsigned status : {200U, 404U}) {
    const Fault html = fault(status, "<!DOCTYPE html><html><body>Hi</body></html>",
                             {{"Content-Type", "text/html; charset=utf-8"}});
    CHECK(html.kind == FaultClass::refused);
    CHECK(html.message.contains(
        "it answers with an HTML page: is this the address of an API? (such as https://HOST/v1)"));
    CHECK_FALSE(html.message.contains("<"));
  }
}

TEST_CASE("a redirect is not followed, and its host named", "[engine]") {
  const Fault moved = fault(301, "", {{"Location", "https://api.example.com/v1?token=x"}});
  CHECK(moved.kind == FaultClass::refused);
  CHECK(moved.message ==
        "301: it moved to https://api.example.com: write that address (redirects are not "
        "followed)");
  CHECK(fault(302, "", {{"Location", "/elsewhere"}}).message ==
        "302: redirects are not followed: write the address that it moved to");
}

TEST_CASE("an unknown model is told with those that are known", "[engine]") {
  const BadAnswer unknown{
      404, {}, error_body("The model 'm4-flsh' does not exist", "model_not_found")};
  CHECK(is_about_model(unknown));
  CHECK_FALSE(is_about_model({404, {}, R"({"detail":"Not Found"})"}));
  CHECK_FALSE(is_about_model({500, {}, unknown.body}));
  CHECK_FALSE(is_about_model({400, {}, error_body("This model's maximum context length is 1")}));
  const std::string listing = R"({"object":"list","data":[{"id":"m4-flash"},{"id":"m4-pro"}]})";
  CHECK(with_models("404: m", listing, "m4-flsh") ==
        "404: m; GET /models lists: m4-flash, m4-pro (did you mean 'm4-flash'?)");
  CHECK(with_models("404: m", listing, "") ==
        "404: m; GET /models lists: m4-flash, m4-pro (write one behind '#')");
  for (const std::string nothing : {"", "<html>", "{}", R"({"data":[]})", R"({"data":[1]})"})
    CHECK(with_models("404: m", nothing, "m") == "404: m");
  std::string many = R"({"data":[{"id":"a"})";
  for (int i = 0; i < 20; ++i) many += R"(,{"id":"b"})";
  CHECK(with_models("x", many + "]}", "other") ==
        "x; GET /models lists: a, b, b, b, b, b, b, b, and 13 more");
}

TEST_CASE("trouble on the way has its class, and names the peer once", "[engine]") {
  const net::Origin here{net::Scheme::http, "127.0.0.1", 8000};
  const net::Origin there{net::Scheme::https, "api.example.com", 443};
  const std::string no_server = "connecting: connection refused (is a server running there?)";
  CHECK(fault_of(Error{ErrorCode::network, "127.0.0.1:8000: " + no_server}, here) ==
        Fault{FaultClass::refused, no_server, {}});
  CHECK(fault_of(Error{ErrorCode::network, no_server}, there).kind == FaultClass::transport);
  CHECK(fault_of(Error{ErrorCode::network, "reading: reset"}, here).kind == FaultClass::transport);
  CHECK(fault_of(Error{ErrorCode::not_found, "no such host"}, there).kind == FaultClass::transport);
  CHECK(fault_of(Error{ErrorCode::timeout, "timed out"}, there).kind == FaultClass::transport);
  // Nobody waits long for what was never there.
  CHECK(fault_of(Error{ErrorCode::network, no_server}, there).is_unreachable);
  CHECK(fault_of(Error{ErrorCode::not_found, "no such host"}, there).is_unreachable);
  CHECK(fault_of(Error{ErrorCode::network, "connecting: no route to it"}, there).is_unreachable);
  CHECK_FALSE(fault_of(Error{ErrorCode::network, "reading: reset"}, there).is_unreachable);
  CHECK(fault_of(Error{ErrorCode::tls, "the server's certificate is not trusted"}, there).kind ==
        FaultClass::refused);
  CHECK(fault_of(Error{ErrorCode::tls, "TLS handshake: eof"}, there).kind == FaultClass::transport);
  CHECK(fault_of(Error{ErrorCode::protocol, "x"}, there).kind == FaultClass::format);
  CHECK(fault_of(Error{ErrorCode::too_large, "x"}, there).kind == FaultClass::format);
}
