#include "sandbox/egress/proxy_request.hpp"

#include "runtime/base/ensure.hpp"
#include "runtime/base/text.hpp"
#include "sandbox/egress/http_proxy_head.hpp"

#include <boost/asio/ip/address_v6.hpp>

#include <algorithm>
#include <array>
#include <utility>

namespace fathom::sandbox {
namespace {

using proxy_step::Connect;
using proxy_step::Read;
using proxy_step::Refuse;
using proxy_step::Reply;

constexpr std::size_t kReasonBytesMax = 300;  // in an answer

constexpr char kSocksVersion = 5;
constexpr char kSocks4Version = 4;
constexpr char kNoAuthentication = 0;
constexpr char kCommandConnect = 1;
constexpr char kTypeIpv4 = 1;
constexpr char kTypeName = 3;
constexpr char kTypeIpv6 = 4;

std::size_t size_at(std::string_view bytes, std::size_t at) {
  return static_cast<unsigned char>(bytes[at]);
}

struct Answer {
  std::string_view http;
  char socks;
};

Answer answer_for(ProxyRefusal refusal) {
  switch (refusal) {
    case ProxyRefusal::malformed:
      return {"400 Bad Request", 1};
    case ProxyRefusal::too_large:
      return {"431 Request Header Fields Too Large", 1};
    case ProxyRefusal::unsupported:
      return {"501 Not Implemented", 7};
    case ProxyRefusal::forbidden:
      return {"403 Forbidden", 2};
    case ProxyRefusal::unreachable:
      return {"502 Bad Gateway", 4};
    case ProxyRefusal::timed_out:
      return {"504 Gateway Timeout", 6};
  }
  return {"500 Internal Server Error", 1};
}

// Version, code, reserved, and the bound address, which nobody needs.
std::string socks_reply(char code) { return {kSocksVersion, code, 0, kTypeIpv4, 0, 0, 0, 0, 0, 0}; }

ProxyRefusal refusal_for(ErrorCode code) {
  if (code == ErrorCode::too_large) return ProxyRefusal::too_large;
  if (code == ErrorCode::unsupported) return ProxyRefusal::unsupported;
  return ProxyRefusal::malformed;
}

template <class Bytes>
Bytes address_bytes(std::string_view from) {
  Bytes out;
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<unsigned char>(from[i]);
  return out;
}

}  // namespace

std::string ProxyRequest::accepted(Via via) {
  if (via == Via::socks5) return socks_reply(0);
  return via == Via::connect ? "HTTP/1.1 200 Connection established\r\n\r\n" : "";
}

std::string ProxyRequest::refused(Via via, ProxyRefusal refusal, std::string_view reason) {
  const Answer answer = answer_for(refusal);
  if (via == Via::socks5) return socks_reply(answer.socks);
  const std::string text = to_printable(clip_prefix(reason, kReasonBytesMax));
  // The reason is also in the status line: of an answer to CONNECT, most clients show no more.
  return "HTTP/1.1 " + std::string(answer.http) + " (" + text +
         ")\r\nContent-Type: text/plain\r\nContent-Length: " + std::to_string(text.size() + 1) +
         "\r\nConnection: close\r\n\r\n" + text + "\n";
}

ProxyStep ProxyRequest::feed(std::string_view bytes) {
  ENSURE(state_ != State::done, "a request is read once");
  bytes_ += bytes;
  return step();
}

ProxyStep ProxyRequest::step() {
  if (bytes_.empty()) return Read{};
  switch (state_) {
    case State::start:
      state_ = bytes_[0] == kSocksVersion ? State::socks_greeting : State::http;
      if (bytes_[0] == kSocks4Version)
        return refuse(Via::socks5, ProxyRefusal::unsupported, "the proxy speaks SOCKS5, not 4");
      return step();
    case State::http:
      return read_http();
    case State::socks_greeting:
      return read_socks_greeting();
    case State::socks_request:
      return read_socks_request();
    case State::done:
      break;
  }
  return Read{};
}

ProxyStep ProxyRequest::refuse(Via via, ProxyRefusal refusal, std::string_view reason) {
  state_ = State::done;
  return Refuse{refused(via, refusal, reason), std::string(reason)};
}

ProxyStep ProxyRequest::read_http() {
  for (; scanned_ < bytes_.size(); ++scanned_) {
    const char c = bytes_[scanned_];
    const bool line_end = c == '\n' && scanned_ > 0 && bytes_[scanned_ - 1] == '\r';
    const bool stray_return = scanned_ > 0 && bytes_[scanned_ - 1] == '\r' && c != '\n';
    const bool control = (c < ' ' && c >= 0 && c != '\t' && c != '\r' && !line_end) || c == '\x7f';
    if (scanned_ >= kProxyHeadBytesMax)
      return refuse(Via::http, ProxyRefusal::too_large, "the request's head has more than 16 KiB");
    if (control || stray_return)
      return refuse(Via::http, ProxyRefusal::malformed,
                    "the request's head has a control byte (lines end with CR LF)");
    if (line_end && std::string_view(bytes_).substr(0, scanned_ + 1).ends_with("\r\n\r\n"))
      return read_http_head(std::string_view(bytes_).substr(0, scanned_ + 1));
  }
  return Read{};
}

ProxyStep ProxyRequest::read_http_head(std::string_view head) {
  auto request = HttpProxyHead::parse(head);
  if (!request)
    return refuse(Via::http, refusal_for(request.error().code), request.error().message);
  state_ = State::done;
  return Connect{std::move(request->to), request->tunnel ? Via::connect : Via::http,
                 request->rewritten + bytes_.substr(head.size())};
}

// Version, number of methods, methods.
ProxyStep ProxyRequest::read_socks_greeting() {
  if (bytes_.size() < 2 || bytes_.size() < 2 + size_at(bytes_, 1)) return Read{};
  const std::size_t size = 2 + size_at(bytes_, 1);
  const std::string_view methods = std::string_view(bytes_).substr(2, size - 2);
  if (methods.find(kNoAuthentication) == std::string_view::npos) {
    state_ = State::done;
    return Refuse{{kSocksVersion, '\xff'}, "the proxy asks for no user or password"};
  }
  bytes_.erase(0, size);
  state_ = State::socks_request;
  return Reply{{kSocksVersion, kNoAuthentication}};
}

// Version, command, reserved, address type, address, port. A name has its length in front: what it
// holds is judged by parse_destination, NUL bytes and all.
ProxyStep ProxyRequest::read_socks_request() {
  constexpr std::size_t kHead = 4;
  if (bytes_.size() < kHead + 1) return Read{};
  const char type = bytes_[3];
  if (bytes_[0] != kSocksVersion || bytes_[2] != 0)
    return refuse(Via::socks5, ProxyRefusal::malformed, "the SOCKS request is not well formed");
  if (bytes_[1] != kCommandConnect)
    return refuse(Via::socks5, ProxyRefusal::unsupported, "of SOCKS, only CONNECT is served");
  std::size_t from = kHead;
  std::size_t size = 4;
  if (type == kTypeName) {
    from = kHead + 1;
    size = size_at(bytes_, kHead);
  } else if (type == kTypeIpv6) {
    size = 16;
  } else if (type != kTypeIpv4) {
    return refuse(Via::socks5, ProxyRefusal::malformed, "the SOCKS address type is unknown");
  }
  if (bytes_.size() < from + size + 2) return Read{};

  const std::string_view host = std::string_view(bytes_).substr(from, size);
  const std::size_t at = from + size;
  const auto port = static_cast<std::uint16_t>(size_at(bytes_, at) << 8U | size_at(bytes_, at + 1));
  std::string text(host);
  if (type == kTypeIpv4)
    text = asio::ip::address_v4(address_bytes<asio::ip::address_v4::bytes_type>(host)).to_string();
  if (type == kTypeIpv6)
    text = asio::ip::address_v6(address_bytes<asio::ip::address_v6::bytes_type>(host)).to_string();
  auto to = parse_destination(text, port);
  if (!to) return refuse(Via::socks5, ProxyRefusal::malformed, to.error().message);
  state_ = State::done;
  return Connect{*std::move(to), Via::socks5, bytes_.substr(at + 2)};
}

}  // namespace fathom::sandbox
