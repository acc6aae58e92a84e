// Dispatcher: the one path of every tool call.
//
//   validate (schema) -> intent -> decide (policy) -> ask -> snapshot -> run -> clip -> trace
//
// Whatever a model sends, the answer is a ToolResult: only a trace that can no longer be written is
// an error of dispatch itself, because what is not in the journal has not happened.
#pragma once

#include "policies/policy.hpp"
#include "runtime/async/clock.hpp"
#include "runtime/async/offload.hpp"
#include "runtime/async/task_group.hpp"
#include "runtime/base/message.hpp"
#include "runtime/trace/blob_store.hpp"
#include "runtime/trace/event.hpp"
#include "tools/clip.hpp"
#include "tools/output_files.hpp"
#include "tools/tool_set.hpp"

#include <boost/asio/awaitable.hpp>

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::tools {

inline constexpr std::size_t kCallsAtOnceMax = 8;  // read-only ones, side by side

/// Where events go; the journal of the run. Gives the place of the event.
using EventSink = std::function<Result<trace::Position>(trace::EventDraft)>;

/// Asks whoever may widen what the policy left open. Absent: nobody is there, which is a denial.
/// `later`: who could say is not there now; the call stays open, neither run nor answered.
enum class Approval : std::uint8_t { given, refused, later };
using Approver =
    std::function<asio::awaitable<Approval>(const ToolCall& call, const policies::Decision& why)>;

/// Takes the state of the workspace before it is written; gives a name for the trace. Absent: no
/// undo.
using Snapshotter = std::function<asio::awaitable<Result<std::string>>(const ToolCall& call)>;

struct DispatchServices {
  Clock& clock;
  OffloadPool& offload;
  const policies::Policy& policy;
  std::string workspace;  ///< absolute, links resolved: its git directories are nobody's to write
  EventSink events;
  const trace::BlobStore* blobs =
      nullptr;                     ///< may be absent: then long arguments are cut in events
  OutputFiles* outputs = nullptr;  ///< may be absent: then cut text is only in its blob
  Approver approve;
  Snapshotter snapshot;
  ClipOptions clip;
  std::function<void(const std::string& call_id, std::string_view)> on_output;  ///< may be empty
};

/// A result, and why, for callers that are programs.
struct CallReport {
  ToolResult result;
  std::string data = "{}";      ///< the tool's structured answer
  policies::Decision decision;  ///< of a call that was well formed
  std::optional<Error> error;   ///< of a failed call; `unsupported` will not get better
  bool suspended = false;       ///< it waits for an approval: there is no result yet
  bool malformed = false;       ///< no such tool, or arguments that it never takes
  bool text_cut = false;
  bool wrote = false;  ///< the tool named files that it wrote
};

class Dispatcher {
 public:
  /// `tools` and what the services refer to outlive this.
  Dispatcher(const ToolSet& tools, DispatchServices services);

  asio::awaitable<Result<CallReport>> dispatch(ToolCall call);

  /// All calls of one sample: read-only neighbours side by side, writers alone, reports in call
  /// order. Behind one that is suspended none is begun.
  asio::awaitable<Result<std::vector<CallReport>>> dispatch_all(std::vector<ToolCall> calls);

  /// Ends one running call, whose result is then `cancelled`. Cancelling the caller of dispatch
  /// instead unwinds; either way the trace says so.
  void cancel(std::string_view call_id);

 private:
  struct Prepared;
  struct Asked;
  Result<std::uint64_t> emit(std::string_view type, std::string data, std::uint64_t cause) const;
  asio::awaitable<Result<Prepared>> prepare(ToolCall call);
  asio::awaitable<Result<CallReport>> carry_out(Prepared& call);
  asio::awaitable<Result<CallReport>> go(Prepared& call);
  [[nodiscard]] policies::Decision decide(const Prepared& call) const;
  asio::awaitable<Result<Asked>> ask(const Prepared& call);
  asio::awaitable<Result<>> take_snapshot(const Prepared& call);
  asio::awaitable<Result<ToolOutput>> perform(const Prepared& call);
  asio::awaitable<void> run_into(const Prepared& call,
                                 std::optional<Result<ToolOutput>>& into) const;
  asio::awaitable<Result<CallReport>> finish(const Prepared& call, CallReport report,
                                             ToolOutput output);
  asio::awaitable<void> fill(ToolOutput& output, CallReport& report);
  asio::awaitable<std::string> body(std::string_view text);

  const ToolSet& tools_;
  DispatchServices services_;
  std::map<std::string, TaskGroup*, std::less<>> running_;
};

}  // namespace fathom::tools
