// Ledger: what a run may cost, what it has cost, and what its sub-agents have set aside.
#pragma once

#include "agents/turn.hpp"
#include "runtime/async/clock.hpp"
#include "runtime/base/message.hpp"
#include "runtime/base/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fathom::agents {

/// Absent is without limit. Steps are limited as well, but by the turn: they end in `step_limit`.
struct Budget {
  std::optional<std::uint64_t> steps;
  /// That the model reads or writes; what was resident is not read.
  std::optional<std::uint64_t> tokens;
  std::optional<double> usd;
  std::optional<Duration> wall;
  std::optional<Duration> tool_cpu;
  double wrap_up = 0.05;  ///< the share that is kept for a summary at the end

  /// Each the smaller one of both.
  [[nodiscard]] Budget narrowed_by(const Budget& other) const;
  friend bool operator==(const Budget&, const Budget&) = default;
};

/// "steps=50,tokens=200k,usd=1.5,wall=10m,tool_cpu=5m"; `usage` names the part that is wrong.
Result<Budget> parse_budget(std::string_view text);

struct Spent {
  std::uint64_t steps = 0;
  Usage usage;
  double usd = 0;
  Duration tool_cpu{};

  [[nodiscard]] std::uint64_t tokens() const {
    return usage.prompt_tokens - usage.reused_tokens + usage.completion_tokens;
  }
  friend bool operator==(const Spent&, const Spent&) = default;
};

class Ledger {
 public:
  /// `spent` is what an earlier part of the run has cost.
  Ledger(Budget budget, Instant began, Spent spent = {})
      : budget_(budget), began_(began), spent_(spent) {}

  void add_step() { ++spent_.steps; }
  void add(const Usage& usage, double usd);
  void add_tool_cpu(Duration cpu) { spent_.tool_cpu += cpu; }

  [[nodiscard]] BudgetState state(Instant now) const;
  /// What is used up or nearly so, "tokens 96000 of 100000"; empty while open.
  [[nodiscard]] std::string reason(Instant now) const;
  [[nodiscard]] const Spent& spent() const { return spent_; }
  [[nodiscard]] const Budget& budget() const { return budget_; }

  /// A child's ledger: it may spend what it asks for, at most what is left here, and that is set
  /// aside until it is settled; of what it asks no limit for, half of what is left. `too_large`
  /// when nothing is left.
  Result<Ledger> reserve(const Budget& wanted, Instant now);
  /// What the child has not spent comes back.
  void settle(const Ledger& child);

 private:
  struct Share;
  [[nodiscard]] Share fullest(Instant now) const;

  Budget budget_;
  Instant began_;
  Spent spent_;
  std::uint64_t tokens_aside_ = 0;
  double usd_aside_ = 0;
  Duration tool_cpu_aside_{};
};

}  // namespace fathom::agents
