// AgentWorld: what surrounds the lives of one simulated run: a model that answers whatever it
// likes, tools that fail and take their time, people who steer and interrupt, and the memory of
// what was really done, against which the journal is held in the end.
#pragma once

#include "agents/compactor.hpp"
#include "tests/agents/agent_rig.hpp"

#include <cstdint>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace fathom::test {

class AgentWorld {
 public:
  static constexpr std::uint64_t kContextTokens = 1000;
  static constexpr std::uint64_t kSampleTokensMax = 1200;  ///< read and written, by one sample
  static constexpr std::uint64_t kStepsMax = 12;

  AgentWorld(std::uint64_t seed, Disk& on_disk);

  [[nodiscard]] std::uint64_t below(std::uint64_t bound) {
    return std::uniform_int_distribution<std::uint64_t>(0, bound - 1)(random_);
  }
  [[nodiscard]] bool chance(int percent) { return below(100) < static_cast<unsigned>(percent); }

  /// A program that has just been started: policy, tools, model and journal.
  void furnish(AgentRig& rig);
  /// After a life: what was asked, held against what had been asked before.
  void check_requests(const Script& script);
  /// After a life in which everything that was written was heard of.
  void check_state(const AgentRig& rig) const;
  /// After the last life.
  void check_journal() const;

  Disk& disk;
  agents::Budget budget;
  std::vector<engine::UserSaid> turns;
  std::map<std::string, std::string> steers;                ///< texts by key, of those to be sent
  std::map<std::string, std::set<std::uint64_t>> receipts;  ///< by key
  std::map<std::string, int> executions;                    ///< by call id
  std::uint64_t lives = 0;

 private:
  class WorldTool;
  Script::Step answer(const engine::Transcript& asked);
  Script::Step fault(Script::Step step);
  ToolCall make_call();
  [[nodiscard]] std::string unique(std::string_view word);
  void check_turns(const agents::SessionState& state) const;
  void check_steers(const agents::SessionState& state) const;
  void check_partials() const;
  void check_results(const std::map<std::string, std::string>& results) const;

  std::mt19937_64 random_;
  std::uint64_t number_ = 0;
  bool is_stubborn_;               ///< the model makes one mistake over and over
  std::vector<std::string> said_;  ///< whole answers of the model
  std::string promised_;           ///< what the next request of the epoch begins with
  std::uint64_t promised_epoch_ = 0;
};

/// What is wrong with a transcript as it is sent to a model, "" for nothing.
std::string find_flaw(const std::vector<Message>& messages);

}  // namespace fathom::test
