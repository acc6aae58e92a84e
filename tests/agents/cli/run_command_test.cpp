#include "agents/cli/run_command.hpp"

#include "runtime/base/file.hpp"
#include "tests/agents/cli/run_desk.hpp"
#include "tests/support/started_program.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <csignal>
#include <iterator>

using namespace fathom;
using nlohmann::json;
using test::Gate;
using test::has;
using test::ProgramResult;
using test::RunDesk;
using test::StartedProgram;

namespace {

const std::string kFix = "replay:tests/golden/sessions/fix.jsonl";

constexpr const char* kDone = R"({"say":"Seen."})";

// An answer that calls bash, as a line of a script; `more` are further keys.
std::string bash(const std::string& command, const std::string& more = "") {
  return R"({"calls":[{"name":"bash","arguments":{"command":")" + command + R"("}}])" + more +
         "}\n";
}

const std::string kUsage = R"(,"usage":{"prompt_tokens":400,"completion_tokens":9})";
const std::string kLooks = bash("echo 1", kUsage) + bash("echo 2", kUsage) +
                           bash("echo 3", kUsage) + bash("echo 4", kUsage);
const std::string kPublishes =
    bash("echo ran >> ran.txt; git push origin main") + R"({"say":"Tried."})";
const std::string kWaits = bash("echo once >> count.txt; exec 3> gate; echo here >&3; sleep 600");

}  // namespace

TEST_CASE("a replayed fix works with real tools, and undo takes it back", "[agents][e2e]") {
  const RunDesk desk;
  const ProgramResult fixed = desk.run(kFix);
  CHECK(fixed.exit_code == 0);
  CHECK(fixed.out == "add.sh subtracted where it should add. The tests pass now.\n");
  CHECK(desk.file("add.sh") == RunDesk::kFixed);
  CHECK(has(fixed.err, "* bash  sh test.sh\n  x exit 1"));
  CHECK(has(fixed.err, "expected 5, got -1"));
  CHECK(has(fixed.err, "+ answered; 5 steps"));
  CHECK(has(fixed.err, "modified  add.sh  +1 -1"));
  CHECK(has(fixed.err, "fathom undo " + desk.newest()));
  const auto events = desk.events();
  CHECK(events.front()["type"] == "run.started");
  CHECK(events.back()["type"] == "run.finished");
  CHECK(events.back()["data"]["exit_code"] == 0);
  CHECK(desk.fathom({"undo", "--repo", desk.repo}).exit_code == 0);
  CHECK(desk.file("add.sh") == RunDesk::kBroken);
  CHECK(desk.git({"-C", desk.repo, "status", "--short"}).empty());
}

TEST_CASE("with --json every event of the journal is printed, and nothing else on standard output",
          "[agents][e2e]") {
  const RunDesk desk;
  const ProgramResult fixed = desk.run(kFix, {"--json"});
  CHECK(fixed.exit_code == 0);
  CHECK(fixed.err.empty());
  const auto printed = RunDesk::lines_of(fixed.out);
  CHECK(printed.back()["type"] == "run.finished");
  std::vector<json> durable;
  std::ranges::copy_if(printed, std::back_inserter(durable),
                       [](const json& event) { return event["durability"] == "durable"; });
  CHECK(durable == desk.events());
  CHECK(durable.size() < printed.size());  // deltas were streamed as well
}

TEST_CASE("a run whose readers leave goes on to its end, and says that its output was lost",
          "[agents][e2e]") {
  const RunDesk desk;
  const std::string status = desk.home + "/status";
  std::vector<std::string> words = desk.run_words(kFix, {"--json"});
  words.insert(words.begin(), {"/bin/sh", "-c", "{ \"$@\"; echo $? >\"$0\"; } 2>&1 | :", status});
  (void)test::run_program(words, {.environment = desk.environment(), .stdout_path = ""});
  CHECK(test::slurp(status) == "74\n");
  CHECK(desk.file("add.sh") == RunDesk::kFixed);
  CHECK(desk.events().back()["type"] == "run.finished");
}

