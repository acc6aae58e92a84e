// From the bytes a model samples to what a client is shown: reasoning, content and tool calls, each
// as soon as it is certain and not earlier.
//
//   reasoning ──</think>──► content ──<｜DSML｜tool_calls>, declared invoke──► calls ─┐
//       └──── a block that closes its first invoke ────────────────────────────► calls ─┴─► content
//
// V4 writes calls as text without any escaping, so a marker is only one when nothing speaks against
// it: tools are declared, the invoke names one of them. Markers that could begin are held back;
// when they do not come true they are released as the text they are. What models get wrong in
// practice is put right where the meaning is clear: a missing wrapper, older names for it, odd
// bars, a block inside the reasoning, a block that is not closed.
//
// However the bytes are cut, the joined deltas and the result are the same: every decision looks at
// the bytes alone and holds for every continuation (dsml_fuzz).
#pragma once

#include "engine/text/declared_tools.hpp"
#include "engine/text/dsml_invoke.hpp"
#include "engine/text/sample.hpp"
#include "engine/text/utf8_gate.hpp"
#include "runtime/base/message.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::engine {

enum class EndedBy : std::uint8_t { eos, limit };
struct DsmlOptions {
  enum class Start : std::uint8_t { reasoning, content };
  enum class Calls : std::uint8_t { emit, drop };  ///< drop: tool_choice none

  Start start = Start::reasoning;
  Calls calls = Calls::emit;
};

class DsmlParser {
 public:
  /// Without tools nothing is ever read as a call.
  DsmlParser(DeclaredTools tools, DsmlOptions options);

  /// Takes any number of bytes, cut anywhere, without the end-of-sentence token.
  [[nodiscard]] std::vector<SampleDelta> feed(std::string_view bytes);

  struct Finished {
    std::vector<SampleDelta> deltas;
    Sample sample;
  };
  /// Ends the sample; call it once.
  [[nodiscard]] Finished finish(EndedBy ended_by);

  /// How much is held back until a block is known to be one; then it is text.
  static constexpr std::size_t kHeldBytesMax = 64u << 10;
  static constexpr std::size_t kCallsMax = 128;  ///< further ones of a sample are dropped

 private:
  enum class State : std::uint8_t { text, candidate, call, between_calls, skipping };
  enum class Wrapper : std::uint8_t { absent, open };

  void run(Ending ending);
  [[nodiscard]] bool step(Ending ending);
  [[nodiscard]] bool step_text(Ending ending);
  [[nodiscard]] bool step_behind_block(Ending ending);
  [[nodiscard]] bool step_marker(std::size_t bracket, Ending ending);
  [[nodiscard]] bool step_candidate(Ending ending);
  [[nodiscard]] bool step_trial(std::string_view window, Ending ending);
  [[nodiscard]] bool step_call(Ending ending);
  [[nodiscard]] bool step_between_calls(Ending ending);
  [[nodiscard]] bool step_skipping(Ending ending);

  [[nodiscard]] std::string_view rest() const { return std::string_view(pending_).substr(head_); }
  void drop(std::size_t size) { head_ += size; }
  void emit_text(std::size_t size);
  void flush_text();
  void release(std::size_t size);
  void take_raw(std::size_t size);
  void commit(std::size_t size, const DsmlTag& invoke);
  void start_call(std::string_view name);
  void emit_arguments();
  void finish_call();
  void emit(SampleDelta::Kind kind, std::string text);

  DeclaredTools tools_;
  DsmlOptions options_;
  std::string pending_;  ///< bytes not yet decided, from head_ on
  std::size_t head_ = 0;
  std::vector<SampleDelta> deltas_;
  Sample sample_;

  State state_ = State::text;
  bool reasoning_ = false;     ///< whether text is reasoning
  bool behind_block_ = false;  ///< only blanks so far since a block ended
  Wrapper wrapper_ = Wrapper::absent;
  Utf8Gate gate_;

  // A candidate: what may be a block, from head_ on.
  std::size_t looked_ = 0;  ///< how much of it holds no undecided tag
  bool bare_ = false;       ///< it begins with an invoke, without the wrapper
  std::optional<DsmlInvoke> trial_;
  std::size_t trial_at_ = 0;  ///< where the trial goes on

  // The call being read. Nothing, while its index is beyond kCallsMax.
  std::optional<DsmlInvoke> invoke_;
  ToolCall call_;
  std::string raw_;          ///< sampled bytes of the block since the last finished call
  std::size_t started_ = 0;  ///< calls whose start was sent
  std::size_t sent_ = 0;     ///< bytes of the current call's arguments
};

}  // namespace fathom::engine
