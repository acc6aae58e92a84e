#include "agents/run_history.hpp"

#include "agents/session_store.hpp"
#include "tests/agents/recorded_session.hpp"
#include "tests/support/catch.hpp"

using namespace fathom;
using namespace fathom::agents;
using test::bash_call;
using test::RecordedSession;

namespace {

const std::string kFirst = "01ARZ3NDEKTSV4RRFFQ69G5FA0";
const std::string kSecond = "01ARZ3NDEKTSV4RRFFQ69G5FA1";
const std::string kLeft = "01ARZ3NDEKTSV4RRFFQ69G5FA2";

std::string snapshot(const std::string& id, const std::string& more) {
  return R"({"snapshot":")" + id + "\"," + more + "}";
}

void write(RecordedSession& session, const std::string& call, const std::string& id) {
  session.note("tool.requested", R"({"call":")" + call + R"(","tool":"bash","arguments":"{}"})");
  session.note("tool.snapshot", snapshot(id, R"("call":")" + call + "\""));
}

}  // namespace

TEST_CASE("undo of a fork takes back what the fork wrote, not what its parent did", "[agents]") {
  test::TempDir dir;
  test::Shelf shelf(dir / "state");
  RecordedSession parent(shelf);
  parent.begin();
  parent.turn(1, "go");
  parent.answer("", {bash_call("c1")});
  write(parent, "c1", kFirst);
  parent.result("c1", "");
  parent.note("tool.snapshot", snapshot(kLeft, R"("changed":true)"));
  const RunId run = shelf.new_run();
  REQUIRE(fork_session(shelf.runs, {parent.run, {}}, run, shelf.simulator.clock()));
  const RunHistory fresh = read_history(shelf.runs.journal(run)).value();
  CHECK(fresh.run == run);
  CHECK(fresh.workspace == "/w");
  CHECK(fresh.steps.empty());
  CHECK_FALSE(fresh.left);
  RecordedSession fork(shelf, run);
  write(fork, "c2", kSecond);
  const RunHistory history = read_history(shelf.runs.journal(run)).value();
  REQUIRE(history.steps.size() == 1);
  CHECK(history.steps[0].tool == "bash");
  CHECK(history.steps[0].before.to_string() == kSecond);
  CHECK(read_history(shelf.runs.journal(parent.run))->steps.size() == 1);
}

TEST_CASE("what a run left counts until it is resumed and writes again", "[agents]") {
  test::TempDir dir;
  test::Shelf shelf(dir / "state");
  RecordedSession session(shelf);
  const auto history = [&] { return read_history(shelf.runs.journal(session.run)).value(); };
  session.begin();
  write(session, "c1", kFirst);
  session.note("tool.snapshot", snapshot(kLeft, R"("changed":true)"));
  session.note("run.finished", "{}");
  session.note("run.resumed", "{}");
  CHECK(history().left);
  write(session, "c2", kSecond);
  CHECK_FALSE(history().left);
  session.note("tool.snapshot", snapshot(kLeft, R"("changed":false)"));
  CHECK(history().left->to_string() == kLeft);
  CHECK(history().changed);  // before it was resumed
  CHECK(history().steps.size() == 2);
}