TEST_CASE("a run's own journal replays it on the same repository, and on no other",
          "[agents][e2e]") {
  const RunDesk desk;
  CHECK(desk.run(kFix).exit_code == 0);
  const std::string recorded = "replay:" + desk.journal(desk.newest());
  desk.write("add.sh", RunDesk::kBroken);
  CHECK(desk.run(recorded).exit_code == 0);
  CHECK(desk.file("add.sh") == RunDesk::kFixed);
  desk.write("add.sh", "# Adds 2 numbers.\necho $(($1 - $2))\n");
  const ProgramResult other = desk.run(recorded);
  CHECK(other.exit_code == 12);
  CHECK(has(other.err, "request 3: message 5 (tool): result 1 (call-2): content differs at byte "));
  CHECK(has(other.err, "recorded '"));
  desk.write("add.sh", "# Adds 2 numbers.\necho $(($1 - $2))\n");
  CHECK(desk.run(recorded + "#loose").exit_code == 0);
  CHECK(desk.file("add.sh") == "# Adds 2 numbers.\necho $(($1 + $2))\n");
}

TEST_CASE("limits end a run with codes of their own", "[agents][e2e]") {
  const RunDesk desk;
  const std::string looks = desk.script("looks", kLooks);
  const ProgramResult steps = desk.run(looks, {"--budget", "steps=2"});
  CHECK(steps.exit_code == 10);
  CHECK(has(steps.err, "the limit of 2 steps was reached"));
  const ProgramResult tokens = desk.run(looks, {"--budget", "tokens=800"});
  CHECK(tokens.exit_code == 14);
  CHECK(has(tokens.err, "the budget is spent: tokens "));
  CHECK(desk.events().back()["data"]["exit_code"] == 14);
  const ProgramResult typo = desk.run(looks, {"--budget", "stps=2"});
  CHECK(typo.exit_code == 64);
  CHECK(has(typo.err, "did you mean 'steps'?"));
}

TEST_CASE("an engine that is not there ends the run with what to do", "[agents][e2e]") {
  const RunDesk desk;
  const ProgramResult refused = desk.run("openai:http://127.0.0.1:1/v1#m");
  CHECK(refused.exit_code == 12);
  CHECK(has(refused.err, "connection refused (is a server running there?)"));
  CHECK(desk.count("model.failed") <= 1);  // nobody waits for a server that is not started
  const ProgramResult none = desk.program({"run", "x", "--repo", desk.repo});
  CHECK(none.exit_code == 64);
  CHECK(has(none.err, "no engine: give --engine SPEC"));
}

TEST_CASE("wrong command lines are refused before anything begins", "[agents][e2e]") {
  const RunDesk desk;
  const auto refused = [&](const std::vector<std::string>& args, int code, std::string_view why) {
    const ProgramResult result = desk.program(args);
    INFO(result.err);
    CHECK(result.exit_code == code);
    CHECK(has(result.err, why));
    CHECK(desk.newest().empty());
  };
  refused({"run", "--engine", kFix}, 64, "no task: say what is to be done");
  refused({"run", "", "--engine", kFix}, 64, "no task");
  refused({"run", "x", "--file", "y", "--engine", kFix}, 64, "give one of them");
  refused({"run", "--file", desk.home + "/none", "--engine", kFix}, 66, "/none: No such file");
  refused({"run", "x", "--yes", "--ask", "--engine", kFix}, 64, "--yes excludes --ask");
  refused({"run", "x", "--ask", "--engine", kFix}, 64, "standard input is no terminal");
  refused({"run", "x", "--mode", "dry", "--engine", kFix}, 64, "not in {direct,transaction}");
  refused({"run", "x", "--engine", "opnai:http://x"}, 64, "did you mean 'openai'?");
  refused({"run", "x", "--agent", "codr", "--engine", kFix}, 66, "did you mean 'coder'?");
  refused({"run", "x", "--policy", "nope", "--engine", kFix}, 66, "no shipped policy");
  const std::string none = desk.home + "/none";
  refused({"run", "x", "--repo", none, "--engine", "openai:http://127.0.0.1:1/v1"}, 66,
          "workspace " + none + ": no such folder");
  refused({"run", "x", "--repo", desk.repo + "/add.sh", "--engine", kFix}, 64, "not a folder");
  refused({"session", "resume", "ZZZZ"}, 66, "no ");
}

