#include "runtime/net/request_head.hpp"

#include "runtime/base/ensure.hpp"
#include "runtime/base/text.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace fathom::net {
namespace {

constexpr std::string_view kUserAgent = "fathom";

// RFC 9110 section 5.6.2: what a method or a field name is made of.
bool is_token(std::string_view text) {
  constexpr std::string_view kTokenMarks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::ranges::all_of(text, [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           kTokenMarks.contains(c);
  });
}

bool is_field_value(std::string_view text) {
  return std::ranges::none_of(text, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && byte != '\t') || byte == 0x7F;
  });
}

bool is_target(std::string_view text) {
  return text.starts_with('/') &&
         std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7F; });
}

// These frame the message or route it; a caller's value could only contradict what is really sent.
bool is_reserved(std::string_view name) {
  constexpr std::array<std::string_view, 10> kReserved = {
      "host", "content-length", "transfer-encoding", "connection", "keep-alive",
      "te",   "trailer",        "upgrade",           "expect",     "proxy-authorization"};
  return std::ranges::any_of(kReserved,
                             [&](std::string_view r) { return equal_ignoring_case(r, name); });
}

Result<> check(const HttpRequest& request) {
  if (!is_token(request.method))
    return fail(ErrorCode::usage, "the request method '" +
                                      to_printable(clip_prefix(request.method, 40)) +
                                      "' is not a token");
  if (request.method == "CONNECT")
    return fail(ErrorCode::usage, "CONNECT is not a request to an origin: set HTTPS_PROXY instead");
  if (!is_target(request.target))
    return fail(ErrorCode::usage,
                "the request target must begin with '/' and hold neither spaces, "
                "control characters nor bytes that are not ASCII");
  for (const Header& field : request.headers.fields()) {
    const std::string name = to_printable(clip_prefix(field.name, 80));
    if (!is_token(field.name))
      return fail(ErrorCode::usage, "the header name '" + name + "' is not a token");
    if (!is_field_value(field.value))
      return fail(ErrorCode::usage, "the value of header '" + name + "' holds a control character");
    if (is_reserved(field.name))
      return fail(ErrorCode::usage,
                  "the header '" + name + "' is set by the client itself: leave it out");
  }
  return {};
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
  out += name;
  out += ": ";
  out += value;
  out += "\r\n";
}

// A body's length is always told; for these methods also that there is none, since servers answer
// 411 otherwise.
bool tells_length(const HttpRequest& request) {
  return !request.body.empty() || request.method == "POST" || request.method == "PUT" ||
         request.method == "PATCH";
}

}  // namespace

Result<std::string> encode_request_head(const HttpRequest& request, const Route& route) {
  if (Result<> checked = check(request); !checked) return fail(std::move(checked).error());
  const bool absolute = route.proxy && route.origin.scheme == Scheme::http;
  std::string out = request.method + " ";
  if (absolute) out += "http://" + route.origin.authority();
  out += request.target + " HTTP/1.1\r\n";
  append_field(out, "Host", route.origin.authority());
  for (const Header& field : request.headers.fields()) append_field(out, field.name, field.value);
  if (!request.headers.find("User-Agent")) append_field(out, "User-Agent", kUserAgent);
  // Bodies are handed on as they arrive, so a compressed one would be of no use to anybody.
  if (!request.headers.find("Accept-Encoding")) append_field(out, "Accept-Encoding", "identity");
  if (tells_length(request))
    append_field(out, "Content-Length", std::to_string(request.body.size()));
  if (absolute && !route.proxy->authorization.empty())
    append_field(out, "Proxy-Authorization", route.proxy->authorization);
  out += "\r\n";
  if (out.size() > kRequestHeadBytesMax)
    return fail(ErrorCode::too_large,
                "the request head is larger than " + format_bytes(kRequestHeadBytesMax));
  return out;
}

std::string encode_connect_head(const Route& route) {
  ENSURE(route.proxy.has_value(), "only a route through a proxy asks for a tunnel");
  std::string out = "CONNECT " + route.origin.host_port() + " HTTP/1.1\r\n";
  append_field(out, "Host", route.origin.host_port());
  append_field(out, "User-Agent", kUserAgent);
  if (!route.proxy->authorization.empty())
    append_field(out, "Proxy-Authorization", route.proxy->authorization);
  out += "\r\n";
  return out;
}

bool is_idempotent(const HttpRequest& request) {
  constexpr std::array<std::string_view, 6> kIdempotent = {"GET",   "HEAD", "OPTIONS",
                                                           "TRACE", "PUT",  "DELETE"};
  return std::ranges::find(kIdempotent, request.method) != kIdempotent.end() ||
         request.headers.find("Idempotency-Key") != nullptr;
}

}  // namespace fathom::net
