#include "runtime/net/access.hpp"

#include "tests/support/catch.hpp"

using namespace fathom::net;

namespace {

unsigned status_of(const std::optional<Refusal>& refusal) {
  return refusal ? refusal->status : 200;
}

HttpRequest request_with(Headers headers) { return {"GET", "/", std::move(headers), ""}; }

}  // namespace

TEST_CASE("loopback hosts are recognised in every form and nothing else is", "[runtime]") {
  for (const char* host : {"localhost", "LocalHost", "localhost:8420", "127.0.0.1", "127.0.0.1:1",
                           "127.255.0.9:80", "[::1]", "[::1]:8420"}) {
    INFO(host);
    CHECK(is_loopback_host(host));
  }
  for (const char* host :
       {"", ":80", "example.com", "localhost.example.com", "example.com:localhost",
        "127.0.0.1.nip.io", "127.0.0.1:80:90", "127.0.0.1:x", "::1", "[::1", "[::1]x",
        "[127.0.0.1]", "[::2]", "10.0.0.1", "localhost@example.com", "0.0.0.0", "127.1"}) {
    INFO(host);
    CHECK_FALSE(is_loopback_host(host));
  }
}

TEST_CASE("host and origin decide which pages reach a server on loopback", "[runtime]") {
  AccessRules rules;
  rules.origins = {"https://viewer.example"};
  struct Row {
    const char* what;
    Headers headers;
    unsigned status;
  };
  const Row rows[] = {
      {"a program on this machine", {{"Host", "127.0.0.1:8420"}}, 200},
      {"an HTTP/1.0 program", {}, 200},
      {"a listed page", {{"Host", "localhost"}, {"Origin", "https://viewer.example"}}, 200},
      {"our own page", {{"Host", "localhost:8420"}, {"Origin", "http://localhost:8420"}}, 200},
      {"another page of this machine",
       {{"Host", "localhost:8420"}, {"Origin", "http://localhost:80"}},
       403},
      {"any page", {{"Host", "localhost"}, {"Origin", "https://evil.example"}}, 403},
      {"a listed name with another port",
       {{"Host", "localhost"}, {"Origin", "https://viewer.example:1"}},
       403},
      {"a sandboxed frame", {{"Host", "localhost"}, {"Origin", "null"}}, 403},
      {"an empty name", {{"Host", ""}}, 403},
      {"an empty name with a port", {{"Host", ":8420"}}, 403},
      {"an empty name with its own origin", {{"Host", ""}, {"Origin", "http://"}}, 403},
      {"an address of the network", {{"Host", "10.0.0.1:8420"}}, 403},
      {"a rebound name", {{"Host", "evil.example"}}, 403},
      {"a rebound name with its own origin",
       {{"Host", "evil.example"}, {"Origin", "http://evil.example"}},
       403},
      {"a rebound name with a listed origin",
       {{"Host", "evil.example"}, {"Origin", "https://viewer.example"}},
       403},
  };
  for (const Row& row : rows) {
    INFO(row.what);
    CHECK(status_of(check_origin(rules, request_with(row.headers))) == row.status);
  }
}

TEST_CASE("a server on the network without a token takes addresses and the names it is told",
          "[runtime]") {
  AccessRules rules;
  rules.hosts = AccessRules::Hosts::addresses;
  for (const char* host :
       {"10.0.0.1", "10.0.0.1:8420", "[fd00::1]:8420", "localhost:8420", "[::1]"})
    CHECK(status_of(check_origin(rules, request_with({{"Host", host}}))) == 200);
  for (const char* host :
       {"", ":80", "build.example", "10.0.0.1.nip.io", "fd00::1", "[10.0.0.1]"}) {
    INFO(host);
    CHECK(check_origin(rules, request_with({{"Host", host}})) ==
          Refusal{403,
                  "host_not_allowed",
                  "this server does not answer to this host name (use its IP address)",
                  {}});
  }
  CHECK(status_of(check_origin(rules, request_with({}))) == 200);  // an HTTP/1.0 program

  rules.host_names = {"Build.example"};
  const auto status = [&](const char* host, const char* origin) {
    return status_of(check_origin(rules, request_with({{"Host", host}, {"Origin", origin}})));
  };
  CHECK(status("build.example:8420", "http://build.example:8420") == 200);
  CHECK(status("10.0.0.1:8420", "http://10.0.0.1:8420") == 200);
  CHECK(status("10.0.0.1:8420", "http://evil.example") == 403);
  CHECK(status("evil.example", "http://evil.example") == 403);
  CHECK(status("x.build.example", "http://x.build.example") == 403);
}

TEST_CASE("a server on loopback answers also to the names it is told", "[runtime]") {
  AccessRules rules;
  rules.host_names = {"fathom.test"};
  CHECK(status_of(check_origin(rules, request_with({{"Host", "fathom.test:8420"}}))) == 200);
  CHECK(status_of(check_origin(rules, request_with({{"Host", "evil.test:8420"}}))) == 403);
}

TEST_CASE("a server on the network takes any host but no unlisted origin", "[runtime]") {
  AccessRules rules;
  rules.hosts = AccessRules::Hosts::any;
  CHECK(status_of(check_origin(rules, request_with({{"Host", "build.example"}}))) == 200);
  CHECK(check_origin(rules,
                     request_with({{"Host", "evil.example"}, {"Origin", "http://evil.example"}})) ==
        Refusal{403, "origin_not_allowed", "this web page may not call this server", {}});
}

TEST_CASE("a token is found in either header and only the right one passes", "[runtime]") {
  AccessRules rules;
  struct Row {
    Headers headers;
    unsigned status;
  };
  CHECK(status_of(check_token(rules, request_with({}))) == 200);  // none is asked for
  rules.token = "s3cret";
  const Row rows[] = {
      {{}, 401},
      {{{"Authorization", "Bearer s3cret"}}, 200},
      {{{"authorization", "bearer  s3cret"}}, 200},
      {{{"Authorization", "Bearer s3cre"}}, 401},
      {{{"Authorization", "Bearer s3cretx"}}, 401},
      {{{"Authorization", "Bearer "}}, 401},
      {{{"Authorization", "Bearer"}}, 401},
      {{{"Authorization", "Basic s3cret"}}, 401},
      {{{"Authorization", "s3cret"}}, 401},
      {{{"x-api-key", "s3cret"}}, 200},
      {{{"X-Api-Key", "S3CRET"}}, 401},
      {{{"x-api-key", "s3cret"}, {"Authorization", "Bearer wrong"}}, 401},
      {{{"x-api-key", "wrong"}, {"Authorization", "Bearer s3cret"}}, 200},
  };
  for (const Row& row : rows) {
    const auto refusal = check_token(rules, request_with(row.headers));
    CHECK(status_of(refusal) == row.status);
    if (refusal) CHECK(refusal->headers == Headers{{"WWW-Authenticate", "Bearer"}});
  }
}

TEST_CASE("the constant-time comparison compares", "[runtime]") {
  CHECK(equal_in_constant_time("", ""));
  CHECK(equal_in_constant_time("abc", "abc"));
  CHECK_FALSE(equal_in_constant_time("abc", "abd"));
  CHECK_FALSE(equal_in_constant_time("abc", "ab"));
  CHECK_FALSE(equal_in_constant_time("", "a"));
  CHECK_FALSE(equal_in_constant_time("\x80", "\x00"));
}