TEST_CASE("the task may come from a file", "[agents][e2e]") {
  const RunDesk desk;
  desk.write("../task.txt", "look\nhere\n\n");
  const ProgramResult read = desk.program({"run", "--file", desk.home + "/task.txt", "--repo",
                                           desk.repo, "--engine", desk.script("done", kDone)});
  CHECK(read.exit_code == 0);
  const auto events = desk.events();
  const auto began = std::ranges::find_if(
      events, [](const json& event) { return event["type"] == "turn.started"; });
  REQUIRE(began != events.end());
  CHECK((*began)["data"]["text"] == "look\nhere");
}

TEST_CASE("a dirty tree keeps what the user did, also through undo", "[agents][e2e]") {
  const RunDesk desk;
  desk.write("mine.txt", "mine\n");
  desk.write("test.sh", desk.file("test.sh") + "# mine\n");
  CHECK(desk.run(kFix).exit_code == 0);
  CHECK(desk.fathom({"undo", "--repo", desk.repo}).exit_code == 0);
  CHECK(desk.file("add.sh") == RunDesk::kBroken);
  CHECK(desk.file("mine.txt") == "mine\n");
  CHECK(desk.file("test.sh").ends_with("# mine\n"));
}

TEST_CASE("a detached HEAD is worked on and stays where it was", "[agents][e2e]") {
  const RunDesk desk;
  desk.git({"-C", desk.repo, "checkout", "-q", "--detach"});
  const std::string head = desk.git({"-C", desk.repo, "rev-parse", "HEAD"});
  CHECK(desk.run(kFix).exit_code == 0);
  CHECK(desk.git({"-C", desk.repo, "rev-parse", "HEAD"}) == head);
  CHECK(desk.file("add.sh") == RunDesk::kFixed);
}

TEST_CASE("a folder without git, and a repository without a commit, are worked in",
          "[agents][e2e]") {
  RunDesk desk;
  desk.repo = desk.home + "/plain";
  desk.write_project("plain");
  const ProgramResult plain = desk.run(kFix);
  CHECK(plain.exit_code == 0);
  CHECK(has(plain.err, "modified  add.sh  +1 -1"));
  CHECK(desk.fathom({"undo", "--repo", desk.repo}).exit_code == 0);
  CHECK(test::slurp(desk.repo + "/add.sh") == RunDesk::kBroken);
  desk.repo = desk.home + "/empty";
  desk.git({"init", "-q", desk.repo});
  const std::string makes = desk.script(
      "makes", R"({"calls":[{"name":"bash","arguments":{"command":"echo new > new.txt"}}]}
{"say":"Made."})");
  const ProgramResult empty = desk.run(makes);
  CHECK(empty.exit_code == 0);
  CHECK(has(empty.err, "added  new.txt  +1 -0"));
}

TEST_CASE("in a read-only tree the model is told, and nothing is changed", "[agents][e2e]") {
  namespace fs = std::filesystem;
  const RunDesk desk;
  const auto write_all = fs::perms::owner_write | fs::perms::group_write | fs::perms::others_write;
  for (const char* name : {"", "/add.sh", "/test.sh"})
    fs::permissions(desk.repo + name, write_all, fs::perm_options::remove);
  const std::string edits = desk.script(
      "edits", R"({"calls":[{"name":"str_replace_editor","arguments":)"
               R"({"command":"str_replace","path":"add.sh","old_str":"-","new_str":"+"}}]})"
               "\n"
               R"({"say":"It is read-only.","expect":{"contains":"read-only"}})");
  const ProgramResult told = desk.run(edits);
  CHECK(told.exit_code == 0);
  CHECK(desk.file("add.sh") == RunDesk::kBroken);
  fs::permissions(desk.repo, fs::perms::owner_write, fs::perm_options::add);
}

