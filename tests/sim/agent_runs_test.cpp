// Whole runs of an agent on virtual time: everything that can go wrong goes wrong at random, and
// what must hold is checked against what was really done. A run is a number of lives of the
// program: each ends in the end of the turn, in a death, in an error of the journal, or because
// somebody cancelled it; the next resumes from the journal and nothing else.
#include "runtime/async/task_group.hpp"
#include "tests/sim/agent_world.hpp"

#include <cstdint>
#include <exception>
#include <map>
#include <string>
#include <string_view>

using namespace fathom;
using namespace fathom::agents;
using namespace fathom::test;
using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t kSeeds = 300;
constexpr std::uint64_t kTroubledLivesMax = 6;  // of a turn; the ones behind them are quiet
constexpr std::uint64_t kLivesMax = 60;         // of a turn: approvals may be put off many times
constexpr std::uint64_t kEventsSoon = 60;       // within which a trouble strikes

enum class Trouble { none, death, write_error, cancel };

/// One life of the program, and who talks to it.
class Life {
 public:
  Life(AgentWorld& world, Simulator& simulator, Trouble trouble)
      : world_(world), simulator_(simulator), rig_(simulator, world.disk), trouble_(trouble) {
    ++world_.lives;
    world_.furnish(rig_);
  }

  asio::awaitable<void> go(engine::UserSaid turn) {
    TurnLimits limits;
    limits.rules.steps_max = AgentWorld::kStepsMax;
    const std::size_t strikes = world_.disk.events.size() + 1 + world_.below(kEventsSoon);
    auto opening = rig_.open(limits);
    co_await std::move(opening);
    if (trouble_ == Trouble::death) rig_.dies_at = strikes + 1;
    if (trouble_ == Trouble::write_error) rig_.fails_at = strikes + 1;
    auto first = attempt(turn);
    co_await std::move(first);
    // Who was only cancelled, or had a full disk for a moment, may go on in the same program.
    if (!has_ended_ && !rig_.is_dead && world_.chance(50)) {
      rig_.make_driver(limits);
      trouble_ = Trouble::none;
      auto second = attempt(turn);
      co_await std::move(second);
    }
    world_.check_requests(rig_.script());
    if (!rig_.is_dead) world_.check_state(rig_);
  }

 private:
  asio::awaitable<void> attempt(const engine::UserSaid& turn) {
    TaskGroup driving(simulator_.executor());
    TaskGroup people(simulator_.executor());
    driving.spawn(drive(turn));
    for (const auto& [key, text] : world_.steers) people.spawn(steer(key, text));
    if (world_.chance(20)) people.spawn(interrupt());
    if (trouble_ == Trouble::cancel) people.spawn(cancel(driving));
    std::exception_ptr failed;  // a check: the people go home all the same
    try {
      co_await driving.join();
    } catch (...) {
      failed = std::current_exception();
    }
    people.cancel();
    co_await people.join();
    if (failed) std::rethrow_exception(failed);
  }

  asio::awaitable<void> drive(engine::UserSaid turn) {
    const SessionState& state = rig_.log.state();
    auto driving = state.turns() < turn.turn ? rig_.driver->run(turn) : rig_.driver->resume();
    const Result<TurnReport> report = co_await std::move(driving);
    if (!report || report->end == TurnEnd::suspended) co_return;
    // As a session does it.
    engine::TurnEnded end;
    end.turn = state.turns();
    end.reason = name_of(report->end);
    end.steps = report->steps;
    auto writing = rig_.log.add(std::move(end));
    const auto seq = co_await std::move(writing);
    has_ended_ = seq.has_value();
  }

  asio::awaitable<void> pause(std::uint64_t ms_max) {
    return rig_.clock.sleep_for(std::chrono::milliseconds(world_.below(ms_max)));
  }

