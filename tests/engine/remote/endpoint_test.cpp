#include "engine/remote/endpoint.hpp"

#include "tests/support/catch.hpp"

using namespace fathom;
using namespace fathom::engine;

namespace {

std::string target(EngineSpec::Kind kind, const std::string& url) {
  return find_endpoint({kind, url, ""}).value().answers;
}
std::string openai(const std::string& url) { return target(EngineSpec::Kind::openai, url); }
std::string anthropic(const std::string& url) { return target(EngineSpec::Kind::anthropic, url); }

}  // namespace

TEST_CASE("an address with and without /v1 is the same endpoint", "[engine]") {
  for (const std::string url : {"http://h:8000", "http://h:8000/", "http://h:8000/v1",
                                "http://h:8000/v1/", "http://h:8000/v1/chat/completions"})
    CHECK(openai(url) == "/v1/chat/completions");
  for (const std::string url :
       {"http://h", "http://h/v1", "http://h/v1/messages", "http://h/v1/messages/"})
    CHECK(anthropic(url) == "/v1/messages");
}

TEST_CASE("vendors' own forms of an address are kept", "[engine]") {
  CHECK(openai("https://api.deepseek.com") == "/chat/completions");
  CHECK(openai("https://api.deepseek.com/beta") == "/beta/chat/completions");
  CHECK(anthropic("https://api.deepseek.com/anthropic") == "/anthropic/v1/messages");
  CHECK(openai("https://h/api/paas/v4") == "/api/paas/v4/chat/completions");
  CHECK(openai("https://h/x/deployments/m?api-version=1") ==
        "/x/deployments/m/chat/completions?api-version=1");
  CHECK(find_endpoint({EngineSpec::Kind::openai, "http://h/v1?k=1", ""}).value().models ==
        "/v1/models?k=1");
}

TEST_CASE("a host belongs to a vendor by its whole domain", "[engine]") {
  const auto vendor = [](const std::string& host) {
    return vendor_of({net::Scheme::https, host, 443});
  };
  CHECK(vendor("api.deepseek.com") == Vendor::deepseek);
  CHECK(vendor("deepseek.com") == Vendor::deepseek);
  CHECK(vendor("eu.api.openai.com") == Vendor::openai);
  CHECK(vendor("api.anthropic.com") == Vendor::anthropic);
  CHECK(vendor("evilopenai.com") == Vendor::other);
  CHECK(vendor("api.openai.com.example.org") == Vendor::other);
}