TEST_CASE("without a person a run waits for approve, and resuming acts on it once",
          "[agents][e2e]") {
  const RunDesk desk;
  const std::string done = desk.script("done", kDone);
  const ProgramResult asked = desk.run(desk.script("publishes", kPublishes));
  CHECK(asked.exit_code == 13);
  CHECK(has(asked.err, "needs an approval: it publishes (rule publish)"));
  CHECK_FALSE(std::filesystem::exists(desk.repo + "/ran.txt"));
  CHECK(desk.resume().exit_code == 13);  // nobody has answered
  CHECK(desk.fathom({"approve", desk.newest()}).exit_code == 0);
  const ProgramResult approved = desk.resume({"--engine", done});
  CHECK(approved.exit_code == 0);
  CHECK(approved.out == "Seen.\n");
  CHECK(desk.file("ran.txt") == "ran\n");
  CHECK(desk.resume({"again", "--engine", done}).exit_code == 0);
  CHECK(desk.file("ran.txt") == "ran\n");
  CHECK(desk.count("tool.started") == 1);
}

TEST_CASE("a run that is resumed goes on in its recording, and with nothing to do says so",
          "[agents][e2e]") {
  const RunDesk desk;
  CHECK(desk.run(desk.script("publishes", kPublishes + "\n" + R"({"say":"Later."})")).exit_code ==
        13);
  CHECK(desk.fathom({"approve", desk.newest()}).exit_code == 0);
  const ProgramResult resumed = desk.resume();
  CHECK(resumed.exit_code == 0);
  CHECK(resumed.out == "Tried.\n");
  const auto events = desk.events().size();
  const ProgramResult idle = desk.resume();
  CHECK(idle.exit_code == 64);
  CHECK(idle.err == "fathom: run " + desk.newest() +
                        " is not in the middle of anything: say what it is to do next, such as "
                        "fathom session resume " +
                        desk.newest() + " 'now the docs'\n");
  CHECK(desk.events().size() == events);
  CHECK(desk.resume({"and then?"}).out == "Later.\n");
}

TEST_CASE("attempts that are resumed hear the message, and ended ones need one", "[agents][e2e]") {
  const RunDesk desk;
  desk.write("../held.yaml",
             "apiVersion: fathom/v1\nkind: Agent\nname: held\ndescription: held\nprompt: Work.\n"
             "attempts: 2\naccept: {command: ['true']}\n");
  const std::string script =
      desk.script("publishes", bash("git push origin main") +
                                   R"({"say":"Minded.","expect":{"contains":"mind the docs"}})" +
                                   "\n" + R"({"say":"Again.","expect":{"contains":"once more"}})");
  CHECK(desk.run(script, {"--agent", desk.home + "/held.yaml"}).exit_code == 13);
  CHECK(desk.fathom({"approve", desk.newest()}).exit_code == 0);
  const ProgramResult minded = desk.resume({"mind the docs"});
  CHECK(minded.exit_code == 0);
  CHECK(minded.out == "Minded.\n");
  CHECK(desk.resume().exit_code == 64);
  CHECK(desk.resume({"once more"}).out == "Again.\n");
}

TEST_CASE("a call that was denied from elsewhere is not run, and the model hears why",
          "[agents][e2e]") {
  const RunDesk desk;
  CHECK(desk.run(desk.script("publishes", kPublishes)).exit_code == 13);
  CHECK(desk.fathom({"approve", desk.newest(), "--deny"}).exit_code == 0);
  // The answer that stands counts, whatever is approved now.
  const std::string done = desk.script("done", kDone);
  CHECK(desk.resume({"--yes", "--engine", done}).exit_code == 0);
  CHECK_FALSE(std::filesystem::exists(desk.repo + "/ran.txt"));
  CHECK(desk.count("tool.started") == 0);
  CHECK(has(desk.results(), "it publishes"));
}

