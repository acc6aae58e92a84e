#include "runtime/net/proxy.hpp"

#include "tests/support/catch.hpp"

#include <map>

using namespace fathom;
using namespace fathom::net;

namespace {

GetEnv env_of(std::map<std::string, std::string> values) {
  return [values = std::move(values)](const char* name) {
    const auto found = values.find(name);
    return found == values.end() ? std::string() : found->second;
  };
}

ProxySettings settings(std::map<std::string, std::string> values) {
  return ProxySettings::from_env(env_of(std::move(values))).value();
}

Origin origin_of(const std::string& url) { return Url::parse(url).value().origin; }

// The proxy's host and port for a URL, or "direct".
std::string via(const ProxySettings& proxies, const std::string& url) {
  const Route route = proxies.route_to(origin_of(url));
  return route.proxy ? route.proxy->origin.host_port() : "direct";
}

bool is_direct(const std::string& no_proxy, const std::string& url) {
  return via(settings({{"HTTPS_PROXY", "p"}, {"HTTP_PROXY", "p"}, {"NO_PROXY", no_proxy}}), url) ==
         "direct";
}

}  // namespace

TEST_CASE("each scheme has its own proxy, and none is none", "[runtime]") {
  const ProxySettings both = settings({{"HTTP_PROXY", "http://a:1"}, {"HTTPS_PROXY", "b:2/"}});
  CHECK(via(both, "http://x.example/") == "a:1");
  CHECK(via(both, "https://x.example/") == "b:2");
  CHECK(via(settings({}), "https://x.example/") == "direct");
  CHECK(via(ProxySettings(), "https://x.example/") == "direct");
}

TEST_CASE("the lower-case name wins, and HTTP_PROXY is not believed under CGI", "[runtime]") {
  CHECK(via(settings({{"http_proxy", "low"}, {"HTTP_PROXY", "up"}}), "http://x.example/") ==
        "low:80");
  CHECK(via(settings({{"HTTP_PROXY", "up"}, {"REQUEST_METHOD", "GET"}}), "http://x.example/") ==
        "direct");
  CHECK(via(settings({{"http_proxy", "low"}, {"REQUEST_METHOD", "GET"}}), "http://x.example/") ==
        "low:80");
  CHECK(via(settings({{"HTTPS_PROXY", "up"}, {"REQUEST_METHOD", "GET"}}), "https://x.example/") ==
        "up:80");
}

TEST_CASE("a proxy's user and password become its Basic authorization", "[runtime]") {
  const auto authorization = [](const char* proxy) {
    return settings({{"https_proxy", proxy}})
        .route_to(origin_of("https://x.example/"))
        .proxy->authorization;
  };
  CHECK(authorization("http://p:1").empty());
  // RFC 7617's own example.
  CHECK(authorization("http://Aladdin:open%20sesame@p:1") == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
  CHECK(authorization("u:p@ss@p:1") == "Basic dTpwQHNz");
  CHECK(authorization("user@p") == "Basic dXNlcjo=");
}

TEST_CASE("a proxy that cannot be used names its variable and keeps its password", "[runtime]") {
  const auto error = [](const char* proxy) {
    return ProxySettings::from_env(env_of({{"HTTPS_PROXY", proxy}})).error();
  };
  CHECK(
      error("socks5://u:hunter2@p:1") ==
      Error{
          ErrorCode::unsupported,
          "HTTPS_PROXY: only http:// proxies are supported (https goes through them by CONNECT)"});
  CHECK(error("http://u:hunter2@p:x").message ==
        "HTTPS_PROXY: url: the port is not a number from 1 to 65535");
  CHECK(error("http://u:hunter2%2@p").message ==
        "HTTPS_PROXY: '%' in the user or password needs two hexadecimal digits");
  CHECK(error("http://p/path").message ==
        "HTTPS_PROXY: a proxy is a host and a port, without a path");
}

TEST_CASE("hosts on this machine are never proxied", "[runtime]") {
  for (const char* url : {"http://localhost:8080/", "https://127.0.0.1/", "http://[::1]/",
                          "http://engine.localhost/"})
    CHECK(is_direct("", url));
  CHECK_FALSE(is_direct("", "http://10.0.0.1/"));
}

TEST_CASE("NO_PROXY excepts names, what is below them, addresses, blocks and ports", "[runtime]") {
  struct Row {
    const char* no_proxy;
    const char* url;
    bool direct;
  };
  for (const Row& row : std::vector<Row>{
           {"*", "https://any.example/", true},
           {"example.com", "https://example.com/", true},
           {"example.com", "https://api.example.com/", true},
           {"example.com", "https://badexample.com/", false},
           {".example.com", "https://api.example.com/", true},
           {".example.com", "https://example.com/", true},
           {"*.example.com", "https://api.example.com/", true},
           {"EXAMPLE.com", "https://Example.COM/", true},
           {"a.example, b.example", "https://b.example/", true},
           {"a.example b.example", "https://b.example/", true},
           {",, ,", "https://b.example/", false},
           {"example.com:8443", "https://example.com:8443/", true},
           {"example.com:8443", "https://example.com/", false},
           {"10.1.2.3", "http://10.1.2.3/", true},
           {"10.1.2.3", "http://10.1.2.30/", false},
           {"10.1.2.3:80", "http://10.1.2.3/", true},
           {"10.1.2.3:81", "http://10.1.2.3/", false},
           {"10.0.0.0/8", "http://10.200.3.4/", true},
           {"10.0.0.0/8", "http://11.0.0.1/", false},
           {"10.0.0.0/8", "http://ten.example/", false},
           {"10.0.0.0/33", "http://10.0.0.0/", false},
           {"10.0.0.0/x", "http://10.0.0.0/", false},
           {"0.0.0.0/0", "http://9.9.9.9/", true},
           {"0.0.0.0/0", "http://[fd00::1]/", false},
           {"192.168.1.128/25", "http://192.168.1.129/", true},
           {"192.168.1.128/25", "http://192.168.1.127/", false},
           {"fd00::/8", "http://[fd12::1]/", true},
           {"fd00::1", "http://[fd00:0::1]/", true},
           {"[fd00::1]:8080", "http://[fd00::1]:8080/", true},
           {"[fd00::1]:8080", "http://[fd00::1]/", false},
       }) {
    INFO(row.no_proxy << " against " << row.url);
    CHECK(is_direct(row.no_proxy, row.url) == row.direct);
  }
}
