#include "tools/shell/shell_result.hpp"

#include "tests/support/catch.hpp"

#include <boost/asio/io_context.hpp>

namespace fathom::tools {
namespace {

using sandbox::Ending;
using sandbox::Outcome;

Outcome ended(Ending how, std::string evidence = "") {
  Outcome outcome;
  outcome.end(how, std::move(evidence));
  return outcome;
}

TEST_CASE("a command that went well has nothing but its output", "[tools]") {
  sandbox::OutputCapture capture;
  capture.append("hello\n");
  const ToolOutput output = ended_output(ended(Ending::exited), capture.finish(), StateKept::yes);
  CHECK(output.status == ToolStatus::ok);
  CHECK(output.text.text() == "hello\n");
  CHECK(output.notes.empty());
  CHECK(output.data ==
        R"({"running":false,"ending":"exited","exit_code":0,"ms":0,"bytes":6,"lines":1,)"
        R"("left_processes":false,"rung":"full"})");
}

TEST_CASE("each way to end badly is one short note", "[tools]") {
  Outcome failed = ended(Ending::exited);
  failed.exit_code = 3;
  CHECK(ended_output(failed, {}, StateKept::yes).notes == "exit code 3\n");
  CHECK(ended_output(failed, {}, StateKept::yes).status == ToolStatus::failed);

  Outcome killed = ended(Ending::signalled);
  killed.signal = 9;
  CHECK(ended_output(killed, {}, StateKept::no).notes ==
        "[sandbox] killed by signal 9\n"
        "[shell] the shell died with it: cwd, variables and functions are those before this "
        "call\n");

  Outcome left = ended(Ending::exited);
  left.left_processes = true;
  CHECK(ended_output(left, {}, StateKept::yes).notes ==
        "[shell] processes that it left running were killed: use background: true for those that "
        "are to stay\n");

  CHECK(ended_output(ended(Ending::deadline, "deadline of 600000 ms"), {}, StateKept::not_meant)
            .notes == "[sandbox] stopped: deadline of 600000 ms\n");
}

TEST_CASE("what the sandbox refused is in the notes and in the trace", "[tools]") {
  Outcome outcome = ended(Ending::exited);
  outcome.exit_code = 1;
  outcome.add(sandbox::Denial{"write", "/etc/x", "filesystem.workspace", "grant line", 1});
  const ToolOutput output = ended_output(outcome, {}, StateKept::yes);
  CHECK(output.notes.find("write denied: /etc/x") != std::string::npos);
  CHECK(output.denials == outcome.denials);
}

TEST_CASE("a job is named by the first line of its command, cut", "[tools]") {
  asio::io_context io;
  ShellJob job(io.get_executor(), 3, std::string(300, 'x') + "\nsecond");
  job.unread.append("12345");
  ToolOutput list = list_output({&job}, job.started + std::chrono::seconds(75));
  CHECK(list.text.text() ==
        "job 3: running for 75 s, 5 bytes unread: " + std::string(kJobWordsMax, 'x') + "…\n");
  job.end.emplace(ended(Ending::exited));
  job.command = "npm \x1b[31mtest";
  CHECK(end_notice(job) == "job 3 ended: exit code 0 (npm \\x1b[31mtest)");
  CHECK(list_output({}, {}).text.text() == "no jobs\n");
}

}  // namespace
}  // namespace fathom::tools