TEST_CASE("what the policy asks about is approved with --yes", "[agents][e2e]") {
  const RunDesk desk;
  const ProgramResult approved = desk.run(desk.script("publishes", kPublishes), {"--yes"});
  CHECK(approved.exit_code == 0);
  CHECK(desk.file("ran.txt") == "ran\n");
  CHECK(has(approved.err, "+ approved"));
}

TEST_CASE("SIGINT ends the turn cleanly, and the run can be resumed", "[agents][e2e]") {
  const RunDesk desk;
  const Gate gate(desk.repo + "/gate");
  StartedProgram run(desk.run_words(desk.script("waits", kWaits)), desk.environment(), desk.home);
  REQUIRE(gate.read() == "here\n");
  run.send(SIGINT);
  const ProgramResult interrupted = run.wait();
  CHECK(interrupted.exit_code == 130);
  CHECK(has(interrupted.err, "interrupting; Ctrl-C again stops at once"));
  CHECK(has(interrupted.err, "fathom session resume " + desk.newest()));
  CHECK(gate.is_left());
  CHECK(desk.events().back()["type"] == "run.finished");
  CHECK(desk.events().back()["data"]["exit_code"] == 130);
  const ProgramResult resumed = desk.resume({"go on", "--engine", desk.script("done", kDone)});
  CHECK(resumed.exit_code == 0);
  CHECK(resumed.out == "Seen.\n");
  CHECK(desk.file("count.txt") == "once\n");
}

TEST_CASE("after SIGKILL nothing of the run is left, and its call is not run twice",
          "[agents][e2e]") {
  const RunDesk desk;
  const Gate gate(desk.repo + "/gate");
  StartedProgram run(desk.run_words(desk.script("waits", kWaits)), desk.environment(), desk.home);
  REQUIRE(gate.read() == "here\n");
  run.send(SIGKILL);
  CHECK(run.wait().exit_code == 128 + SIGKILL);
  CHECK(gate.is_left());
  CHECK(desk.events().back()["type"] == "tool.started");
  const std::string done = desk.script(
      "told", R"({"say":"Seen.","expect":{"contains":"the program ended while this ran"}})");
  CHECK(desk.resume({"--engine", done}).exit_code == 0);
  CHECK(desk.file("count.txt") == "once\n");
  CHECK(desk.count("tool.started") == 1);
  CHECK(desk.events().back()["type"] == "run.finished");
  CHECK(desk.fathom({"undo", desk.newest()}).exit_code == 0);
  CHECK_FALSE(std::filesystem::exists(desk.repo + "/count.txt"));
}

TEST_CASE("the processor time of tools is counted, also across processes", "[agents][e2e]") {
  const RunDesk desk;
  const std::string burns = bash("for ((i = 0; i < 1500000; ++i)); do :; done", kUsage);
  const std::string script = desk.script("burns", burns + burns + burns + R"({"say":"Out."})");
  const ProgramResult stopped = desk.run(script, {"--budget", "tool_cpu=1s"});
  CHECK(stopped.exit_code == 14);
  CHECK(has(stopped.err, "processor time of tools"));
  std::int64_t ms = 0;
  for (const json& event : desk.events())
    if (event["type"] == "agent.tool_cpu") ms += event["data"]["ms"].get<std::int64_t>();
  CHECK(ms >= 900);
  const ProgramResult again = desk.resume({"go on"});
  CHECK(again.exit_code == 14);
}

TEST_CASE("a run in a transaction changes nothing until it is committed", "[agents][e2e]") {
  const RunDesk desk;
  const ProgramResult fixed = desk.run(kFix, {"--mode", "transaction"});
  CHECK(fixed.exit_code == 0);
  CHECK(desk.file("add.sh") == RunDesk::kBroken);
  CHECK(desk.git({"-C", desk.repo, "status", "--short"}).empty());
  const json listed = json::parse(desk.fathom({"sandbox", "list", "--json"}).out);
  REQUIRE(listed["transactions"].size() == 1);
  const std::string id = listed["transactions"][0]["id"];
  CHECK(has(fixed.err, "keep: fathom sandbox commit " + id));
  CHECK(desk.fathom({"sandbox", "commit", id}).exit_code == 0);
  CHECK(desk.file("add.sh") == RunDesk::kFixed);
}

