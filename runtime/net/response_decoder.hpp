// ResponseDecoder: the bytes a server sends, in; one response's head and body, out. A pure state
// machine around Beast's parser: no socket, no clock, so every malformed answer is a unit test and
// the fuzzer needs no network.
#pragma once

#include "runtime/base/result.hpp"
#include "runtime/net/http_message.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace fathom::net {

/// Status line, header fields and trailers together. Beast's own header limit is not enough:
/// in 1.81 it counts anew whenever a read ends with a whole line, so a peer that sends line by line
/// was never stopped.
constexpr std::size_t kResponseHeadBytesMax = 64 * 1024;
constexpr std::size_t kResponseFieldsMax = 256;
constexpr std::size_t kChunkExtensionBytesMax = 4 * 1024;
/// 1xx responses before the real one.
constexpr int kInterimResponsesMax = 16;

struct ResponseHead {
  unsigned status = 0;
  Headers headers;
};

enum class BodyRule : std::uint8_t {
  by_headers,  ///< as the status and the headers say
  none,        ///< the answer to HEAD or CONNECT: its headers may speak of a body that is not sent
};

class ResponseDecoder {
 public:
  /// A body of more than `body_bytes_max` bytes fails with `too_large`, at once when its length is
  /// announced.
  ResponseDecoder(BodyRule rule, std::uint64_t body_bytes_max);
  ~ResponseDecoder();
  ResponseDecoder(const ResponseDecoder&) = delete;
  ResponseDecoder& operator=(const ResponseDecoder&) = delete;

  /// Takes the next bytes from the peer, not empty. After a failure the decoder is only good for
  /// destruction.
  Result<> feed(std::string_view bytes);
  /// The peer will send no more. Fails with `network` when that cuts the response short.
  Result<> end_of_input();

  [[nodiscard]] bool has_head() const;
  [[nodiscard]] bool is_done() const;
  /// Whether any byte arrived: until then, a dead connection says nothing about the request.
  [[nodiscard]] bool has_started() const { return started_; }
  /// After is_done(): whether the connection stands ready for another request. False also when the
  /// peer sent more than the response: those bytes would be taken for the next one.
  [[nodiscard]] bool is_reusable() const;
  /// After is_done(): whether the peer sent more than the response.
  [[nodiscard]] bool has_excess() const { return !pending_.empty(); }

  /// The head, once, after has_head().
  [[nodiscard]] ResponseHead take_head();
  /// The body bytes that arrived since the last call; at most about as many as were fed.
  [[nodiscard]] std::string take_body();

 private:
  class Parser;
  void restart();

  BodyRule rule_;
  std::uint64_t body_bytes_max_;
  std::unique_ptr<Parser> parser_;
  std::string pending_;  ///< fed, but not yet a whole line
  int interim_responses_ = 0;
  bool started_ = false;
};

}  // namespace fathom::net
