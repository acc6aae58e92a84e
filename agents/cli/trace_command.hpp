// fathom trace: show, follow and replay a run's journal.
#pragma once

#include "agents/cli/terminal.hpp"
#include "runtime/async/clock.hpp"
#include "runtime/base/result.hpp"
#include "runtime/trace/event.hpp"

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace fathom::agents {

enum class TraceFormat : unsigned char { human, json };

struct TraceOptions {
  std::filesystem::path file;
  TraceFormat format = TraceFormat::human;
  std::vector<std::string> types;  ///< whole types or families ("tool."); empty shows all
  std::uint64_t after_seq = 0;
  std::uint64_t last = 10;  ///< tail: how many events to begin with
  bool follow = true;       ///< tail: wait for more
  double speed = 1;         ///< replay: times as fast as recorded; 0 does not wait at all
  Duration gap_max = std::chrono::seconds(2);  ///< replay: longer pauses are shortened to this
  std::string blob;                            ///< blob: its name
};

/// A type filter nobody could have meant is a usage error with the nearest known family.
Result<> check_types(const std::vector<std::string>& types);

/// Prints the journal. Events before a damaged place are printed, then the damage is the error.
Result<> trace_show(const TraceOptions& options, Terminal& terminal);

/// Prints the last events, then waits for more until the run has finished.
asio::awaitable<Result<>> trace_tail(TraceOptions options, Terminal& terminal, Clock& clock);

/// Prints the events at the pace they were recorded.
asio::awaitable<Result<>> trace_replay(TraceOptions options, Terminal& terminal, Clock& clock);

/// Prints what an event keeps beside the journals, byte for byte.
Result<> trace_blob(const TraceOptions& options, const GetEnv& env, Terminal& terminal);

/// One event as a line for people: seq, time of day, type, data clipped to `columns` (0: whole).
[[nodiscard]] std::string to_line(const trace::Event& event, const Terminal& terminal,
                                  std::size_t columns);

}  // namespace fathom::agents
