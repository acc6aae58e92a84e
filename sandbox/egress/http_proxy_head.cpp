#include "sandbox/egress/http_proxy_head.hpp"

#include "sandbox/egress/proxy_request.hpp"

#include <algorithm>
#include <array>

namespace fathom::sandbox {
namespace {

constexpr std::uint16_t kHttpPort = 80;
constexpr std::size_t kMethodBytesMax = 32;

// Between two peers, or ours to say.
constexpr std::array<std::string_view, 8> kDropped = {
    "host", "connection", "proxy-connection",  "keep-alive", "proxy-authorization",
    "te",   "upgrade",    "proxy-authenticate"};

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

bool is_token(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

std::string_view take_line(std::string_view& rest) {
  const std::size_t end = std::min(rest.find("\r\n"), rest.size());
  const std::string_view line = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 2, rest.size()));
  return line;
}

// "host", "host:port", "[address]:port". `port` is 0 where one must be written.
Result<Destination> parse_authority(std::string_view text, std::uint16_t port) {
  const bool bracketed = text.starts_with('[');
  const std::size_t host_end = bracketed ? text.find(']') : text.find(':');
  const std::size_t colon =
      bracketed && host_end != std::string_view::npos ? host_end + 1 : host_end;
  if (bracketed && host_end == std::string_view::npos)
    return fail(ErrorCode::bad_data, "the address has no closing bracket");
  if (colon < text.size()) {
    if (text[colon] != ':') return fail(ErrorCode::bad_data, "something stands behind the address");
    port = TRY(parse_port(text.substr(colon + 1)));
  } else if (port == 0) {
    return fail(ErrorCode::bad_data, "CONNECT needs a port: host:443");
  }
  return parse_destination(text.substr(0, colon), port);
}

struct RequestLine {
  std::string_view method;
  std::string_view target;
  std::string_view version;
};

Result<RequestLine> parse_request_line(std::string_view line) {
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last)
    return fail(ErrorCode::bad_data, "the request line is not METHOD TARGET VERSION");
  const RequestLine out{line.substr(0, first), line.substr(first + 1, last - first - 1),
                        line.substr(last + 1)};
  if (!is_token(out.method) || out.method.size() > kMethodBytesMax)
    return fail(ErrorCode::bad_data, "the method is not well formed");
  if (out.version != "HTTP/1.1" && out.version != "HTTP/1.0")
    return fail(ErrorCode::unsupported, "the proxy speaks HTTP/1.1");
  const bool plain = std::ranges::all_of(out.target, [](char c) { return c > ' ' && c < '\x7f'; });
  if (!plain || out.target.empty())
    return fail(ErrorCode::bad_data, "the target has a byte that must be percent-encoded");
  return out;
}

// The fields that go on, as lines.
Result<std::string> forwarded_fields(std::string_view rest) {
  std::string out;
  std::size_t count = 0;
  int lengths = 0;
  for (std::string_view line = take_line(rest); !line.empty(); line = take_line(rest)) {
    if (++count > kProxyFieldsMax)
      return fail(ErrorCode::too_large, "the request has more than 128 header fields");
    const std::size_t colon = line.find(':');
    const std::string name = lower(line.substr(0, std::min(colon, line.size())));
    if (colon == std::string_view::npos || !is_token(name))
      return fail(ErrorCode::bad_data, "a header field is not well formed");
    // Where it is said twice, two readers take two different ends of the request.
    if (name == "content-length" || name == "transfer-encoding") ++lengths;
    if (lengths > 1)
      return fail(ErrorCode::bad_data, "the length of the request's body is given twice");
    if (std::ranges::find(kDropped, name) == kDropped.end()) out.append(line).append("\r\n");
  }
  return out;
}

Result<HttpProxyHead> parse_forwarded(const RequestLine& line, std::string_view fields) {
  constexpr std::string_view kScheme = "http://";
  if (lower(line.target.substr(0, kScheme.size())) != kScheme)
    return fail(ErrorCode::unsupported,
                "this is a proxy: it takes CONNECT host:port and http://host/path");
  const std::string_view rest = line.target.substr(kScheme.size());
  const std::size_t authority_end = std::min(rest.find_first_of("/?#"), rest.size());
  const std::string_view authority = rest.substr(0, authority_end);
  std::string path(rest.substr(authority_end));
  if (path.find('#') != std::string::npos)
    return fail(ErrorCode::bad_data, "a fragment is not sent to servers");
  if (!path.starts_with('/')) path.insert(0, "/");

  HttpProxyHead out;
  out.to = TRY(parse_authority(authority, kHttpPort));
  std::string host = out.to.host();
  if (out.to.address && out.to.address->is_v6()) host = "[" + host + "]";
  if (out.to.port != kHttpPort) host += ":" + std::to_string(out.to.port);
  out.rewritten.append(line.method).append(" ").append(path).append(" ").append(line.version);
  out.rewritten += "\r\nHost: " + host + "\r\n";
  out.rewritten += TRY(forwarded_fields(fields));
  out.rewritten += "Connection: close\r\n\r\n";
  return out;
}

}  // namespace

Result<HttpProxyHead> HttpProxyHead::parse(std::string_view head) {
  const RequestLine line = TRY(parse_request_line(take_line(head)));
  if (line.method != "CONNECT") return parse_forwarded(line, head);
  HttpProxyHead out;
  out.tunnel = true;
  out.to = TRY(parse_authority(line.target, 0));
  TRY(forwarded_fields(head));  // for its checks: a malformed head is malformed here too
  return out;
}

}  // namespace fathom::sandbox
