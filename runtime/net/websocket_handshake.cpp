// The pure half of websocket.hpp: which request may become a WebSocket.
#include "runtime/net/websocket.hpp"

#include <algorithm>

namespace fathom::net {
namespace {

/// The comma-separated tokens of every field of this name: a list may be spread over several
/// fields.
std::vector<std::string_view> tokens_of(const Headers& headers, std::string_view name) {
  constexpr std::string_view kBlank = " \t";
  std::vector<std::string_view> tokens;
  for (const Header& field : headers.fields()) {
    if (!equal_ignoring_case(field.name, name)) continue;
    std::string_view rest = field.value;
    while (!rest.empty()) {
      std::string_view token = rest.substr(0, rest.find(','));
      rest.remove_prefix(std::min(token.size() + 1, rest.size()));
      token.remove_prefix(std::min(token.find_first_not_of(kBlank), token.size()));
      token = token.substr(0, token.find_last_not_of(kBlank) + 1);
      if (!token.empty()) tokens.push_back(token);
    }
  }
  return tokens;
}

bool has_token(const Headers& headers, std::string_view name, std::string_view wanted) {
  return std::ranges::any_of(tokens_of(headers, name), [&](std::string_view token) {
    return equal_ignoring_case(token, wanted);
  });
}

/// 16 bytes in base 64: 22 characters and "==".
bool is_key(std::string_view key) {
  const auto is_base64 = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '/';
  };
  return key.size() == 24 && key.ends_with("==") &&
         std::ranges::all_of(key.substr(0, 22), is_base64);
}

std::unexpected<Refusal> refused(std::string message) {
  return std::unexpected(Refusal{400, "bad_handshake", std::move(message), {}});
}

}  // namespace

std::expected<std::string, Refusal> check_handshake(const HttpRequest& request,
                                                    const std::vector<std::string>& ours) {
  const Headers& headers = request.headers;
  if (request.method != "GET") return refused("a WebSocket is opened by GET");
  if (!has_token(headers, "Connection", "upgrade") || !has_token(headers, "Upgrade", "websocket"))
    return refused(
        "this path speaks WebSocket: Connection: Upgrade and Upgrade: websocket are missing");
  if (headers.get("Sec-WebSocket-Version") != "13") {
    return std::unexpected(Refusal{
        426, "bad_handshake", "WebSocket version 13 is needed", {{"Sec-WebSocket-Version", "13"}}});
  }
  if (!is_key(headers.get("Sec-WebSocket-Key")))
    return refused("Sec-WebSocket-Key is missing or malformed");
  if (ours.empty()) return "";

  const auto offered = tokens_of(headers, "Sec-WebSocket-Protocol");
  for (const std::string& name : ours)
    if (std::ranges::find(offered, name) != offered.end()) return name;
  std::string message = "no subprotocol in common; offer one of:";
  for (const std::string& name : ours) message += " " + name;
  return refused(std::move(message));
}

}  // namespace fathom::net
