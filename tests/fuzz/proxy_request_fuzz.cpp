// A proxy request means the same however it is cut into pieces; its destination is canonical; and a
// rewritten head has one Host, the destination's.
#include "runtime/base/ensure.hpp"
#include "sandbox/egress/proxy_request.hpp"

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

using namespace fathom;
using namespace fathom::sandbox;

namespace {

ProxyStep last_step(std::string_view bytes, std::size_t piece) {
  ProxyRequest request;
  ProxyStep step = proxy_step::Read{};
  for (;;) {
    if (std::holds_alternative<proxy_step::Reply>(step)) {
      step = request.feed("");
    } else if (!std::holds_alternative<proxy_step::Read>(step) || bytes.empty()) {
      if (auto* connect = std::get_if<proxy_step::Connect>(&step)) connect->up += bytes;
      return step;
    } else {
      step = request.feed(bytes.substr(0, piece));
      bytes.remove_prefix(std::min(piece, bytes.size()));
    }
  }
}

std::string text_of(const ProxyStep& step) {
  if (const auto* connect = std::get_if<proxy_step::Connect>(&step))
    return std::string(name_of(connect->via)) + " " + connect->to.host() + " " +
           std::to_string(connect->to.port) + " " + connect->up;
  if (const auto* refuse = std::get_if<proxy_step::Refuse>(&step)) return "no: " + refuse->bytes;
  return "waits";
}

void check_rewritten(const proxy_step::Connect& connect) {
  const std::string head = connect.up.substr(0, connect.up.find("\r\n\r\n") + 4);
  ENSURE(head.ends_with("\r\nConnection: close\r\n\r\n"), "a rewritten head is whole");
  std::string lower = head;
  std::ranges::transform(lower, lower.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  const std::size_t host = lower.find("\r\nhost: ");
  ENSURE(host == lower.find("\r\n"), "Host comes first");
  ENSURE(lower.find("\r\nhost", host + 1) == std::string::npos ||
             lower[lower.find("\r\nhost", host + 1) + 6] != ':',
         "there is one Host");
  ENSURE(std::ranges::count(head, '\n') >= 3, "a head has its lines");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const ProxyStep step = last_step(bytes, std::max<std::size_t>(size, 1));
  const std::string text = text_of(step);
  ENSURE(text == text_of(last_step(bytes, 1)), "pieces change nothing");
  ENSURE(text == text_of(last_step(bytes, 7)), "pieces change nothing");
  const auto* connect = std::get_if<proxy_step::Connect>(&step);
  if (connect == nullptr) return 0;
  const auto again = parse_destination(connect->to.host(), connect->to.port);
  ENSURE(again && *again == connect->to, "a destination is canonical");
  if (connect->via == Via::http) check_rewritten(*connect);
  return 0;
}
