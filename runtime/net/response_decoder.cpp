#include "runtime/net/response_decoder.hpp"

#include "runtime/base/ensure.hpp"
#include "runtime/base/text.hpp"
#include "runtime/net/beast_chunks.hpp"

#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>

#include <utility>

namespace fathom::net {

namespace http = boost::beast::http;
using boost::system::error_code;
using View = boost::beast::string_view;

// Beast parses, this class collects. Deriving from basic_parser rather than using
// response_parser<buffer_body>: the latter drives a caller's buffer through need_buffer errors, and
// its fields container has no bound on their number.
class ResponseDecoder::Parser final : public http::basic_parser<false> {
 public:
  Parser(BodyRule rule, std::uint64_t body_bytes_max) {
    eager(true);
    skip(rule == BodyRule::none);
    header_limit(kResponseHeadBytesMax);
    body_limit(body_bytes_max);
  }

  ResponseHead head;
  std::string body;
  std::uint64_t body_bytes = 0;

  /// Whether Beast can do something with `bytes` more.
  [[nodiscard]] bool can_take(std::string_view bytes) {
    return has_chunk_ || !is_header_done() || !chunked() || !is_cut_last_chunk(bytes);
  }

 private:
  void on_request_impl(http::verb, View, View, int, error_code&) override {}

  void on_response_impl(int code, View reason, int, error_code& ec) override {
    head.status = static_cast<unsigned>(code);
    if (code < 100) ec = http::error::bad_status;
    count(reason.size(), ec);
  }

  void on_field_impl(http::field field, View name, View value, error_code& ec) override {
    count(name.size() + value.size(), ec);
    if (++fields_ > kResponseFieldsMax) ec = http::error::header_limit;
    if (is_header_done()) return;  // a trailer: counted, not kept
    has_length_ |= field == http::field::content_length;
    has_coding_ |= field == http::field::transfer_encoding;
    head.headers.add(std::string(name), std::string(value));
  }

  void on_header_impl(error_code& ec) override {
    if (is_done()) return;  // no body, so its framing does not matter
    // Two lengths for one body are how responses get smuggled; a coding other than chunked cannot
    // be undone here.
    if (has_coding_ && (has_length_ || !chunked())) ec = http::error::bad_transfer_encoding;
  }

  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}

  std::size_t on_body_impl(View bytes, error_code&) override { return take(bytes); }

  void on_chunk_header_impl(std::uint64_t, View extensions, error_code& ec) override {
    has_chunk_ = true;
    if (extensions.size() > kChunkExtensionBytesMax) ec = http::error::bad_chunk_extension;
  }

  std::size_t on_chunk_body_impl(std::uint64_t, View bytes, error_code&) override {
    return take(bytes);
  }

  void on_finish_impl(error_code&) override {}

  void count(std::size_t bytes, error_code& ec) {
    head_bytes_ += bytes + 4;  // the separator and the line end
    if (head_bytes_ > kResponseHeadBytesMax) ec = http::error::header_limit;
  }

  std::size_t take(View bytes) {
    body.append(bytes.data(), bytes.size());
    body_bytes += bytes.size();
    return bytes.size();
  }

  std::size_t head_bytes_ = 0;
  std::size_t fields_ = 0;
  bool has_length_ = false;
  bool has_coding_ = false;
  bool has_chunk_ = false;
};

