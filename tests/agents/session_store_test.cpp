#include "agents/session_store.hpp"

#include "tests/agents/recorded_session.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>

using namespace fathom;
using namespace fathom::agents;
using test::bash_call;
using test::RecordedSession;

namespace {

struct Desk {
  test::TempDir dir;
  test::Shelf shelf{dir / "state"};

  Result<std::uint64_t> fork(const RunId& from, std::optional<std::uint64_t> seq, const RunId& as) {
    return fork_session(shelf.runs, {from, seq}, as, shelf.simulator.clock());
  }
  [[nodiscard]] std::size_t journals() const {
    const std::filesystem::directory_iterator files(shelf.runs.state() / "journals");
    return static_cast<std::size_t>(std::distance(begin(files), end(files)));
  }
};

// Events: 1 run, 2 agent, 3 turn, 4 request, 5 answer with two calls, 6 and 7 results, 8 request,
// 9 answer, 10 turn's end, 11 the run's.
RunId two_calls(Desk& desk) {
  RecordedSession session(desk.shelf);
  session.begin();
  session.turn(1, "look around\nand then more");
  session.answer("I look.", {bash_call("c1"), bash_call("c2")});
  session.result("c1", "one");
  session.result("c2", "two");
  session.answer("Done.");
  session.end_turn(1);
  session.note("run.finished", R"({"exit_code":0})");
  return session.run;
}

void check_same(const SessionState& left, const SessionState& right) {
  CHECK(left.transcript().messages == right.transcript().messages);
  CHECK(left.transcript().epoch == right.transcript().epoch);
  CHECK(left.turns() == right.turns());
  CHECK(left.requests() == right.requests());
  CHECK(left.is_turn_open() == right.is_turn_open());
  CHECK(left.last_end() == right.last_end());
  CHECK(left.task() == right.task());
  CHECK(left.pending().size() == right.pending().size());
}

SessionState fold_until(const Desk& desk, const RunId& run, std::uint64_t seq) {
  SessionState state;
  for (const trace::Event& event : desk.shelf.events(run))
    if (event.at.seq <= seq) REQUIRE(state.apply_trace(event, desk.shelf.blobs));
  return state;
}

}  // namespace

TEST_CASE("a list says of each session what its journal adds up to, the newest first", "[agents]") {
  Desk desk;
  const RunId first = two_calls(desk);
  RecordedSession tool(desk.shelf);
  tool.note("run.started", R"({"workspace":"/w"})");
  RecordedSession second(desk.shelf);
  second.begin("other");
  const SessionList list = list_sessions(desk.shelf.runs, 10).value();
  REQUIRE(list.sessions.size() == 2);
  CHECK_FALSE(list.has_more);
  CHECK(list.sessions[0].run == second.run);
  CHECK(list.sessions[0].agent == "other");
  CHECK(list.sessions[0].turns == 0);
  const SessionSummary& one = list.sessions[1];
  CHECK(one.run == first);
  CHECK(one.workspace == "/w");
  CHECK(one.engine == "scripted");
  CHECK(one.model == "m1");
  CHECK(one.task == "look around");
  CHECK(one.turns == 1);
  CHECK(one.steps == 2);
  CHECK(one.usage.prompt_tokens == 200);
  CHECK(one.usage.completion_tokens == 20);
  CHECK(one.usd == 0.5);
  CHECK(one.reason == "answered");
  CHECK(one.standing() == SessionStanding::idle);
  CHECK(one.last_seq == 11);
  CHECK_FALSE(one.damage);
  CHECK(newest_session(desk.shelf.runs).value() == second.run);
}

TEST_CASE("a list is bounded and says that there is more", "[agents]") {
  Desk desk;
  for (int i = 0; i < 3; ++i) RecordedSession(desk.shelf).begin();
  const SessionList two = list_sessions(desk.shelf.runs, 2).value();
  CHECK(two.sessions.size() == 2);
  CHECK(two.has_more);
  CHECK_FALSE(list_sessions(desk.shelf.runs, 3).value().has_more);
}

