// RequestParser: bytes in, one HttpRequest out, or the Refusal that answers it. No socket and no
// clock: the connection feeds it, tests and the fuzzer do the same.
#pragma once

#include "runtime/net/http_message.hpp"
#include "runtime/net/refusal.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

namespace fathom::net {

/// A client sends a dozen or two; each costs two allocations.
constexpr std::size_t kRequestFieldsMax = 256;

class RequestParser {
 public:
  enum class State : std::uint8_t {
    head,      ///< the header is not complete
    body,      ///< the header is complete and may be looked at; body bytes are still to come
    complete,  ///< take() the request
    refused,   ///< refusal() says why; the rest of the connection's bytes mean nothing
  };

  /// `header_bytes_max` counts every byte from the method to the blank line; a larger header, or
  /// one of more than kRequestFieldsMax lines, is refused with 431.
  RequestParser(std::size_t header_bytes_max, std::size_t body_bytes_max);
  ~RequestParser();
  RequestParser(const RequestParser&) = delete;
  RequestParser& operator=(const RequestParser&) = delete;

  /// Forgets everything and waits for the next request.
  void reset();

  /// Takes from `bytes` what it can and returns how many bytes that was; the rest must be given
  /// again, with more behind it. Stops after the header, so that a request can be refused before
  /// its body is read.
  std::size_t put(std::string_view bytes);

  [[nodiscard]] State state() const;
  [[nodiscard]] const Refusal& refusal() const;
  /// Valid once the header is complete. The target is in origin form: an absolute one was split,
  /// and its authority took the place of Host (RFC 9112 §3.2.2).
  [[nodiscard]] const HttpRequest& request() const;
  [[nodiscard]] HttpRequest take();

  [[nodiscard]] bool http_1_0() const;
  /// What the client asked for; the server may close all the same.
  [[nodiscard]] bool keep_alive() const;
  /// The client sends its body only after a 100 Continue.
  [[nodiscard]] bool expects_continue() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fathom::net