namespace {

constexpr std::size_t kQuotedBytesMax =
    40;  // enough to recognise SSH, SMTP or TLS in a wrong answer

bool may_become_response(std::string_view bytes) {
  constexpr std::string_view kStart = "HTTP/1.";
  return bytes.substr(0, kStart.size()) == kStart.substr(0, bytes.size());
}

Error broken(std::string what) { return {ErrorCode::protocol, std::move(what)}; }

Error explain(const error_code& ec, std::string_view at, std::uint64_t body_bytes_max) {
  const std::string quoted = "'" + to_printable(clip_prefix(at, kQuotedBytesMax)) + "'";
  if (ec == http::error::body_limit)
    return {ErrorCode::too_large,
            "the response body is larger than " + format_bytes(body_bytes_max)};
  if (ec == http::error::header_limit)
    return {ErrorCode::too_large, "the response head is larger than " +
                                      format_bytes(kResponseHeadBytesMax) + " or " +
                                      std::to_string(kResponseFieldsMax) + " fields"};
  if (ec == http::error::bad_version || ec == http::error::bad_status)
    return broken("the answer is not an HTTP/1.1 response: it begins with " + quoted);
  if (ec == http::error::bad_transfer_encoding)
    return broken(
        "the response gives its body's length in a way that cannot be relied on "
        "(Transfer-Encoding)");
  return broken("the response is malformed (" + ec.message() + ")");
}

Error cut(std::string where) {
  return {ErrorCode::network, "the peer closed the connection " + std::move(where)};
}

}  // namespace

ResponseDecoder::ResponseDecoder(BodyRule rule, std::uint64_t body_bytes_max)
    : rule_(rule), body_bytes_max_(body_bytes_max) {
  restart();
}

ResponseDecoder::~ResponseDecoder() = default;

void ResponseDecoder::restart() { parser_ = std::make_unique<Parser>(rule_, body_bytes_max_); }

Result<> ResponseDecoder::feed(std::string_view bytes) {
  ENSURE(!bytes.empty(), "the end of the stream is told by end_of_input");
  started_ = true;
  pending_ += bytes;
  std::string_view rest = pending_;
  while (!rest.empty() && !parser_->is_done() && parser_->can_take(rest)) {
    const std::string_view at = rest;
    // Beast, given an unfinished line, parses nothing until it has a blank line: a mail server's
    // greeting that came in two pieces would be waited on until the timeout.
    if (parser_->head.status == 0 && !may_become_response(rest))
      return fail(explain(http::error::bad_version, at, body_bytes_max_));
    error_code ec;
    const std::size_t taken = parser_->put({rest.data(), rest.size()}, ec);
    rest.remove_prefix(taken);
    if (ec == http::error::need_more) break;
    if (ec) return fail(explain(ec, at, body_bytes_max_));
    if (parser_->is_done() && parser_->head.status < 200) {
      if (parser_->head.status == 101)
        return fail(broken("the server switched protocols without being asked"));
      if (++interim_responses_ > kInterimResponsesMax)
        return fail(broken("the server sent more than " + std::to_string(kInterimResponsesMax) +
                           " interim (1xx) responses"));
      restart();
    }
  }
  pending_.erase(0, pending_.size() - rest.size());
  if (pending_.size() > kResponseHeadBytesMax && !parser_->is_done())
    return fail(explain(http::error::header_limit, pending_, body_bytes_max_));
  return {};
}

Result<> ResponseDecoder::end_of_input() {
  if (is_done()) return {};
  if (!started_) return fail(cut("without a response"));
  if (!has_head()) return fail(cut("in the middle of the response head"));
  error_code ec;
  parser_->put_eof(ec);
  if (ec) return fail(cut("in the middle of the body, after " + format_bytes(parser_->body_bytes)));
  return {};
}

bool ResponseDecoder::has_head() const { return parser_->is_header_done(); }

bool ResponseDecoder::is_done() const { return parser_->is_done(); }

bool ResponseDecoder::is_reusable() const {
  return is_done() && pending_.empty() && parser_->keep_alive();
}

ResponseHead ResponseDecoder::take_head() {
  ENSURE(has_head(), "take_head() follows has_head()");
  // The status stays: feed() still tells interim responses by it.
  return {parser_->head.status, std::exchange(parser_->head.headers, {})};
}

std::string ResponseDecoder::take_body() { return std::exchange(parser_->body, {}); }

}  // namespace fathom::net