TEST_CASE("a run is resumed where it worked, under its policy and with its transaction",
          "[agents][e2e]") {
  const RunDesk desk;
  desk.write("../strict.yaml",
             "apiVersion: fathom/v1\nkind: Policy\nname: strict\nexec: {otherwise: deny}\n");
  const std::string done = desk.script("done", kDone);
  const std::string looks = desk.script("looks", kLooks);
  CHECK(desk.run(done, {"--policy", desk.home + "/strict.yaml"}).exit_code == 0);
  CHECK(desk.resume({"look", "--engine", looks, "--budget", "steps=2"}).exit_code == 10);
  CHECK(desk.count("tool.requested") > 0);
  CHECK(desk.count("tool.started") == 0);  // denied

  CHECK(desk.run(done, {"--mode", "transaction"}).exit_code == 0);
  CHECK(desk.resume({"fix it", "--engine", kFix}).exit_code == 0);
  CHECK(desk.file("add.sh") == RunDesk::kBroken);
  const json listed = json::parse(desk.fathom({"sandbox", "list", "--json"}).out);
  REQUIRE(listed["transactions"].size() == 1);
  CHECK(listed["transactions"][0]["workspace"] == desk.repo);
}

TEST_CASE("attempts whose long task was lost before it began take the one that is given now",
          "[agents][e2e]") {
  const RunDesk desk;
  desk.write("../held.yaml",
             "apiVersion: fathom/v1\nkind: Agent\nname: held\ndescription: held\nprompt: Work.\n"
             "accept: {command: ['true']}\n");
  desk.write("../task.txt", std::string(std::size_t{40} * 1024, 'x'));
  const std::string done = desk.script("done", kDone);
  const ProgramResult begun =
      desk.program({"run", "--file", desk.home + "/task.txt", "--repo", desk.repo, "--engine", done,
                    "--agent", desk.home + "/held.yaml"});
  CHECK(begun.exit_code == 0);
  // As a program leaves it that dies before the first turn.
  const std::string whole = test::slurp(desk.journal(desk.newest()));
  const std::size_t end = whole.find('\n', whole.find(R"("type":"agent.attempts")"));
  REQUIRE(end != std::string::npos);
  REQUIRE(write_file_atomic(desk.journal(desk.newest()), whole.substr(0, end + 1), Sync::no));
  CHECK(desk.resume().exit_code == 64);
  const ProgramResult again = desk.resume({"the short task", "--engine", done});
  CHECK(again.exit_code == 0);
  CHECK(again.out == "Seen.\n");
  CHECK(desk.count("agent.attempts") == 3);
}

TEST_CASE("each fork of a run in a transaction has one of its own, and keeps it", "[agents][e2e]") {
  const RunDesk desk;
  const std::string done = desk.script("done", kDone);
  const auto ids = [&] {
    std::vector<std::string> all;
    const json listed = json::parse(desk.fathom({"sandbox", "list", "--json"}).out);
    for (const json& one : listed["transactions"]) all.push_back(one["id"]);
    return all;
  };
  CHECK(desk.run(kFix, {"--mode", "transaction"}).exit_code == 0);
  const std::string parent = desk.newest();
  for (std::size_t forks = 1; forks <= 2; ++forks) {
    const std::string fork =
        json::parse(desk.fathom({"session", "fork", parent, "--json"}).out)["run"];
    const ProgramResult first =
        desk.program({"session", "resume", fork, "fix it", "--engine", kFix});
    CHECK(first.exit_code == 0);
    CHECK(has(first.err, "a fork has a transaction of its own"));
    CHECK(ids().size() == forks + 1);
    const ProgramResult second =
        desk.program({"session", "resume", fork, "once more", "--engine", done});
    CHECK(second.exit_code == 0);
    CHECK_FALSE(has(second.err, "a fork has a transaction of its own"));
    CHECK(ids().size() == forks + 1);
  }
}
