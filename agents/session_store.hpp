// Sessions as they are kept: which there are, a copy of one up to some event, and an end of one.
#pragma once

#include "agents/run_store.hpp"
#include "agents/session_summary.hpp"
#include "runtime/async/clock.hpp"
#include "runtime/base/ids.hpp"
#include "runtime/base/result.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace fathom::agents {

inline constexpr std::size_t kListedMax = 1'000;
inline constexpr std::size_t kRunsLookedAtMax = 10'000;  // most may be calls of single tools

struct SessionList {
  std::vector<SessionSummary> sessions;  ///< the newest first
  bool has_more = false;
};

/// At most `limit` (and kListedMax). A journal that is damaged is listed with its error, also where
/// nobody can tell any more whether it was a session's.
Result<SessionList> list_sessions(const RunStore& runs, std::size_t limit);
/// The one that began last; `not_found` when there is none.
Result<RunId> newest_session(const RunStore& runs);

struct ForkPoint {
  RunId from;
  std::optional<std::uint64_t> seq;  ///< its last event; absent: the last boundary
};

/// Makes the session of a new run `as`: the events of `from` up to a boundary as they are (their
/// numbers, causes and times too), then `run.forked {from, seq}`. A boundary is an event after
/// which no call waits for its result. The run appears whole or not at all. Gives the seq.
///
/// Errors: `usage` for an event that is no boundary, naming the nearest ones; those of reading
/// what comes before the boundary. Blocks on files.
Result<std::uint64_t> fork_session(const RunStore& runs, const ForkPoint& point, const RunId& as,
                                   const Clock& clock);

struct Removed {
  std::uint64_t bytes = 0;
  std::uint64_t outputs = 0;  ///< files of whole outputs
};

/// The journal of a run, what a recovery put beside it, and its whole outputs. Blobs and snapshots
/// are shared with other runs and stay. `in_use` while a process appends to the journal.
Result<Removed> remove_run(const RunStore& runs, const RunId& run);

}  // namespace fathom::agents
