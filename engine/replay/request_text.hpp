// The body of a request that nobody is sent: JSON of the setup and the messages, each request
// repeating the one before it but for what closes it.
#pragma once

#include "engine/session/engine.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace fathom::engine {

class RequestText {
 public:
  explicit RequestText(const SessionSetup& setup);

  /// The request with these messages. Only what stands behind the last one's is written anew,
  /// within an epoch.
  PreparedRequest write(const Transcript& transcript, const RequestLimits& limits);

 private:
  std::size_t setup_bytes_;
  std::string body_;
  std::size_t stable_bytes_ = 0;
  std::vector<std::size_t> starts_;
  std::uint64_t epoch_ = 0;
};

}  // namespace fathom::engine
