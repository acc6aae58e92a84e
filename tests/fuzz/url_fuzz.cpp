// A URL that is accepted prints as itself and makes a request head of one line; NO_PROXY and a
// proxy's address, which hold the same text, are refused or understood, and never repeated in an
// error.
#include "runtime/base/ensure.hpp"
#include "runtime/net/proxy.hpp"
#include "runtime/net/request_head.hpp"
#include "runtime/net/url.hpp"

#include <cstdint>
#include <string>

using namespace fathom;
using namespace fathom::net;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string text(reinterpret_cast<const char*>(data), size);
  const Result<Url> url = Url::parse(text);
  if (url) {
    const Result<Url> again = Url::parse(url->to_string());
    ENSURE(again && *again == *url, "what is parsed prints as itself");
    const Result<std::string> head =
        encode_request_head({"GET", url->target, {}, ""}, {url->origin, {}});
    ENSURE(head, "a URL's target can be sent");
    ENSURE(head->find("\r\n") == head->find(" HTTP/1.1\r\n") + 9, "a target stays in its line");
  }
  const Result<ProxySettings> proxies = ProxySettings::from_env([&](const char* name) {
    const std::string variable = name;
    if (variable == "NO_PROXY") return std::string(text);
    if (variable == "HTTPS_PROXY") return text.substr(0, text.find('\0'));
    return std::string();
  });
  if (proxies) {
    for (const char* host : {"api.example", "10.1.2.3", "fd00::1"})
      (void)proxies->route_to({Scheme::https, host, 443});
  } else {
    ENSURE(proxies.error().message.size() < 200, "an error does not repeat the value");
  }
  return 0;
}
