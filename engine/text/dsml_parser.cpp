#include "engine/text/dsml_parser.hpp"

#include "engine/text/dsml_tag.hpp"
#include "engine/text/special_token.hpp"
#include "runtime/base/text.hpp"

#include <algorithm>
#include <utility>

namespace fathom::engine {
namespace {

using Kind = DsmlTag::Kind;
using special::kThinkEnd;

constexpr std::size_t kNewlinesOfBlock = 2;  // what the template puts before a block

bool begins(std::string_view whole, std::string_view part) {
  return part.size() < whole.size() && whole.starts_with(part);
}

std::size_t skip_blanks(std::string_view text) {
  return std::min(text.find_first_not_of(" \t\r\n"), text.size());
}

// How many bytes of `text`, from its start, cannot be or hold a `</think>`.
std::size_t before_think_end(std::string_view text) {
  if (const std::size_t at = text.find(kThinkEnd); at != std::string_view::npos) return at;
  for (std::size_t size = std::min(kThinkEnd.size() - 1, text.size()); size > 0; --size)
    if (text.ends_with(kThinkEnd.substr(0, size))) return text.size() - size;
  return text.size();
}

}  // namespace

DsmlParser::DsmlParser(DeclaredTools tools, DsmlOptions options)
    : tools_(std::move(tools)),
      options_(options),
      reasoning_(options.start == DsmlOptions::Start::reasoning) {
  sample_.message.role = Role::assistant;
}

std::vector<SampleDelta> DsmlParser::feed(std::string_view bytes) {
  pending_ += bytes;
  run(Ending::open);
  pending_.erase(0, std::exchange(head_, 0));
  return std::exchange(deltas_, {});
}

DsmlParser::Finished DsmlParser::finish(EndedBy ended_by) {
  run(Ending::final);
  flush_text();
  const bool called = !sample_.message.calls.empty();
  sample_.finish = ended_by == EndedBy::limit ? FinishReason::length
                   : called                   ? FinishReason::tool_calls
                                              : FinishReason::stop;
  return {std::exchange(deltas_, {}), std::move(sample_)};
}

void DsmlParser::run(Ending ending) {
  while (step(ending)) {
  }
}

// One decision; false when there is nothing more to decide yet.
bool DsmlParser::step(Ending ending) {
  switch (state_) {
    case State::text:
      return behind_block_ ? step_behind_block(ending) : step_text(ending);
    case State::candidate:
      return step_candidate(ending);
    case State::call:
      return step_call(ending);
    case State::between_calls:
      return step_between_calls(ending);
    case State::skipping:
      return step_skipping(ending);
  }
  return false;
}

bool DsmlParser::step_text(Ending ending) {
  const std::string_view text = rest();
  const std::size_t plain = std::min(text.find_first_of("<\n"), text.size());
  if (plain > 0) {
    emit_text(plain);
    return true;
  }
  if (text.empty()) return false;
  const std::size_t bracket = std::min(text.find_first_not_of('\n'), text.size());
  if (bracket == text.size() && ending == Ending::open) {
    // These may be the newlines that belong to a block.
    if (bracket <= kNewlinesOfBlock) return false;
    emit_text(bracket - kNewlinesOfBlock);
    return true;
  }
  if (bracket == text.size() || text[bracket] != '<') {
    emit_text(bracket);
    return true;
  }
  if (bracket > kNewlinesOfBlock) {
    emit_text(bracket - kNewlinesOfBlock);
    return true;
  }
  return step_marker(bracket, ending);
}

// Blanks behind a block are dropped, unless text follows them.
bool DsmlParser::step_behind_block(Ending ending) {
  const std::string_view text = rest();
  const std::size_t bracket = skip_blanks(text);
  if (bracket == text.size() && bracket < kHeldBytesMax) {
    if (ending == Ending::final) drop(bracket);
    return false;
  }
  if (bracket >= kHeldBytesMax || text[bracket] != '<') {
    behind_block_ = false;
    return true;
  }
  return step_marker(bracket, ending);
}

// A `<` stands behind `bracket` bytes of blanks that share its fate.
bool DsmlParser::step_marker(std::size_t bracket, Ending ending) {
  const std::string_view text = rest().substr(bracket);
  if (text.starts_with(kThinkEnd)) {
    if (!behind_block_) emit_text(bracket);
    drop(kThinkEnd.size() + (behind_block_ ? bracket : 0));
    if (reasoning_) flush_text();
    reasoning_ = false;  // in content it is a stray one
    return true;
  }
  if (ending == Ending::open && begins(kThinkEnd, text)) return false;
  DsmlTag tag;
  if (!tools_.empty()) tag = read_tag(text);
  if (tag.kind == Kind::cut && ending == Ending::open) return false;
  if (tag.kind == Kind::close_calls && wrapper_ == Wrapper::open) {
    wrapper_ = Wrapper::absent;  // of a block that had ended without it
    drop(bracket + tag.size);
    return true;
  }
  bare_ = tag.kind == Kind::open_invoke && tools_.find(tag.name) != nullptr;
  if (bare_ || tag.kind == Kind::open_calls) {
    state_ = State::candidate;
    looked_ = bracket + (bare_ ? 0 : tag.size);
    trial_.reset();
    return true;
  }
  behind_block_ = false;
  emit_text(bracket + 1);
  return true;
}

// Looks for the first invoke of a declared tool. In content and behind a wrapper that is enough; a
// bare invoke, or any block inside the reasoning, must also close: it may be prose about the
// syntax.
bool DsmlParser::step_candidate(Ending ending) {
  const std::string_view window = rest().substr(0, kHeldBytesMax);
  const bool full = window.size() == kHeldBytesMax;
  const Ending window_ending = full ? Ending::open : ending;
  if (trial_) return step_trial(window, window_ending);
  looked_ = std::min(window.find('<', looked_), window.size());
  const std::string_view text = window.substr(looked_);
  const bool decided = full || ending == Ending::final;
  if (text.empty() || (reasoning_ && begins(kThinkEnd, text))) {
    if (decided) release(window.size());
    return decided;
  }
  if (reasoning_ && text.starts_with(kThinkEnd)) {
    release(looked_);
    return true;
  }
  const DsmlTag tag = read_tag(text);
  if (tag.kind == Kind::cut) {
    if (decided) release(window.size());
    return decided;
  }
  if (tag.kind == Kind::close_calls) {
    release(looked_ + tag.size);
    return true;
  }
  const DeclaredTool* tool = tag.kind == Kind::open_invoke ? tools_.find(tag.name) : nullptr;
  if (!tool) {
    ++looked_;
  } else if (bare_ || reasoning_) {
    trial_.emplace(*tool, DsmlInvoke::Rules::strict);
    trial_at_ = looked_ + tag.size;
  } else {
    commit(looked_ + tag.size, tag);
  }
  return true;
}

bool DsmlParser::step_trial(std::string_view window, Ending ending) {
  trial_at_ += trial_->read(window.substr(trial_at_), ending);
  const DsmlInvoke::State state = trial_->state();
  if (state == DsmlInvoke::State::open) {
    const bool decided = window.size() == kHeldBytesMax || ending == Ending::final;
    if (decided) release(window.size());
    return decided;
  }
  if (state == DsmlInvoke::State::broken || (bare_ && !trial_->has_required())) {
    release(trial_at_);
    return true;
  }
  const DsmlTag tag = read_tag(window.substr(looked_));
  commit(looked_ + tag.size, tag);
  return true;
}

// Declares the first `size` bytes of a candidate to be the start of a block, up to its first
// invoke.
void DsmlParser::commit(std::size_t size, const DsmlTag& invoke) {
  const std::string name(invoke.name);
  wrapper_ = bare_ ? Wrapper::absent : Wrapper::open;
  flush_text();
  reasoning_ = false;
  behind_block_ = false;
  trial_.reset();
  raw_.clear();
  take_raw(size);
  start_call(name);
}

void DsmlParser::start_call(std::string_view name) {
  const DeclaredTool* tool = tools_.find(name);
  invoke_.emplace(*tool, DsmlInvoke::Rules::lenient);
  call_ = {};
  call_.name = name;
  sent_ = 0;
  state_ = State::call;
  emit(SampleDelta::Kind::call_started, std::string(name));
}

bool DsmlParser::step_call(Ending ending) {
  const std::size_t taken = invoke_->read(rest(), ending);
  take_raw(taken);
  emit_arguments();
  switch (invoke_->state()) {
    case DsmlInvoke::State::open:
      return false;
    case DsmlInvoke::State::closed:
      finish_call();
      state_ = State::between_calls;
      return true;
    case DsmlInvoke::State::closed_with_calls:
      finish_call();
      wrapper_ = Wrapper::absent;
      state_ = State::text;
      behind_block_ = true;
      return true;
    case DsmlInvoke::State::broken:
      ++started_;  // it stays as it is, unfinished
      state_ = State::between_calls;
      return true;
  }
  return false;
}

// Behind an invoke: a further one, the end of the block, or text that ends it all the same.
bool DsmlParser::step_between_calls(Ending ending) {
  const std::string_view text = rest();
  const std::size_t bracket = skip_blanks(text);
  const auto end_block = [&] {
    if (!sample_.message.calls.empty()) sample_.message.calls.back().raw += raw_;
    raw_.clear();
    state_ = State::text;
    behind_block_ = true;
    return true;
  };
  if (bracket == text.size())
    return bracket >= kHeldBytesMax || ending == Ending::final ? end_block() : false;
  if (bracket >= kHeldBytesMax || text[bracket] != '<') return end_block();
  const DsmlTag tag = read_tag(text.substr(bracket));
  if (tag.kind == Kind::cut) {
    if (ending == Ending::open) return false;
    take_raw(text.size());  // a marker that the limit cut is no text
    return end_block();
  }
  if (tag.kind == Kind::close_calls) {
    take_raw(bracket + tag.size);
    wrapper_ = Wrapper::absent;
    return end_block();
  }
  if (tag.kind != Kind::open_invoke) return end_block();
  const std::string name(tag.name);
  take_raw(bracket + tag.size);
  if (tools_.find(name) != nullptr) {
    start_call(name);
  } else {
    state_ = State::skipping;  // keep the good ones
  }
  return true;
}

// Inside an invoke of a tool that nobody declared.
bool DsmlParser::step_skipping(Ending ending) {
  const std::string_view text = rest();
  const std::size_t plain = std::min(text.find('<'), text.size());
  if (plain > 0) {
    take_raw(plain);
    return true;
  }
  if (text.empty()) return false;
  const DsmlTag tag = read_tag(text);
  if (tag.kind == Kind::cut && ending == Ending::open) return false;
  if (tag.kind == Kind::open_invoke || tag.kind == Kind::close_calls) {
    state_ = State::between_calls;
  } else if (tag.kind == Kind::close_invoke) {
    take_raw(tag.size);
    state_ = State::between_calls;
  } else {
    take_raw(1);
  }
  return true;
}

// Gives up a candidate: `size` bytes of it are text, but never a `</think>` among them.
void DsmlParser::release(std::size_t size) {
  state_ = State::text;
  behind_block_ = false;
  trial_.reset();
  emit_text(std::max<std::size_t>(1, before_think_end(rest().substr(0, size))));
}

void DsmlParser::emit_text(std::size_t size) {
  std::string text = gate_.pass(rest().substr(0, size));
  drop(size);
  if (text.empty()) return;
  (reasoning_ ? sample_.message.reasoning : sample_.message.text) += text;
  emit(reasoning_ ? SampleDelta::Kind::reasoning : SampleDelta::Kind::content, std::move(text));
}

// A code point cannot go on in the next channel.
void DsmlParser::flush_text() {
  std::string text = gate_.flush();
  if (text.empty()) return;
  (reasoning_ ? sample_.message.reasoning : sample_.message.text) += text;
  emit(reasoning_ ? SampleDelta::Kind::reasoning : SampleDelta::Kind::content, std::move(text));
}

void DsmlParser::take_raw(std::size_t size) {
  raw_ += rest().substr(0, size);
  drop(size);
}

void DsmlParser::emit_arguments() {
  const std::string& arguments = invoke_->arguments();
  if (arguments.size() == sent_) return;
  emit(SampleDelta::Kind::call_arguments, arguments.substr(sent_));
  sent_ = arguments.size();
}

void DsmlParser::finish_call() {
  call_.arguments = invoke_->arguments();
  call_.raw = std::exchange(raw_, {});
  emit(SampleDelta::Kind::call_finished, "");
  ++started_;
  if (options_.calls == DsmlOptions::Calls::emit && sample_.message.calls.size() < kCallsMax)
    sample_.message.calls.push_back(std::move(call_));
}

void DsmlParser::emit(SampleDelta::Kind kind, std::string text) {
  const bool call = kind >= SampleDelta::Kind::call_started;
  if (call && (options_.calls == DsmlOptions::Calls::drop || started_ >= kCallsMax)) return;
  deltas_.push_back({kind, call ? started_ : 0, std::move(text)});
}

}  // namespace fathom::engine
