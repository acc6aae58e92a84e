// LiveOutput: what running tools print, for people who watch. It becomes ephemeral events, a few a
// second however much is printed:
//
//   tool.output {call, text}     what came since the last one, or the end of it
//
// The whole output comes with the result: whatever is dropped here is not lost.
#pragma once

#include "runtime/async/clock.hpp"
#include "runtime/async/signal.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace fathom::agents {

namespace asio = boost::asio;

class LiveOutput {
 public:
  static constexpr Duration kInterval = std::chrono::milliseconds(100);
  static constexpr std::size_t kTextBytesMax = 2048;  ///< of one event
  static constexpr std::size_t kCallsMax = 64;        ///< more do not run at once

  using Write = std::function<void(std::string_view type, std::string data)>;

  LiveOutput(const asio::any_io_executor& executor, Clock& clock)
      : clock_(clock), news_(executor) {}

  void add(const std::string& call, std::string_view bytes);
  /// Until it is cancelled. What was printed before is not of interest any more.
  asio::awaitable<void> follow(Write write);

 private:
  Clock& clock_;
  Signal news_;
  std::map<std::string, std::string, std::less<>> unseen_;  ///< by call
};

}  // namespace fathom::agents
