// Background jobs in real sandboxes.
#include "tests/support/catch.hpp"
#include "tests/support/skip.hpp"
#include "tests/tools/shell/live_shell.hpp"

#include <nlohmann/json.hpp>

namespace fathom::tools {
namespace {

using test::LiveShell;

nlohmann::json data_of(const ToolOutput& output) { return nlohmann::json::parse(output.data); }

TEST_CASE("a server in the background is reached by the next call", "[sandbox]") {
  LiveShell shell;
  if (shell.sh("command -v python3").empty())
    return test::skip("python3 is missing: a server as a job was not tested");
  (void)shell.run("port=8123; echo page > index.html");
  const ToolOutput started =
      shell.call(R"({"command":"echo up; exec python3 -m http.server $port --bind 127.0.0.1",)"
                 R"("background":true})");
  CHECK(data_of(started)["running"] == true);
  CHECK(data_of(started)["job"] == 3);
  if (shell.commands().launcher()->rung() == sandbox::Rung::full)
    CHECK(shell.sh("exec 2>/dev/null; for i in {1..200}; do "
                   "python3 -c \"import urllib.request as u; "
                   "print(u.urlopen('http://127.0.0.1:$port').read().decode(), end='')\" && break; "
                   "read -t 0.05 </dev/zero; done") == "page\n");
  const ToolOutput killed = shell.call(R"({"action":"kill","job":3})");
  CHECK(killed.status == ToolStatus::ok);
  CHECK(killed.notes.starts_with("job 3 ended: stopped: the caller cancelled it (echo up; exec"));
  CHECK(shell.call(R"({"action":"list"})").text.text() == "no jobs\n");
}

TEST_CASE("a job that ends is reported with the next call, and polled for its output",
          "[sandbox]") {
  LiveShell shell;
  (void)shell.run("mkfifo gate; cd /usr");
  const ToolOutput started =
      shell.call(R"({"command":"cd $OLDPWD; echo waiting; read x <gate; x=job; echo got; exit 7",)"
                 R"("background":true})");
  CHECK(data_of(started)["running"] == true);
  const std::string poll = R"({"action":"poll","job":)" + data_of(started)["job"].dump() + "}";
  std::string seen = started.text.text();
  if (seen.empty()) seen = shell.call(poll).text.text();
  CHECK(seen == "waiting\n");
  // A job starts from the shell's state and does not change it.
  CHECK(shell.sh("pwd; echo ${x-none}; echo go > $OLDPWD/gate").starts_with("/usr\nnone\n"));
  const ToolOutput ended = shell.call(poll);
  CHECK(ended.text.text() == "got\n");
  CHECK(data_of(ended)["exit_code"] == 7);
  CHECK(shell.sh("pwd; echo ${x-none}") == "/usr\nnone\n");
}

TEST_CASE("a command that outlasts its wait does not change the shell any more", "[sandbox]") {
  LiveShell shell;
  (void)shell.run("mkfifo gate; x=1");
  const ToolOutput waited =
      shell.call(R"({"command":"x=2; echo begun; read y <gate; echo done","timeout_s":0.2})");
  CHECK(data_of(waited)["running"] == true);
  const std::string poll = R"({"action":"poll","job":)" + data_of(waited)["job"].dump() + "}";
  std::string seen = waited.text.text();
  if (seen.empty()) seen = shell.call(poll).text.text();
  CHECK(seen == "begun\n");
  CHECK(shell.sh("echo $x; x=3; echo go > gate").starts_with("1\n"));
  CHECK(shell.call(poll).text.text() == "done\n");
  CHECK(shell.sh("echo $x") == "3\n");
}

TEST_CASE("a lifetime that is over ends a job, and says which limit it was", "[sandbox]") {
  LiveShell shell([](sandbox::LauncherOptions& options) {
    options.policy.limits.time = std::chrono::milliseconds(1500);
  });
  const ToolOutput started = shell.call(R"({"command":"sleep 1000","background":true})");
  const std::string poll =
      R"({"action":"poll","timeout_s":60,"job":)" + data_of(started)["job"].dump() + "}";
  const ToolOutput ended = shell.call(poll);
  CHECK(data_of(ended)["ending"] == "deadline");
  CHECK(ended.notes.find("deadline of 1500 ms") != std::string::npos);
}

TEST_CASE("jobs end with the session", "[sandbox]") {
  LiveShell shell;
  for (int i = 0; i < 3; ++i)
    CHECK(data_of(shell.call(
              R"({"command":"setsid sleep 1000; sleep 1000","background":true})"))["running"] ==
          true);
  // The destructor closes, and aborts when a job is left.
}

}  // namespace
}  // namespace fathom::tools
