#include "runtime/net/request_parser.hpp"

#include "runtime/base/ensure.hpp"
#include "runtime/net/beast_chunks.hpp"

#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>

#include <algorithm>
#include <array>
#include <limits>
#include <optional>

namespace fathom::net {
namespace {

namespace http = boost::beast::http;
using boost::system::error_code;

// A Content-Length is only a claim: more than this is not set aside before the bytes are there.
constexpr std::size_t kBodyReserveMax = 1 << 20;

bool is_known_method(std::string_view method) {
  constexpr std::array<std::string_view, 7> kMethods{"GET",   "POST",   "HEAD",   "PUT",
                                                     "PATCH", "DELETE", "OPTIONS"};
  return std::ranges::find(kMethods, method) != kMethods.end();
}

std::string_view view(boost::beast::string_view text) { return {text.data(), text.size()}; }

Refusal bad_request(std::string message) { return {400, "bad_request", std::move(message), {}}; }

Refusal refusal_of(const error_code& ec) {
  if (ec == http::error::header_limit)
    return {431, "headers_too_large", "the request's header is too large", {}};
  if (ec == http::error::body_limit)
    return {413, "body_too_large", "the request's body is too large", {}};
  return bad_request("malformed request: " + ec.message());
}

/// Finds the end of a header that arrives in any number of pieces, and bounds it. Beast gets the
/// header only when it is whole: 1.81 takes whatever whole lines a read has, counts its
/// header_limit anew for the rest, and has no bound on the fields; and once a read has ended within
/// a line it judges nothing before the blank line. So how a client cut its bytes decided whether a
/// header was too large, and when it was found malformed.
class HeadScan {
 public:
  explicit HeadScan(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  /// The size of the header at the front of `bytes` once it is whole, 0 until then. `bytes` begins
  /// with the header each time.
  std::size_t end_in(std::string_view bytes, std::optional<Refusal>& refusal) {
    bytes = bytes.substr(0, bytes_max_);
    // TLS spoken to a plain port, for one, would never get to a line's end.
    if (!bytes.empty() && !is_letter(bytes[0])) return refuse(refusal, http::error::bad_method);
    for (;;) {
      const std::size_t lf = bytes.find('\n', std::max(line_, searched_));
      searched_ = bytes.size();
      if (lf == std::string_view::npos) break;
      if (bytes[lf - 1] != '\r') return refuse(refusal, http::error::bad_line_ending);
      if (lf == line_ + 1) return lf + 1;
      if (++lines_ > 1 + kRequestFieldsMax) return refuse(refusal, http::error::header_limit);
      searched_ = line_ = lf + 1;
    }
    if (bytes.size() == bytes_max_) return refuse(refusal, http::error::header_limit);
    return 0;
  }

 private:
  static bool is_letter(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }

  static std::size_t refuse(std::optional<Refusal>& refusal, http::error why) {
    refusal = refusal_of(why);
    return 0;
  }

  std::size_t bytes_max_;
  std::size_t line_ = 0;      ///< where the unfinished line begins
  std::size_t searched_ = 0;  ///< no line feed between line_ and here
  std::size_t lines_ = 0;
};

/// Beast's parser with its findings put straight into our values: its own message type would hold
/// every field twice over, once there and once here.
class Parser final : public http::basic_parser<true> {
 public:
  HttpRequest request;
  std::optional<Refusal> refusal;
  bool http_1_0 = false;
  bool has_chunk = false;

 private:
  void on_request_impl(http::verb, boost::beast::string_view method,
                       boost::beast::string_view target, int version, error_code& ec) override {
    http_1_0 = version < 11;
    if (!is_known_method(view(method)))
      return refuse({501, "not_implemented", "the request's method is not supported", {}}, ec);
    request.method = view(method);
    request.target = view(target);
  }

  void on_field_impl(http::field field, boost::beast::string_view name,
                     boost::beast::string_view value, error_code& ec) override {
    // After the header these are trailers. They would slip past every check of the header, so they
    // are dropped.
    if (is_header_done()) return;
    if (field == http::field::host && request.headers.find("Host"))
      return refuse(bad_request("more than one Host"), ec);
    if (field == http::field::transfer_encoding) check_transfer_encoding(view(value), ec);
    request.headers.add(std::string(view(name)), std::string(view(value)));
  }

  // A coding that we do not undo would leave a body whose end we do not know: requests hidden in it
  // would be taken for ours (request smuggling).
  void check_transfer_encoding(std::string_view value, error_code& ec) {
    if (http_1_0) return refuse(bad_request("Transfer-Encoding does not exist in HTTP/1.0"), ec);
    if (!equal_ignoring_case(value, "chunked"))
      refuse({501, "not_implemented", "no Transfer-Encoding but chunked is supported", {}}, ec);
  }

