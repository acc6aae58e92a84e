// Lets text through in whole code points: a stream may be cut anywhere, what it is shown as may
// not.
#pragma once

#include <string>
#include <string_view>

namespace fathom::engine {

class Utf8Gate {
 public:
  /// What of all bytes so far can be passed on now. Bytes that are not UTF-8 become U+FFFD, the
  /// same ones however the stream was cut.
  [[nodiscard]] std::string pass(std::string_view bytes);

  /// What was held back, now that nothing follows.
  [[nodiscard]] std::string flush();

 private:
  std::string held_;  ///< the start of a code point
};

}  // namespace fathom::engine
