// AnswerDraft: an answer while it comes, whichever wire format it comes in, and what is put right
// when it is whole.
//
// Calls are what goes wrong. In this order, and noted in Answered::repaired:
//   cut by the length limit   a call whose arguments are no whole object is dropped, never mended
//   not JSON                  fences, trailing commas and missing closing brackets (call_repair)
//   calls as text             a server without a tool parser leaves V4's markup in the content
//   not wanted                calls are dropped when the request allowed none
#pragma once

#include "engine/session/engine.hpp"

#include <cstddef>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::engine {

/// Reasoning, content and arguments together. The longest answer documented is 384k tokens.
inline constexpr std::size_t kAnswerBytesMax = 16u << 20;
inline constexpr std::size_t kToolNameBytesMax = 256;

/// What an answer is read against.
struct AnswerContext {
  std::vector<ToolDeclaration> tools;
  bool may_call = true;
};

class AnswerDraft {
 public:
  explicit AnswerDraft(const AnswerContext& context) : context_(context) {}

  // Each fails with a Fault of class format when a bound is exceeded.
  using Step = std::expected<void, Fault>;
  Step add_reasoning(std::string text, std::vector<SampleDelta>& deltas);
  Step add_content(std::string text, std::vector<SampleDelta>& deltas);
  /// A further call; it is number calls().size() - 1.
  Step open_call(std::string id);
  /// A piece of the name, or all of it once more. Ignored once arguments have come.
  Step add_name(std::size_t call, std::string_view text);
  Step add_arguments(std::size_t call, std::string text, std::vector<SampleDelta>& deltas);
  void set_id(std::size_t call, std::string id);

  [[nodiscard]] std::size_t call_count() const { return calls_.size(); }
  [[nodiscard]] const ToolCall& call(std::size_t at) const { return calls_[at].call; }
  /// Whether anything was said at all.
  [[nodiscard]] bool empty() const;
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

  struct Settled {
    Sample sample;
    std::string repaired;
    /// Which of the opened calls are in the sample, by number; none when they came as text.
    std::vector<std::size_t> kept;
  };
  /// Call it once. `finish` is what the server said; tool_calls counts as stop.
  std::expected<Settled, Fault> settle(FinishReason finish, std::vector<SampleDelta>& deltas);

 private:
  struct Draft {
    ToolCall call;
    bool announced = false;
  };

  Step count(std::size_t bytes);
  void announce(std::size_t call, std::vector<SampleDelta>& deltas);
  void mend_calls(Settled& settled);
  void read_calls_in_text(Settled& settled, FinishReason finish, std::vector<SampleDelta>& deltas);

  const AnswerContext& context_;
  std::string reasoning_;
  std::string content_;
  std::vector<Draft> calls_;
  std::size_t bytes_ = 0;
};

}  // namespace fathom::engine
