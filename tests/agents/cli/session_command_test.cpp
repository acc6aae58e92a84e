#include "agents/cli/session_command.hpp"

#include "tests/agents/cli/desk.hpp"
#include "tests/agents/recorded_session.hpp"
#include "tests/support/catch.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>

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

  [[nodiscard]] ProgramResult session(std::vector<std::string> args) const {
    args.insert(args.begin(), "session");
    return fathom(args);
  }
};

// Events: 1 run, 2 agent, 3 turn, 4 request, 5 answer, 6 result, 7 request, 8 answer, 9 end.
RunId one_call(Desk& desk, const std::string& task = "look", const std::string& output = "a.txt") {
  RecordedSession session(desk.shelf);
  session.begin();
  session.turn(1, task);
  session.answer("I look.", {bash_call("c1")});
  session.result("c1", output);
  session.answer("Done.");
  session.end_turn(1);
  return session.run;
}

}  // namespace

TEST_CASE("session list prints a line each, and JSON for scripts", "[agents][e2e]") {
  Desk desk;
  CHECK(has(desk.session({"list"}).err, "there are no sessions yet"));
  CHECK(desk.session({"list", "--json"}).out == "[]\n");
  const RunId first = one_call(desk, "look here");
  const RunId second = one_call(desk);
  desk.shelf.damage(second);
  const ProgramResult listed = desk.session({"list"});
  CHECK(listed.exit_code == 0);
  CHECK(listed.out.starts_with(second.to_string()));
  CHECK(has(listed.out, "damaged at byte"));
  CHECK(has(listed.out, "answered  1 turn  2 steps  220 tokens  $0.5000  tester  look here\n"));
  const json list = json::parse(desk.session({"list", "--json"}).out);
  REQUIRE(list.size() == 2);
  CHECK(list[0]["state"] == "damaged");
  CHECK(has(list[0]["error"], "damaged at byte"));
  CHECK(list[1]["run"] == first.to_string());
  CHECK(list[1]["state"] == "idle");
  CHECK(list[1]["reason"] == "answered");
  CHECK(list[1]["cost_usd"] == 0.5);
  const ProgramResult limited = desk.session({"list", "--limit", "1"});
  CHECK(std::ranges::count(limited.out, '\n') == 1);
  CHECK(has(limited.err, "there are older ones"));
}

