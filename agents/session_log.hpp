// SessionLog: the one place where a session changes. What happened is written into the journal and
// applied to the state, in this order: what is not in the journal has not happened.
#pragma once

#include "agents/session_state.hpp"
#include "engine/session/session_events.hpp"
#include "runtime/async/offload.hpp"
#include "runtime/base/result.hpp"
#include "runtime/trace/blob_store.hpp"
#include "runtime/trace/event.hpp"

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace fathom::agents {

namespace asio = boost::asio;

class SessionLog {
 public:
  using Append = std::function<Result<trace::Position>(trace::EventDraft)>;

  /// `blobs` and `offload` outlive it.
  SessionLog(Append append, const trace::BlobStore& blobs, OffloadPool& offload,
             SessionState state = {})
      : append_(std::move(append)), blobs_(blobs), offload_(offload), state_(std::move(state)) {}

  /// Gives the seq of the event.
  asio::awaitable<Result<std::uint64_t>> add(engine::SessionEvent event);
  /// An event that is not part of the state: retries, guards' stops, compaction's beginning.
  Result<std::uint64_t> note(std::string_view type, std::string data);
  /// Keeps text beside the journal, and gives its name there (`sha256:…`).
  asio::awaitable<Result<std::string>> keep(std::string text);
  /// For tools::Dispatcher, whose events say how the calls of the last answer come along.
  Result<trace::Position> write(trace::EventDraft draft);

  [[nodiscard]] const SessionState& state() const { return state_; }
  [[nodiscard]] const trace::BlobStore& blobs() const { return blobs_; }

 private:
  Append append_;
  const trace::BlobStore& blobs_;
  OffloadPool& offload_;
  SessionState state_;
};

}  // namespace fathom::agents
