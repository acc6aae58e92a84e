#include "runtime/net/refusal.hpp"

#include "runtime/base/text.hpp"

namespace fathom::net {
namespace {

// Not json.hpp: four seconds of compile time for two strings. to_printable leaves only printable
// characters, so quotes and backslashes are all that JSON wants escaped.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : to_printable(text)) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

}  // namespace

HttpResponse to_response(const Refusal& refusal) {
  HttpResponse response{refusal.status, refusal.headers, {}};
  response.headers.set("Content-Type", "application/json");
  response.body = "{\"error\":{\"code\":" + quoted(refusal.code) +
                  ",\"message\":" + quoted(refusal.message) + "}}\n";
  return response;
}

}  // namespace fathom::net
