// RateLimit: so many a second, with a burst. Whoever is over it waits, which is felt as
// back-pressure through the sockets in front of it, and loses nothing.
#pragma once

#include "runtime/async/clock.hpp"

#include <algorithm>
#include <chrono>

namespace fathom::sandbox {

class RateLimit {
 public:
  RateLimit(int per_second, int burst)
      : interval_(Duration(std::chrono::seconds(1)) / per_second), burst_(interval_ * burst) {}

  /// Takes one turn; returns when it may be used: `now` or later.
  Instant take(Instant now) {
    due_ = std::max(due_, now) + interval_;
    return std::max(now, due_ - burst_);
  }

 private:
  Duration interval_;
  Duration burst_;
  Instant due_{};  ///< when all turns taken so far would be used up at the even rate
};

}  // namespace fathom::sandbox
