#include "agents/guard.hpp"

#include <algorithm>
#include <utility>

namespace fathom::agents {
namespace {

constexpr std::size_t kRecentMax = 16;
constexpr std::size_t kLookEveryBytes = 256;

}  // namespace

GuardVerdict Guard::observe(const StepFacts& step) {
  for (const CallFact& call : step.calls) recent_.push_back(call);
  while (recent_.size() > kRecentMax) recent_.pop_front();
  std::optional<Suspicion> suspicion = circles();
  std::optional<Suspicion> is_idle = idle(step);
  GuardVerdict said = verdict(suspicion ? std::move(suspicion) : std::move(is_idle));
  // What was noted is given a fresh chance: it counts from here.
  if (said.kind == GuardVerdict::Kind::note) {
    recent_.clear();
    idle_steps_ = 0;
  }
  return said;
}

GuardVerdict Guard::repeated() {
  return verdict(Suspicion{
      "repetition",
      "Your last message repeated one passage over and over and was stopped. Do not continue it: "
      "take one concrete step, or give your answer."});
}

std::optional<Guard::Suspicion> Guard::circles() const {
  const auto last = [&](std::size_t back) -> const CallFact& {
    return recent_[recent_.size() - 1 - back];
  };
  const auto all = [&](std::size_t count, const auto& holds) {
    if (recent_.size() < count) return false;
    for (std::size_t i = 0; i < count; ++i)
      if (!holds(i)) return false;
    return true;
  };
  if (all(kSameMax, [&](std::size_t i) { return last(i) == last(0); }))
    return Suspicion{"same_call", "You have made the same '" + last(0).tool +
                                      "' call several times with the same result. It will not "
                                      "change: try something else, or say what stops you."};
  if (all(kSameErrorMax,
          [&](std::size_t i) { return last(i).failed && last(i).result == last(0).result; }))
    return Suspicion{"same_error",
                     "The same error has come back several times. Read it, find its cause, and do "
                     "something else."};
  if (all(2 * kAlternationsMax, [&](std::size_t i) { return last(i) == last(i % 2); }))
    return Suspicion{"alternating",
                     "You go back and forth between two calls with the same results. Neither will "
                     "change: decide on something else."};
  return std::nullopt;
}

std::optional<Guard::Suspicion> Guard::idle(const StepFacts& step) {
  if (!step.workspace) return std::nullopt;
  const std::string failing = step.failing_tests.value_or(failing_tests_);
  const bool is_same = *step.workspace == workspace_ && failing == failing_tests_;
  workspace_ = *step.workspace;
  failing_tests_ = failing;
  idle_steps_ = is_same ? idle_steps_ + 1 : 0;
  if (idle_steps_ < kIdleStepsMax) return std::nullopt;
  return Suspicion{"no_progress",
                   "For many steps neither the files nor the failing tests have changed. Make the "
                   "change you have in mind now, or say what is missing."};
}

GuardVerdict Guard::verdict(std::optional<Suspicion> suspicion) {
  if (!suspicion) return {};
  const bool is_known = std::ranges::find(noted_, suspicion->guard) != noted_.end();
  if (!is_known) noted_.push_back(suspicion->guard);
  return {is_known ? GuardVerdict::Kind::stop : GuardVerdict::Kind::note,
          std::move(suspicion->guard), std::move(suspicion->text)};
}

bool RepetitionWatch::feed(std::string_view text) {
  tail_ += text;
  unseen_ += text.size();
  constexpr std::size_t kKept = kPassageBytesMax * kRepeatsMax;
  if (tail_.size() > 2 * kKept) tail_.erase(0, tail_.size() - kKept);
  if (unseen_ < kLookEveryBytes) return false;
  unseen_ = 0;
  return is_caught();
}

// The smallest period of the tail, by the failure function of its reverse: a border of length b of
// the last n bytes means that they repeat every n - b bytes.
bool RepetitionWatch::is_caught() const {
  const std::size_t size = std::min(tail_.size(), kPassageBytesMax * kRepeatsMax);
  const auto at = [&](std::size_t i) { return tail_[tail_.size() - 1 - i]; };
  std::vector<std::size_t> border(size + 1, 0);
  std::size_t length = 0;
  for (std::size_t i = 1; i < size; ++i) {
    while (length > 0 && at(i) != at(length)) length = border[length];
    if (at(i) == at(length)) ++length;
    border[i + 1] = length;
    const std::size_t period = i + 1 - length;
    // A row of dashes is no passage, unless it is as long as one can be.
    const std::size_t needed = period < kPassageBytesMin ? kPassageBytesMax : period * kRepeatsMax;
    if (period <= kPassageBytesMax && i + 1 >= needed) return true;
  }
  return false;
}

}  // namespace fathom::agents