TEST_CASE("a list reads no blobs: long texts are as good as their beginning", "[agents]") {
  Desk desk;
  RecordedSession session(desk.shelf);
  session.begin();
  session.turn(1, "a long task " + std::string(100'000, 'x'));
  std::vector<ToolCall> calls;
  for (int i = 0; i < 20; ++i)
    calls.push_back(bash_call("c" + std::to_string(i), std::string(1'000, 'y')));
  session.answer("", calls);
  session.ask("c7");
  std::filesystem::remove_all(desk.shelf.runs.blobs());
  const SessionSummary summary = summarize(desk.shelf.runs.journal(session.run), session.run);
  CHECK_FALSE(summary.damage);
  CHECK(summary.task.starts_with("a long task xxx"));
  CHECK(summary.task.size() == kTaskLineBytes);
  CHECK(summary.standing() == SessionStanding::waiting);
  REQUIRE(summary.waiting.size() == 1);
  CHECK(summary.waiting[0].call == "c7");
}

TEST_CASE("a damaged journal is listed with what came before and its error", "[agents]") {
  Desk desk;
  const RunId whole = two_calls(desk);
  const RunId damaged = two_calls(desk);
  desk.shelf.damage(damaged);
  const RunId garbage = desk.shelf.new_run();
  std::ofstream(desk.shelf.runs.journal(garbage)) << "not json\n";
  const RunId foreign = desk.shelf.new_run();
  std::filesystem::copy_file(desk.shelf.runs.journal(whole), desk.shelf.runs.journal(foreign));
  const SessionList list = list_sessions(desk.shelf.runs, 10).value();
  REQUIRE(list.sessions.size() == 4);
  CHECK(list.sessions[0].damage->message.ends_with("belongs to run " + whole.to_string()));
  CHECK(list.sessions[1].run == garbage);
  CHECK(list.sessions[1].damage->message.find("damaged at byte 0") != std::string::npos);
  CHECK(list.sessions[2].task == "look around");
  CHECK(list.sessions[2].damage->message.find("after seq 11") != std::string::npos);
  CHECK_FALSE(list.sessions[3].damage);
}

TEST_CASE("a call waits until it is answered for, and its answer until somebody acted on it",
          "[agents]") {
  Desk desk;
  RecordedSession session(desk.shelf);
  const auto summary = [&] { return summarize(desk.shelf.runs.journal(session.run), session.run); };
  session.begin();
  session.turn(1, "go");
  session.answer("", {bash_call("c1")});
  CHECK(summary().standing() == SessionStanding::open);
  const std::uint64_t asked = session.ask("c1");
  session.note("run.finished", "{}");
  CHECK(summary().standing() == SessionStanding::waiting);
  CHECK(summary().waiting == std::vector<WaitingCall>{{"c1",
                                                       "bash",
                                                       R"({"command":"curl x"})",
                                                       "network.ask",
                                                       "needs the network",
                                                       "network: {allow: [x]}",
                                                       asked,
                                                       {}}});
  session.note("approval.answered", R"({"call":"c1","given":true})");
  CHECK(summary().standing() == SessionStanding::open);
  CHECK(summary().waiting[0].given == true);
  session.note("tool.started", R"({"call":"c1"})");
  CHECK(summary().waiting.empty());
}

TEST_CASE("a fork is the same session as its parent was at that event", "[agents]") {
  Desk desk;
  const RunId parent = two_calls(desk);
  for (const std::uint64_t seq : {2U, 3U, 4U, 7U, 8U, 9U, 10U, 11U}) {
    const RunId fork = desk.shelf.new_run();
    INFO("forked at " << seq);
    CHECK(desk.fork(parent, seq, fork).value() == seq);
    check_same(desk.shelf.fold(fork), fold_until(desk, parent, seq));
    CHECK(desk.shelf.fold(fork).spent() == Spent());  // the parent has paid
    std::vector<trace::Event> copied = desk.shelf.events(fork);
    REQUIRE(copied.size() == seq + 1);
    CHECK(copied.back().what.type == "run.forked");
    CHECK(copied.back().what.data ==
          R"({"from":")" + parent.to_string() + R"(","seq":)" + std::to_string(seq) + "}");
    copied.pop_back();
    std::vector<trace::Event> originals = desk.shelf.events(parent);
    originals.resize(seq);
    for (trace::Event& event : originals) event.run = fork;
    CHECK(copied == originals);
  }
}

TEST_CASE("a fork goes on as any session does, and its parent is as it was", "[agents]") {
  Desk desk;
  const RunId parent = two_calls(desk);
  const std::string before = test::slurp(desk.shelf.runs.journal(parent));
  const RunId fork = desk.shelf.new_run();
  CHECK(desk.fork(parent, {}, fork).value() == 10);  // run.finished is not the fork's
  {
    RecordedSession again(desk.shelf, fork);
    CHECK(again.note("run.resumed", "{}") == 12);
    again.turn(2, "and now?");
    again.answer("Nothing.");
    again.end_turn(2);
  }
  CHECK(desk.shelf.fold(fork).turns() == 2);
  CHECK(test::slurp(desk.shelf.runs.journal(parent)) == before);
}

TEST_CASE("a fork of a fork needs neither of the runs it came from", "[agents]") {
  Desk desk;
  const RunId parent = two_calls(desk);
  const RunId child = desk.shelf.new_run();
  REQUIRE(desk.fork(parent, 9, child));
  const RunId grandchild = desk.shelf.new_run();
  REQUIRE(desk.fork(child, {}, grandchild));
  REQUIRE(remove_run(desk.shelf.runs, parent));
  REQUIRE(remove_run(desk.shelf.runs, child));
  const SessionSummary summary = summarize(desk.shelf.runs.journal(grandchild), grandchild);
  CHECK(summary.forked_from == child.to_string());
  CHECK(summary.forked_at == 10);
  CHECK(summary.turns == 1);
  CHECK(summary.steps == 0);
  CHECK_FALSE(summary.usd);
  CHECK(desk.shelf.fold(grandchild).transcript().messages.size() == 4);
}

TEST_CASE("a place between calls and results is no boundary, and the error names the nearest",
          "[agents]") {
  Desk desk;
  const RunId parent = two_calls(desk);
  const auto why = [&](std::uint64_t seq) {
    const auto forked = desk.fork(parent, seq, desk.shelf.new_run());
    CHECK(forked.error().code == ErrorCode::usage);
    return forked.error().message;
  };
  const std::string run = "run " + parent.to_string() + ": ";
  CHECK(why(5) == run + "event 5 stands between calls and their results: fork at 4 or 7");
  CHECK(why(6) == run + "event 6 stands between calls and their results: fork at 4 or 7");
  CHECK(why(1) == run + "event 1 comes before the session began: fork at 2");
  CHECK(why(99) == run + "event 99 does not exist: the last one to fork at is 10");
  CHECK(why(0) == "event 0: events are counted from 1");
  CHECK(desk.journals() == 1);
}

TEST_CASE("a session that waits is forked at the place before its calls", "[agents]") {
  Desk desk;
  RecordedSession session(desk.shelf);
  session.begin();
  session.turn(1, "go");
  session.answer("", {bash_call("c1")});
  session.ask("c1");
  const RunId fork = desk.shelf.new_run();
  CHECK(desk.fork(session.run, {}, fork).value() == 4);  // the request that was answered
  CHECK(desk.shelf.fold(fork).is_turn_open());
  CHECK(desk.fork(session.run, 6, desk.shelf.new_run()).error().message.ends_with("fork at 4"));
}

TEST_CASE("what is damaged can be forked up to the damage", "[agents]") {
  Desk desk;
  const RunId parent = two_calls(desk);
  desk.shelf.damage(parent);
  const auto refused = desk.fork(parent, {}, desk.shelf.new_run());
  CHECK(refused.error().code == ErrorCode::bad_data);
  CHECK(refused.error().message.ends_with("; fork at event 10 to keep what comes before"));
  CHECK(desk.journals() == 1);
  const RunId fork = desk.shelf.new_run();
  REQUIRE(desk.fork(parent, 10, fork));
  check_same(desk.shelf.fold(fork), fold_until(desk, fork, 10));
}

TEST_CASE("a run that is no session, or somebody else's journal, is not forked", "[agents]") {
  Desk desk;
  RecordedSession tool(desk.shelf);
  tool.note("run.started", R"({"workspace":"/w"})");
  CHECK(desk.fork(tool.run, {}, desk.shelf.new_run()).error().message ==
        "run " + tool.run.to_string() + ": holds no session of an agent");
  const RunId whole = two_calls(desk);
  const RunId foreign = desk.shelf.new_run();
  std::filesystem::copy_file(desk.shelf.runs.journal(whole), desk.shelf.runs.journal(foreign));
  CHECK(desk.fork(foreign, {}, desk.shelf.new_run())
            .error()
            .message.ends_with("belongs to run " + whole.to_string()));
  CHECK(desk.fork(desk.shelf.new_run(), {}, desk.shelf.new_run()).error().code ==
        ErrorCode::not_found);
}

TEST_CASE("removing a run takes its journal and outputs and leaves the others' alone", "[agents]") {
  Desk desk;
  const RunId kept = two_calls(desk);
  const RunId gone = two_calls(desk);
  const std::filesystem::path state = desk.shelf.runs.state();
  const std::filesystem::path outputs = desk.shelf.runs.outputs("/w");
  for (const RunId& run : {kept, gone}) {
    std::filesystem::create_directories(outputs / run.to_string());
    std::ofstream(outputs / run.to_string() / "1.txt") << "output";
  }
  std::filesystem::create_symlink(outputs / kept.to_string() / "1.txt",
                                  outputs / gone.to_string() / "link");
  std::ofstream(desk.shelf.runs.journal(gone).string() + ".torn-7") << "torn";
  const auto bytes = std::filesystem::file_size(desk.shelf.runs.journal(gone));
  const Removed removed = remove_run(desk.shelf.runs, gone).value();
  CHECK(removed.outputs == 1);
  CHECK(removed.bytes == bytes + 6 + 4);
  CHECK(desk.shelf.runs.list().value() == std::vector<RunId>{kept});
  CHECK(desk.journals() == 1);
  CHECK(test::slurp(outputs / kept.to_string() / "1.txt") == "output");
  CHECK_FALSE(std::filesystem::exists(outputs / gone.to_string()));
}

TEST_CASE("a run that somebody works on is not removed", "[agents]") {
  Desk desk;
  RecordedSession session(desk.shelf);
  session.begin();
  const auto refused = remove_run(desk.shelf.runs, session.run);
  CHECK(refused.error().code == ErrorCode::in_use);
  CHECK(desk.shelf.fold(session.run).started());
}

TEST_CASE("a damaged run can be removed", "[agents]") {
  Desk desk;
  const RunId run = two_calls(desk);
  desk.shelf.damage(run);
  REQUIRE(remove_run(desk.shelf.runs, run));
  CHECK(desk.journals() == 0);
}

TEST_CASE("a journal that asks without end does not make its summary grow without end",
          "[agents]") {
  Desk desk;
  RecordedSession session(desk.shelf);
  session.begin();
  session.turn(1, "go");
  for (int i = 0; i < 1'000; ++i) session.ask("c" + std::to_string(i));
  for (std::uint64_t i = 2; i < 500; ++i) session.turn(i, "more");
  const SessionSummary summary = summarize(desk.shelf.runs.journal(session.run), session.run);
  CHECK(summary.waiting.size() < 100);
  CHECK(summary.turns == 499);
  CHECK(summary.last_turns.size() == kTurnsKept);
  CHECK(summary.last_turns.back().turn == 499);
  CHECK(summary.task == "go");
}
