// HttpProxyHead: the head of a request to an HTTP proxy, read strictly and, where it is to be
// forwarded, written anew.
#pragma once

#include "runtime/base/result.hpp"
#include "sandbox/egress/destination.hpp"

#include <string>
#include <string_view>

namespace fathom::sandbox {

struct HttpProxyHead {
  bool tunnel = false;  ///< CONNECT
  Destination to;
  /// The head for the destination, in origin-form: Host is the destination's whatever the program
  /// wrote (a proxy that believed it would let one allowed name speak for another), and the
  /// connection closes after the answer, so that a next request is decided on by itself.
  std::string rewritten;

  /// `head` ends with its empty line and has no control bytes but CR LF and tabs.
  static Result<HttpProxyHead> parse(std::string_view head);
};

}  // namespace fathom::sandbox
