// Approvals: who says whether a call may do what the policy leaves open.
#pragma once

#include "runtime/async/signal.hpp"
#include "tools/dispatch.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::agents {

class Approvals {
 public:
  enum class Who : std::uint8_t {
    everything,  ///< --yes
    person,      ///< asked at the terminal
    later        ///< nobody is here: the run waits for `fathom approve`
  };

  explicit Approvals(const asio::any_io_executor& executor) : changed_(executor) {}

  /// `ask` shows a question to the person; this outlives the answer.
  tools::Approver approver(
      Who who, std::function<void(const ToolCall& call, const policies::Decision& why)> ask);

  /// A line that was typed. False when nothing is asked: then it means something else. "y" is yes
  /// once, "a" for everything that the same rule asks about, all else no.
  bool answer(std::string_view line);

 private:
  asio::awaitable<tools::Approval> ask_person(const ToolCall& call, const policies::Decision& why);

  std::function<void(const ToolCall&, const policies::Decision&)> ask_;
  std::vector<std::string> always_;  ///< rules
  std::string rule_;                 ///< that is asked about
  bool asking_ = false;
  std::optional<tools::Approval> answer_;
  Signal changed_;
};

}  // namespace fathom::agents
