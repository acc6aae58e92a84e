// Sample: one answer of a model, whole and as it comes.
#pragma once

#include "runtime/base/message.hpp"

#include <cstddef>
#include <cstdint>
#include <string>

namespace fathom::engine {

/// One step of a streamed answer. `text` is valid UTF-8.
struct SampleDelta {
  enum class Kind : std::uint8_t {
    reasoning,
    content,
    call_started,    ///< `text` is the tool's name; its arguments follow
    call_arguments,  ///< a piece of the arguments' JSON
    call_finished,   ///< the pieces so far are the whole arguments
  };

  Kind kind = Kind::content;
  std::size_t call = 0;  ///< counts the calls of this sample from 0
  std::string text;

  friend bool operator==(const SampleDelta&, const SampleDelta&) = default;
};

enum class FinishReason : std::uint8_t { stop, length, tool_calls };

/// `message.calls` are the completed ones, without ids: their owner gives those. Their `raw` joined
/// is the whole block as it was sampled. A call that was cut off is not among them.
struct Sample {
  Message message;
  FinishReason finish = FinishReason::stop;
};

}  // namespace fathom::engine
