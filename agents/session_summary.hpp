// SessionSummary: what a list of sessions says of one, read from its journal alone. No blob is
// opened and nothing is folded into a transcript, so hundreds of journals can be listed at once.
#pragma once

#include "runtime/base/ids.hpp"
#include "runtime/base/message.hpp"
#include "runtime/base/result.hpp"
#include "runtime/trace/event.hpp"

#include <cstdint>
#include <deque>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace fathom::agents {

inline constexpr std::size_t kTaskLineBytes = 200;  // of a user's message
inline constexpr std::size_t kTurnsKept = 100;      // the last ones; `turns` counts all

/// A call that nobody has answered for, or whose answer nobody has acted on yet.
struct WaitingCall {
  std::string call;
  std::string tool;
  std::string arguments;  ///< as they begin, one line
  std::string rule;       ///< of the policy, as all three
  std::string reason;
  std::string grant;            ///< "" where none would do
  std::uint64_t requested = 0;  ///< the event that asks
  std::optional<bool> given;    ///< what the answer was, when one came

  friend bool operator==(const WaitingCall&, const WaitingCall&) = default;
};

struct TurnSummary {
  std::uint64_t turn = 0;
  std::uint64_t first_seq = 0;
  std::uint64_t last_seq = 0;  ///< 0: it is open
  std::string task;            ///< its first line
  std::string reason;
};

enum class SessionStanding : std::uint8_t {
  idle,     ///< no turn is open
  open,     ///< a turn is: it runs, or was interrupted
  waiting,  ///< the open turn waits for an approval
};
[[nodiscard]] std::string_view name_of(SessionStanding standing);

struct SessionSummary {
  RunId run;
  WallTime began{};  ///< the run, not the one it was forked from
  WallTime last{};
  std::uint64_t last_seq = 0;
  bool is_session = false;  ///< else it called a tool, or undid something
  std::string workspace;
  std::string agent;
  std::string engine;
  std::string model;
  std::string task;  ///< first line of its first message
  std::uint64_t turns = 0;
  std::deque<TurnSummary> last_turns;
  std::string reason;                ///< why the last turn ended
  std::vector<WaitingCall> waiting;  ///< in the order in which they were asked
  std::string parent;                ///< the run whose sub-agent it is
  std::string forked_from;           ///< "" for none
  std::uint64_t forked_at = 0;
  // Its own: what a fork's parent spent is the parent's.
  std::uint64_t steps = 0;
  Usage usage;
  std::optional<double> usd;
  std::optional<Error> damage;  ///< what follows it in the journal is not known

  [[nodiscard]] SessionStanding standing() const;
};

/// Of the journal of `run`. What is wrong with it is said in the summary.
SessionSummary summarize(const std::filesystem::path& journal, const RunId& run);

}  // namespace fathom::agents