  asio::awaitable<void> steer(std::string key, std::string text) {
    if (world_.receipts.contains(key) && !world_.chance(20)) co_return;
    do {
      auto pausing = pause(30'000);
      co_await std::move(pausing);
      const bool is_taken = rig_.control.steer(
          {key, text, [this, key](std::uint64_t seq) { world_.receipts[key].insert(seq); }});
      CHECK(is_taken);
    } while (world_.chance(30));
  }

  asio::awaitable<void> interrupt() {
    do {
      auto pausing = pause(40'000);
      co_await std::move(pausing);
      rig_.control.interrupt();
    } while (world_.chance(30));
  }

  asio::awaitable<void> cancel(TaskGroup& driving) {
    auto pausing = pause(40'000);
    co_await std::move(pausing);
    driving.cancel();
  }

  AgentWorld& world_;
  Simulator& simulator_;
  AgentRig rig_;
  Trouble trouble_;
  bool has_ended_ = false;
};

/// The type of an event, and what of it makes a difference.
std::string kind_of(const trace::Event& event) {
  const std::string& data = event.what.data;
  const auto has = [&](std::string_view text) { return data.find(text) != std::string::npos; };
  std::string kind = event.what.type;
  if (kind == "turn.finished")
    for (const TurnEnd end : {TurnEnd::answered, TurnEnd::step_limit, TurnEnd::budget,
                              TurnEnd::cancelled, TurnEnd::loop, TurnEnd::engine_error})
      if (has('"' + std::string(name_of(end)) + '"')) return kind + " " + std::string(name_of(end));
  if (kind == "compaction.chosen") kind += has(R"("summary")") ? " summary" : " truncation";
  if (kind == "model.message" && has(R"("interrupted")")) kind += " interrupted";
  if (kind == "tool.finished" && has("the program ended while this ran")) kind += " maybe";
  return kind;
}

asio::awaitable<void> finish_turn(AgentWorld& world, Simulator& simulator,
                                  const engine::UserSaid& turn) {
  for (std::uint64_t i = 0, count = world.below(4); i < count; ++i) {
    const std::string key = "key-" + std::to_string(world.steers.size());
    world.steers.emplace(key, "steer " + key + ".");
  }
  for (std::uint64_t lives = 0; lives < kLivesMax; ++lives) {
    const Trouble trouble =
        lives < kTroubledLivesMax ? static_cast<Trouble>(world.below(4)) : Trouble::none;
    Life life(world, simulator, trouble);
    auto going = life.go(turn);
    co_await std::move(going);
    const SessionState state = world.disk.fold();
    if (state.turns() == turn.turn && !state.is_turn_open()) co_return;
  }
  FAIL("the turn does not end");
}

}  // namespace

TEST_CASE("whatever happens to a run, it ends, and nothing is lost or done twice", "[sim]") {
  Disk disk;
  std::uint64_t runs = 0;
  std::map<std::string, std::uint64_t> seen;
  for_each_seed(kSeeds, [&](Simulator& simulator) -> asio::awaitable<void> {
    AgentWorld world(simulator.seed(), disk);
    for (const engine::UserSaid& turn : world.turns) {
      auto finishing = finish_turn(world, simulator, turn);
      co_await std::move(finishing);
    }
    world.check_journal();
    ++runs;
    for (const trace::Event& event : disk.events) ++seen[kind_of(event)];
  });
  // A simulation that never comes to the places where things break says nothing.
  if (runs < kSeeds) return;
  for (const char* kind :
       {"turn.finished answered", "turn.finished budget", "turn.finished cancelled",
        "turn.finished engine_error", "turn.finished loop", "turn.finished step_limit",
        "compaction.chosen summary", "compaction.chosen truncation", "compaction.failed",
        "approval.requested", "guard.noted", "guard.stopped", "model.message interrupted",
        "model.retry", "model.failed", "steer.delivered", "tool.finished maybe"}) {
    INFO(kind << ": " << seen[kind] << " times");
    CHECK(seen[kind] != 0);
  }
}
