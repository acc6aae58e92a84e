#include "agents/partial_answer.hpp"

#include "engine/session/engine.hpp"

#include <utility>

namespace fathom::agents {

void PartialAnswer::add(const engine::SampleDelta& delta) {
  using Kind = engine::SampleDelta::Kind;
  if (delta.kind == Kind::reasoning) message_.reasoning += delta.text;
  if (delta.kind == Kind::content) message_.text += delta.text;
  const bool is_call = delta.kind != Kind::reasoning && delta.kind != Kind::content;
  if (!is_call || delta.call >= engine::kCallsPerSampleMax) return;
  if (delta.call >= calls_.size()) {
    calls_.resize(delta.call + 1);
    finished_.resize(delta.call + 1);
  }
  ToolCall& call = calls_[delta.call];
  if (delta.kind == Kind::call_started) call.name += delta.text;
  if (delta.kind == Kind::call_arguments) call.arguments += delta.text;
  if (delta.kind == Kind::call_finished) finished_[delta.call] = true;
}

bool PartialAnswer::empty() const {
  return message_.text.empty() && message_.reasoning.empty() && calls_.empty();
}

Message PartialAnswer::take() {
  Message taken = std::exchange(message_, {});
  taken.role = Role::assistant;
  for (std::size_t i = 0; i < calls_.size(); ++i)
    if (finished_[i]) taken.calls.push_back(std::move(calls_[i]));
  calls_.clear();
  finished_.clear();
  return taken;
}

}  // namespace fathom::agents
