// TranscriptFold: from a session's events to the transcript that its next request shows the model.
#pragma once

#include "engine/session/session_events.hpp"

namespace fathom::engine {

class TranscriptFold {
 public:
  void add(const SessionEvent& event);

  /// Results stand behind the answer that called for them, in the order of its calls, whatever the
  /// order in which they came. A result that nobody called for is left out: it was a sub-agent's.
  [[nodiscard]] const Transcript& transcript() const { return transcript_; }

 private:
  void add_result(const ToolResult& result);

  Transcript transcript_;
};

}  // namespace fathom::engine
