#include "engine/text/grammar.hpp"

#include "engine/text/grammar_dsml.hpp"
#include "engine/text/grammar_mask.hpp"
#include "engine/text/grammar_schema.hpp"
#include "runtime/base/ensure.hpp"

#include <algorithm>
#include <mutex>
#include <utility>

namespace fathom::engine {

struct Grammar::Parts {
  Parts(Vocabulary v, Compiled c)
      : vocabulary(std::move(v)), compiled(std::move(c)), masks(compiled.program, *vocabulary) {}
  Parts(const Parts&) = delete;
  Parts& operator=(const Parts&) = delete;

  Vocabulary vocabulary;
  Compiled compiled;
  // A grammar is shared by the sessions of one engine, whose thread is the only one to ask for
  // masks: the lock is for those who count on `const`.
  std::mutex mutex;
  TokenMasks masks;  ///< guarded by mutex
};

Grammar::Grammar(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Grammar::~Grammar() = default;

std::span<const std::string> Grammar::relaxations() const { return parts_->compiled.relaxations; }
std::size_t Grammar::node_count() const { return parts_->compiled.program.nodes.size(); }

std::size_t Grammar::vocabulary_size() const { return parts_->vocabulary->size(); }

Grammar::Made Grammar::make(Vocabulary vocabulary, Compiled compiled) {
  return std::shared_ptr<const Grammar>(std::unique_ptr<Grammar>(
      new Grammar(std::make_unique<Parts>(std::move(vocabulary), std::move(compiled)))));
}

Grammar::Made Grammar::json_schema(Vocabulary vocabulary, std::string_view schema,
                                   Unsupported unsupported) {
  Compiled compiled = TRY(compile_schema(schema, unsupported));
  return make(std::move(vocabulary), std::move(compiled));
}

Grammar::Made Grammar::json_object(Vocabulary vocabulary) {
  return json_schema(std::move(vocabulary), R"({"type":"object"})");
}

Grammar::Made Grammar::tool_calls(Vocabulary vocabulary, std::span<const GrammarTool> tools,
                                  const ToolCallOptions& options) {
  if (!vocabulary->has_marker())
    return fail(ErrorCode::unsupported, "tool calls: this vocabulary has no ｜DSML｜ token");
  Compiled compiled = TRY(compile_tool_calls(tools, options));
  return make(std::move(vocabulary), std::move(compiled));
}

GrammarState::GrammarState(std::shared_ptr<const Grammar> grammar)
    : grammar_(std::move(grammar)),
      stacks_(TokenMasks::start(grammar_->parts_->compiled.program)) {}

bool GrammarState::accept(TokenId token) {
  if (ended_) return false;
  Grammar::Parts& parts = *grammar_->parts_;
  const std::lock_guard lock(parts.mutex);
  if (token == parts.vocabulary->end_of_sequence()) {
    ended_ = parts.masks.may_end(stacks_);
    return ended_;
  }
  const std::string_view bytes = parts.vocabulary->bytes_of(token);
  return !bytes.empty() && parts.masks.accept(stacks_, bytes);
}

void GrammarState::mask(std::span<std::uint64_t> mask) const {
  ENSURE(!ended_, "nothing follows the end of a sequence");
  Grammar::Parts& parts = *grammar_->parts_;
  const std::lock_guard lock(parts.mutex);
  parts.masks.fill(stacks_, mask);
}

bool GrammarState::may_end() const {
  Grammar::Parts& parts = *grammar_->parts_;
  const std::lock_guard lock(parts.mutex);
  return !ended_ && parts.masks.may_end(stacks_);
}

std::string GrammarState::forced(std::size_t bytes_max) const {
  if (ended_) return {};
  Grammar::Parts& parts = *grammar_->parts_;
  const std::lock_guard lock(parts.mutex);
  return parts.masks.forced(stacks_, std::min(bytes_max, kForcedBytesMax));
}

}  // namespace fathom::engine