  void on_header_impl(error_code& ec) override {
    if (!http_1_0 && !request.headers.find("Host"))
      return refuse(bad_request("Host is missing"), ec);
    constexpr std::string_view kScheme = "http://";
    if (equal_ignoring_case(std::string_view(request.target).substr(0, kScheme.size()), kScheme)) {
      const std::size_t path =
          std::min(request.target.find_first_of("/?", kScheme.size()), request.target.size());
      request.headers.set("Host", request.target.substr(kScheme.size(), path - kScheme.size()));
      request.target.erase(0, path);
      if (!request.target.starts_with('/')) request.target.insert(0, "/");
    }
    const bool asks_server = request.target == "*" && request.method == "OPTIONS";
    if (!request.target.starts_with('/') && !asks_server)
      refuse(bad_request("the request's target is not a path"), ec);
  }

  void on_body_init_impl(const boost::optional<std::uint64_t>& length, error_code&) override {
    if (length)
      request.body.reserve(
          static_cast<std::size_t>(std::min<std::uint64_t>(*length, kBodyReserveMax)));
  }

  std::size_t on_body_impl(boost::beast::string_view body, error_code&) override {
    request.body.append(body.data(), body.size());
    return body.size();
  }

  std::size_t on_chunk_body_impl(std::uint64_t, boost::beast::string_view body,
                                 error_code&) override {
    request.body.append(body.data(), body.size());
    return body.size();
  }

  void on_chunk_header_impl(std::uint64_t, boost::beast::string_view, error_code&) override {
    has_chunk = true;
  }

  void on_response_impl(int, boost::beast::string_view, int, error_code&) override {}
  void on_finish_impl(error_code&) override {}

  void refuse(Refusal why, error_code& ec) {
    refusal = std::move(why);
    ec = http::error::bad_value;  // any error stops the parser
  }
};

}  // namespace

struct RequestParser::Impl {
  std::size_t header_bytes_max;
  std::size_t body_bytes_max;
  std::optional<Parser> parser{};
  HeadScan scan{header_bytes_max};
};

RequestParser::RequestParser(std::size_t header_bytes_max, std::size_t body_bytes_max)
    : impl_(std::make_unique<Impl>(header_bytes_max, body_bytes_max)) {
  reset();
}

RequestParser::~RequestParser() = default;

void RequestParser::reset() {
  Parser& parser = impl_->parser.emplace();  // Beast's parsers serve one message
  parser.header_limit(std::numeric_limits<std::uint32_t>::max());  // HeadScan bounds it
  parser.body_limit(impl_->body_bytes_max);
  impl_->scan = HeadScan(impl_->header_bytes_max);
}

std::size_t RequestParser::put(std::string_view bytes) {
  Parser& parser = *impl_->parser;
  ENSURE(state() == State::head || state() == State::body, "a finished parser is reset first");
  if (!parser.is_header_done()) {
    bytes = bytes.substr(0, impl_->scan.end_in(bytes, parser.refusal));
    if (bytes.empty()) return 0;
  } else if (parser.chunked() && !parser.has_chunk && is_cut_last_chunk(bytes)) {
    return 0;
  }
  parser.eager(parser.is_header_done());
  error_code ec;
  const std::size_t taken = parser.put({bytes.data(), bytes.size()}, ec);
  // A whole header that is not enough ends within its first line ("GET / HT").
  if (ec == http::error::need_more)
    ec = parser.is_header_done() ? error_code() : error_code(http::error::bad_version);
  if (ec && !parser.refusal) parser.refusal = refusal_of(ec);
  return taken;
}

RequestParser::State RequestParser::state() const {
  const Parser& parser = *impl_->parser;
  if (parser.refusal) return State::refused;
  if (parser.is_done()) return State::complete;
  return parser.is_header_done() ? State::body : State::head;
}

const Refusal& RequestParser::refusal() const { return *impl_->parser->refusal; }
const HttpRequest& RequestParser::request() const { return impl_->parser->request; }
HttpRequest RequestParser::take() { return std::move(impl_->parser->request); }
bool RequestParser::http_1_0() const { return impl_->parser->http_1_0; }
bool RequestParser::keep_alive() const {
  return impl_->parser->is_header_done() && impl_->parser->keep_alive();
}

bool RequestParser::expects_continue() const {
  return !http_1_0() && equal_ignoring_case(request().headers.get("Expect"), "100-continue");
}

}  // namespace fathom::net
