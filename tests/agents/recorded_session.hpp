// Shelf: a folder of runs, and sessions written into it event by event, as a session would.
#pragma once

#include "agents/run_store.hpp"
#include "agents/session_state.hpp"
#include "engine/session/session_events.hpp"
#include "runtime/async/offload.hpp"
#include "runtime/async/simulator.hpp"
#include "runtime/trace/journal.hpp"
#include "runtime/trace/journal_reader.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace fathom::test {

struct Shelf {
  explicit Shelf(std::filesystem::path state)
      : runs(agents::RunStore::open(std::move(state)).value()),
        blobs(trace::BlobStore::open(runs.blobs()).value()) {}

  RunId new_run() { return agents::RunStore::new_run(simulator.clock()); }
  std::unique_ptr<trace::Journal> open(const RunId& run) {
    return trace::Journal::open({simulator.executor(), simulator.clock(), pool}, runs.journal(run),
                                run)
        .value();
  }
  [[nodiscard]] std::vector<trace::Event> events(const RunId& run) const {
    auto reader = trace::JournalReader::open(runs.journal(run)).value();
    std::vector<trace::Event> events;
    while (auto event = reader.next().value()) events.push_back(*std::move(event));
    return events;
  }
  [[nodiscard]] agents::SessionState fold(const RunId& run) const {
    return agents::read_session(runs.journal(run), blobs).value();
  }
  void damage(const RunId& run) const {
    std::ofstream(runs.journal(run), std::ios::app) << "{\"no\":\"event\"}\n";
  }

  agents::RunStore runs;
  trace::BlobStore blobs;
  Simulator simulator{1};
  OffloadPool pool;
};

/// Holds the journal, and so its lock, as long as it lives.
class RecordedSession {
 public:
  explicit RecordedSession(Shelf& shelf) : RecordedSession(shelf, shelf.new_run()) {}
  RecordedSession(Shelf& shelf, const RunId& run)
      : run(run), shelf_(shelf), journal_(shelf.open(run)) {}

  std::uint64_t note(std::string type, std::string data) {
    trace::EventDraft draft;
    draft.type = std::move(type);
    draft.data = std::move(data);
    const std::uint64_t seq = journal_->append(std::move(draft)).value().seq;
    journal_->flush().value();
    return seq;
  }
  std::uint64_t say(const engine::SessionEvent& event) {
    trace::EventDraft draft = engine::encode(event, shelf_.blobs).value();
    return note(draft.type, draft.data);
  }

  void begin(const std::string& agent = "tester") {
    note("run.started", R"({"workspace":"/w","policy":"default","tools":["bash"]})");
    engine::AgentStarted started;
    started.agent = agent;
    started.engine = "scripted";
    started.model = "m1";
    started.setup.system = "You test.";
    say(started);
  }
  std::uint64_t turn(std::uint64_t number, std::string text) {
    engine::UserSaid said;
    said.turn = number;
    said.text = std::move(text);
    return say(said);
  }
  std::uint64_t answer(std::string text, std::vector<ToolCall> calls = {}) {
    engine::RequestSent sent;
    sent.request = ++requests_;
    say(sent);
    engine::ModelAnswered answered;
    answered.request = requests_;
    answered.message.role = Role::assistant;
    answered.message.text = std::move(text);
    answered.message.calls = std::move(calls);
    answered.usage = {
        .prompt_tokens = 100, .reused_tokens = 60, .completion_tokens = 10, .reasoning_tokens = 0};
    answered.cost_usd = 0.25;
    return say(answered);
  }
  std::uint64_t result(const std::string& call, std::string content) {
    return say(engine::CallFinished{{call, ToolStatus::ok, std::move(content), ""}});
  }
  std::uint64_t end_turn(std::uint64_t number, std::string reason = "answered") {
    engine::TurnEnded ended;
    ended.turn = number;
    ended.reason = std::move(reason);
    ended.steps = 1;
    return say(ended);
  }
  /// As tools::Dispatcher writes a call that may only run when somebody says so.
  std::uint64_t ask(const std::string& call, const std::string& tool = "bash") {
    note("tool.requested", R"({"call":")" + call + R"(","tool":")" + tool +
                               R"(","arguments":"{\"command\":\"curl x\"}"})");
    return note("approval.requested",
                R"({"call":")" + call +
                    R"(","verdict":"ask","rule":"network.ask","reason":"needs the network",)"
                    R"("grant":"network: {allow: [x]}"})");
  }

  RunId run;

 private:
  Shelf& shelf_;
  std::unique_ptr<trace::Journal> journal_;
  std::uint64_t requests_ = 0;
};

inline ToolCall bash_call(std::string id, const std::string& command = "ls") {
  return {std::move(id), "bash", R"({"command":")" + command + "\"}", ""};
}

}  // namespace fathom::test
