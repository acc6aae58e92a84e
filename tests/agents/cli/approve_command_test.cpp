#include "agents/cli/approve_command.hpp"

#include "tests/agents/cli/desk.hpp"
#include "tests/agents/recorded_session.hpp"
#include "tests/support/catch.hpp"

#include <nlohmann/json.hpp>

using namespace fathom;
using nlohmann::json;
using test::bash_call;
using test::ProgramResult;
using test::RecordedSession;

namespace {

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

struct Desk : test::Desk {
  test::Shelf shelf{home + "/.local/state/fathom"};

  [[nodiscard]] ProgramResult approve(const RunId& run, std::vector<std::string> more = {}) const {
    more.insert(more.begin(), {"approve", run.to_string()});
    return fathom(more);
  }
  [[nodiscard]] std::vector<std::optional<bool>> answers(const RunId& run) const {
    std::vector<std::optional<bool>> all;
    const agents::SessionState state = shelf.fold(run);
    for (const agents::PendingCall& pending : state.pending()) all.push_back(pending.approved);
    return all;
  }
};

using Answers = std::vector<std::optional<bool>>;

// Suspended: asked for all of its calls, and left.
RunId suspended(Desk& desk, const std::vector<std::string>& calls) {
  RecordedSession session(desk.shelf);
  session.begin();
  session.turn(1, "go");
  std::vector<ToolCall> made;
  made.reserve(calls.size());
  for (const std::string& id : calls) made.push_back(bash_call(id));
  session.answer("", made);
  for (const std::string& id : calls) session.ask(id);
  session.note("run.finished", R"({"exit_code":13})");
  return session.run;
}

}  // namespace

TEST_CASE("approve answers for the call that waits, and resuming hears it", "[agents][e2e]") {
  Desk desk;
  const RunId run = suspended(desk, {"c1"});
  CHECK(desk.answers(run) == Answers{std::nullopt});
  const ProgramResult approved = desk.approve(run);
  CHECK(approved.exit_code == 0);
  CHECK(approved.out == "approved: c1 bash {\"command\":\"curl x\"}\n");
  CHECK(has(approved.err, "fathom session resume " + run.to_string()));
  CHECK(desk.answers(run) == Answers{true});
  const std::vector<trace::Event> events = desk.shelf.events(run);
  CHECK(events.back().what.type == "approval.answered");
  CHECK(events[events.back().what.cause - 1].what.type == "approval.requested");
}

TEST_CASE("approve --deny says no, and a named call can be answered anew", "[agents][e2e]") {
  Desk desk;
  const RunId run = suspended(desk, {"c1"});
  CHECK(desk.approve(run, {"--deny"}).out.starts_with("denied: c1"));
  CHECK(desk.answers(run) == Answers{false});
  const ProgramResult again = desk.approve(run);
  CHECK(again.exit_code == 66);
  CHECK(has(again.err, "every call is answered for"));
  CHECK(has(again.err, "answered: no"));
  CHECK(json::parse(desk.approve(run, {"c1", "--json"}).out) == json{{"run", run.to_string()},
                                                                     {"call", "c1"},
                                                                     {"tool", "bash"},
                                                                     {"given", true},
                                                                     {"waiting", 0}});
  CHECK(desk.answers(run) == Answers{true});
}

TEST_CASE("of several calls that wait one has to be named, and all are shown with the reason",
          "[agents][e2e]") {
  Desk desk;
  const RunId run = suspended(desk, {"call-1", "call-2", "call-3"});
  const ProgramResult refused = desk.approve(run);
  CHECK(refused.exit_code == 64);
  CHECK(has(refused.err, "3 calls wait: name one of them"));
  CHECK(has(refused.err, "call-2  bash {\"command\":\"curl x\"}"));
  CHECK(has(refused.err, "needs the network (rule network.ask)"));
  CHECK(has(refused.err, "the policy would allow it with: network: {allow: [x]}"));
  CHECK(desk.answers(run) == Answers(3, std::nullopt));
  const ProgramResult wrong = desk.approve(run, {"cal-2"});
  CHECK(wrong.exit_code == 64);
  CHECK(has(wrong.err, "did you mean 'call-"));
  CHECK(has(desk.approve(run, {"call-2"}).err, "2 more to answer for"));
  CHECK(has(desk.approve(run, {"call-1", "--deny"}).err, "1 more to answer for"));
  CHECK(has(desk.approve(run).err, "goes on"));
  CHECK(desk.answers(run) == Answers{false, true, true});
}

TEST_CASE("a run that waits for nothing is said to", "[agents][e2e]") {
  Desk desk;
  RunId run;
  {
    RecordedSession session(desk.shelf);
    run = session.run;
    session.begin();
    session.turn(1, "go");
    session.answer("", {bash_call("c1"), bash_call("c2"), bash_call("c3")});
    session.ask("c1");
    session.result("c1", "done");
    session.ask("c2");
    session.note("tool.started", R"({"call":"c2"})");
  }
  const std::string before = test::slurp(desk.shelf.runs.journal(run));
  for (const char* call : {"", "c1", "c2", "c3"}) {
    const ProgramResult refused =
        *call == 0 ? desk.approve(run) : desk.approve(run, {std::string(call)});
    CHECK(refused.exit_code == 66);
    CHECK(has(refused.err, "no call waits for approval"));
  }
  CHECK(test::slurp(desk.shelf.runs.journal(run)) == before);
}

TEST_CASE("a run in use, a damaged one and one without a session get no answer", "[agents][e2e]") {
  Desk desk;
  const RunId damaged = suspended(desk, {"c1"});
  desk.shelf.damage(damaged);
  CHECK(desk.approve(damaged).exit_code == 65);
  RecordedSession busy(desk.shelf);
  busy.begin();
  busy.turn(1, "go");
  busy.answer("", {bash_call("c1")});
  busy.ask("c1");
  const ProgramResult refused = desk.approve(busy.run);
  CHECK(refused.exit_code == 69);
  CHECK(has(refused.err, "answer in the process that works on it"));
  CHECK(desk.answers(busy.run) == Answers{std::nullopt});
  RunId tool;
  {
    RecordedSession session(desk.shelf);
    tool = session.run;
    session.note("run.started", "{}");
  }
  CHECK(desk.approve(tool).exit_code == 65);
}