TEST_CASE("what a journal says cannot act on the terminal or make a line of its own",
          "[agents][e2e]") {
  Desk desk;
  RecordedSession session(desk.shelf);
  session.begin("a\x1b]0;x\x07\nb");
  session.turn(1,
               "\x1b[2Jtitle\r\x9b"
               "31m\nsecond");
  session.answer("", {bash_call("c\x1b[1m")});
  session.note(
      "approval.requested",
      R"({"call":"c\u001b[1m","reason":"r\u001b[0m\nx","rule":"\u0007","grant":"\u009b1m"})");
  session.end_turn(1, "e\x1b\nnd");
  for (const char* command : {"list", "show", "export"}) {
    const ProgramResult shown = desk.session({command});
    INFO(shown.out);
    CHECK(shown.exit_code == 0);
    CHECK_FALSE(has(shown.out, "\x1b"));
    CHECK_FALSE(has(shown.out, "\x07"));
    CHECK_FALSE(has(shown.out, "\xc2\x9b"));
    CHECK(has(shown.out, R"(\x1b)"));
  }
  CHECK(std::ranges::count(desk.session({"list"}).out, '\n') == 1);
}

TEST_CASE("session show says what a session is and where its turns are", "[agents][e2e]") {
  Desk desk;
  const RunId run = one_call(desk);
  const std::string end = run.to_string().substr(20);
  const ProgramResult shown = desk.session({"show", end});
  CHECK(shown.exit_code == 0);
  CHECK(shown.out.starts_with("run        " + run.to_string() + "\nstate      answered\n"));
  CHECK(has(shown.out, "\n  1  events 3-9  answered  look\n"));
  const json object = json::parse(desk.session({"show", "--json"}).out);
  CHECK(object["run"] == run.to_string());
  CHECK(object["last_turns"][0]["last_seq"] == 9);
  CHECK(object["waiting"] == json::array());
  desk.shelf.damage(run);
  const ProgramResult damaged = desk.session({"show", end});
  CHECK(damaged.exit_code == 65);
  CHECK(has(damaged.out, "state      damaged"));
  CHECK(has(damaged.err, "damaged at byte"));
}

TEST_CASE("a run that nobody knows, and one without a session, are refused with what there is",
          "[agents][e2e]") {
  Desk desk;
  CHECK(desk.session({"show"}).exit_code == 66);
  const RunId run = one_call(desk);
  const ProgramResult unknown = desk.session({"show", "ZZZZ"});
  CHECK(unknown.exit_code == 66);
  CHECK(has(unknown.err, "the newest is " + run.to_string()));
  RecordedSession tool(desk.shelf);
  tool.note("run.started", "{}");
  for (const char* command : {"show", "fork", "export"}) {
    const ProgramResult refused = desk.session({command, tool.run.to_string()});
    CHECK(refused.exit_code == 65);
    CHECK(has(refused.err, "holds no session of an agent"));
  }
  CHECK(has(desk.session({"lsit"}).err, "did you mean 'list'?"));
  CHECK(has(desk.session({"export", "--format", "message"}).err, "did you mean 'messages'?"));
  CHECK(desk.session({"list", "--limit", "0"}).exit_code == 64);
  CHECK(desk.session({"rm"}).exit_code == 64);
}

TEST_CASE("session fork makes a session that can be forked again", "[agents][e2e]") {
  Desk desk;
  const RunId parent = one_call(desk);
  const ProgramResult forked = desk.session({"fork"});
  CHECK(forked.exit_code == 0);
  CHECK(has(forked.err, "at event 9"));
  const std::string child = forked.out.substr(0, 26);
  const ProgramResult again = desk.session({"fork", child, "--at", "3", "--json"});
  CHECK(again.exit_code == 0);
  const json made = json::parse(again.out);
  CHECK(made["from"] == child);
  CHECK(made["seq"] == 3);
  const json shown = json::parse(desk.session({"show", made["run"], "--json"}).out);
  CHECK(shown["forked"] == json{{"from", child}, {"seq", 3}});
  CHECK(shown["state"] == "open");
  CHECK(desk.shelf.fold(RunId::parse(child).value()).transcript().messages ==
        desk.shelf.fold(parent).transcript().messages);
  const ProgramResult refused = desk.session({"fork", parent.to_string(), "--at", "5"});
  CHECK(refused.exit_code == 64);
  CHECK(has(refused.err, "fork at 4 or 6"));
}

TEST_CASE("session rm removes a run that nobody works on", "[agents][e2e]") {
  Desk desk;
  const RunId run = one_call(desk);
  RecordedSession busy(desk.shelf);
  busy.begin();
  const ProgramResult refused = desk.session({"rm", busy.run.to_string()});
  CHECK(refused.exit_code == 69);
  CHECK(has(refused.err, "is in use"));
  const ProgramResult removed = desk.session({"rm", run.to_string()});
  CHECK(removed.exit_code == 0);
  CHECK(has(removed.err, "blobs and snapshots are shared"));
  CHECK(desk.session({"rm", run.to_string(), "--json"}).exit_code == 66);
  CHECK(json::parse(desk.session({"list", "--json"}).out).size() == 1);
}

TEST_CASE("an exported transcript holds everything, and nothing in it ends its place",
          "[agents][e2e]") {
  Desk desk;
  const std::string output = "```\n# Turn 9\n````\n<!-- \r# x\nend";
  const RunId run = one_call(desk, "```\nlook\n\n# not a heading", output);
  const ProgramResult exported = desk.session({"export", run.to_string()});
  CHECK(exported.exit_code == 0);
  CHECK(exported.out.starts_with("# Session " + run.to_string() + "\n\n* agent: `tester`\n"));
  CHECK(has(exported.out, "\n## Turn 1\n\n> ```\n> look\n>\n> # not a heading\n\n"));
  CHECK(has(exported.out, "\n### Call of `bash` (`c1`)\n\n```json\n{\"command\":\"ls\"}\n```\n"));
  CHECK(has(exported.out,
            "\n### Result of `bash` (`c1`): ok\n\n`````text\n```\n# Turn 9\n````\n"
            "<!-- # x\nend\n`````\n"));
  CHECK(has(exported.out, "Turn 1 ended: `answered`, 1 step.\n"));
}

TEST_CASE("a name with backticks stays a name in an exported transcript", "[agents][e2e]") {
  Desk desk;
  RecordedSession session(desk.shelf);
  session.begin("`a`\n# b");
  session.turn(1, "go");
  ToolCall call = bash_call("c1");
  call.name = "x`` # y";
  session.answer("", {call});
  const ProgramResult exported = desk.session({"export"});
  CHECK(has(exported.out, "* agent: `` `a`\\x0a# b ``\n"));
  CHECK(has(exported.out, "### Call of ```x`` # y``` (`c1`)\n"));
  CHECK(has(exported.out, "Call `c1` of ```x`` # y``` has no result yet.\n"));
}

TEST_CASE("a session is exported as events and as the messages of a chat API", "[agents][e2e]") {
  Desk desk;
  const RunId run = one_call(desk);
  CHECK(desk.session({"export", "--format", "jsonl"}).out ==
        test::slurp(desk.shelf.runs.journal(run)));
  const json messages = json::parse(desk.session({"export", "--format", "messages"}).out);
  REQUIRE(messages.size() == 5);
  CHECK(messages[0] == json{{"role", "system"}, {"content", "You test."}});
  CHECK(messages[1] == json{{"role", "user"}, {"content", "look"}});
  CHECK(messages[2]["tool_calls"][0]["function"] ==
        json{{"name", "bash"}, {"arguments", R"({"command":"ls"})"}});
  CHECK(messages[3] == json{{"role", "tool"}, {"tool_call_id", "c1"}, {"content", "a.txt"}});
  CHECK(messages[4]["content"] == "Done.");
}

TEST_CASE("messages without results leave out the answer that calls for them", "[agents][e2e]") {
  Desk desk;
  RecordedSession session(desk.shelf);
  session.begin();
  session.turn(1, "go");
  session.answer("", {bash_call("c1"), bash_call("c2")});
  session.result("c1", "one");
  const ProgramResult exported = desk.session({"export", "--format", "messages"});
  CHECK(exported.exit_code == 0);
  CHECK(json::parse(exported.out).size() == 2);
  CHECK(has(exported.err, "left out: the last answer"));
}

TEST_CASE("what a damaged journal still holds is exported before the error", "[agents][e2e]") {
  Desk desk;
  const RunId run = one_call(desk);
  desk.shelf.damage(run);
  for (const char* format : {"markdown", "jsonl"}) {
    const ProgramResult exported = desk.session({"export", "--format", format});
    CHECK(exported.exit_code == 65);
    CHECK(has(exported.out, "Done."));
    CHECK(has(exported.err, "damaged at byte"));
  }
  CHECK(desk.session({"export", "--format", "messages"}).out.empty());
}
