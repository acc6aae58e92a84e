#include "agents/cli/sandbox_command.hpp"

#include "runtime/base/unique_fd.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/run_program.hpp"
#include "tests/support/skip.hpp"
#include "tests/support/temp_dir.hpp"

#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <filesystem>

using namespace fathom;
using nlohmann::json;
using test::ProgramResult;

namespace {

// A home with a secret and a workspace in it, and the program run there.
struct Desk {
  test::TempDir dir;
  std::string home = (std::filesystem::canonical(dir.path()) / "home").string();
  std::string repo = home + "/w";
  std::vector<std::string> environment = {"PATH=/usr/bin:/bin", "HOME=" + home, "GITHUB_TOKEN=t"};

  Desk() {
    std::filesystem::create_directories(repo);
    (void)dir.write("home/.ssh/id_rsa", "SECRET-KEY\n");
  }

  [[nodiscard]] static std::vector<std::string> words(const std::string& repository,
                                                      const std::vector<std::string>& args) {
    std::vector<std::string> all = {"sandbox", "run", "--repo", repository};
    all.insert(all.end(), args.begin(), args.end());
    return all;
  }
  [[nodiscard]] ProgramResult run(const std::vector<std::string>& args) const {
    return test::fathom(words(repo, args), {.environment = environment, .stdout_path = ""});
  }
  [[nodiscard]] ProgramResult sh(const std::string& script) const {
    return run({"--", "sh", "-c", script});
  }
};

// The program on a terminal of its own, which the test reads and types into.
class OnTerminal {
 public:
  OnTerminal(std::vector<std::string> args, std::vector<std::string> environment) {
    std::array<char, 128> name{};
    int master = -1;
    int slave = -1;
    REQUIRE(::openpty(&master, &slave, name.data(), nullptr, nullptr) == 0);
    master_.reset(master);
    slave_.reset(slave);
    ::fcntl(master, F_SETFD, FD_CLOEXEC);
    ::fcntl(slave, F_SETFD, FD_CLOEXEC);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, name.data(), O_RDWR, 0);
    posix_spawn_file_actions_adddup2(&actions, 0, 1);
    posix_spawn_file_actions_adddup2(&actions, 0, 2);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
    args.insert(args.begin(), FATHOM_PROGRAM);
    std::vector<char*> argv;
    for (std::string& word : args) argv.push_back(word.data());
    argv.push_back(nullptr);
    std::vector<char*> env;
    for (std::string& entry : environment) env.push_back(entry.data());
    env.push_back(nullptr);
    REQUIRE(::posix_spawn(&pid_, FATHOM_PROGRAM, &actions, &attributes, argv.data(), env.data()) ==
            0);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  }
  ~OnTerminal() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
  }
  OnTerminal(const OnTerminal&) = delete;
  OnTerminal& operator=(const OnTerminal&) = delete;

  void type(std::string_view keys) const {
    REQUIRE(::write(master_.get(), keys.data(), keys.size()) == static_cast<ssize_t>(keys.size()));
  }
  // Reads until `text` was shown; false when nothing more comes for a while.
  bool shows(std::string_view text) {
    constexpr int kPatienceMs = 10'000;
    while (screen_.find(text) == std::string::npos) {
      pollfd watched{master_.get(), POLLIN, 0};
      if (::poll(&watched, 1, kPatienceMs) <= 0) return false;
      std::array<char, 65536> buffer{};
      const ssize_t size = ::read(master_.get(), buffer.data(), buffer.size());
      if (size <= 0) return false;
      screen_.append(buffer.data(), static_cast<std::size_t>(size));
    }
    return true;
  }
  int wait() {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  [[nodiscard]] const std::string& screen() const { return screen_; }
  [[nodiscard]] int status_flags() const { return ::fcntl(slave_.get(), F_GETFL); }

 private:
  UniqueFd master_;
  UniqueFd slave_;
  pid_t pid_ = -1;
  std::string screen_;
};

}  // namespace

TEST_CASE("a command does not run in real time because the runtime does", "[agents][e2e]") {
  const Desk desk;
  std::vector<std::string> words = Desk::words(desk.repo, {"--", "cat", "/proc/self/stat"});
  words.insert(words.begin(), {"/usr/bin/chrt", "--rr", "10", FATHOM_PROGRAM});
  if (test::run_program({"/usr/bin/chrt", "--rr", "10", "true"}).exit_code != 0)
    return test::skip("chrt is not there or not allowed: real-time priority was not tried");
  const ProgramResult result =
      test::run_program(words, {.environment = desk.environment, .stdout_path = ""});
  CHECK(result.exit_code == 0);
  // The 18th field is the priority: below 0 in real time.
  CHECK(result.out.find(" 20 0 1 0 ") != std::string::npos);
}

TEST_CASE("sandbox run ends as its command does", "[agents][e2e]") {
  const Desk desk;
  const ProgramResult plain = desk.sh("echo out; echo err >&2; exit 3");
  CHECK(plain.exit_code == 3);
  CHECK(plain.out == "out\n");
  CHECK(plain.err.find("err\n") != std::string::npos);
  CHECK(desk.run({"--", "true"}).exit_code == 0);
  CHECK(desk.sh("kill -SEGV $$").exit_code == 139);
  CHECK(desk.run({"--", "no-such-command"}).exit_code == 127);
  const ProgramResult late = desk.run({"--timeout", "0.3", "--", "sleep", "100"});
  CHECK(late.exit_code == 75);
  CHECK(late.err.find("deadline of 300 ms") != std::string::npos);
}

TEST_CASE("sandbox run reads no secret of the home and passes none of ours", "[agents][e2e]") {
  const Desk desk;
  const ProgramResult key = desk.run({"--", "cat", desk.home + "/.ssh/id_rsa"});
  CHECK(key.exit_code == 1);
  CHECK(key.out.empty());
  CHECK(key.err.find("SECRET-KEY") == std::string::npos);
  CHECK(desk.sh("echo \"[$GITHUB_TOKEN]\"").out == "[]\n");
  CHECK(desk.sh("echo mine > file; touch /etc/x 2>/dev/null; cat file").out == "mine\n");
  CHECK(test::slurp(desk.repo + "/file") == "mine\n");
}

TEST_CASE("sandbox run says why a guarantee or the policy lets nothing run", "[agents][e2e]") {
  const Desk desk;
  (void)desk.dir.write(
      "strict.yaml",
      "apiVersion: fathom/v1\nkind: Policy\nname: s\nrequire: {tree_kill: enforced}\n");
  const std::string strict = (desk.dir / "strict.yaml").string();
  const ProgramResult refused =
      desk.run({"--policy", strict, "--rung", "container", "--json", "--", "true"});
  CHECK(refused.exit_code == 12);
  const json reason = json::parse(refused.out);
  CHECK(reason["ending"] == "not_started");
  CHECK(reason["missing"][0]["guarantee"] == "tree_kill");
  CHECK_FALSE(reason["missing"][0]["fix"].get<std::string>().empty());
  CHECK(desk.run({"--", "sudo", "id"}).exit_code == 13);
  CHECK(desk.run({"--", "git", "push"}).exit_code == 13);
  const json asked = json::parse(desk.run({"--json", "--", "git", "push"}).out);
  CHECK(asked["verdict"] == "ask");
  CHECK(asked["rule"] == "publish");
}

TEST_CASE("sandbox run --json is one object with the outcome", "[agents][e2e]") {
  const Desk desk;
  const ProgramResult result = desk.run({"--json", "--", "sh", "-c", "echo out; exit 4"});
  CHECK(result.exit_code == 4);
  const json outcome = json::parse(result.out);
  CHECK(outcome["ending"] == "exited");
  CHECK(outcome["exit_code"] == 4);
  CHECK(outcome["stdout"]["text"] == "out\n");
  for (const char* key : {"usage", "stderr", "left_processes", "denials", "connections", "repaired",
                          "runs_later", "rung", "weaker"})
    CHECK(outcome.contains(key));
}

TEST_CASE("sandbox run takes a policy by name and by file", "[agents][e2e]") {
  const Desk desk;
  CHECK(desk.run({"--policy", "readonly", "--", "touch", "x"}).exit_code != 0);
  (void)desk.dir.write("small.yaml",
                       "apiVersion: fathom/v1\nkind: Policy\nname: s\nlimits: {fds: 77}\n");
  CHECK(desk.run({"--policy", (desk.dir / "small.yaml").string(), "--", "sh", "-c", "ulimit -n"})
            .out == "77\n");
  CHECK(desk.run({"--mode", "disposable", "--", "touch", "y"}).exit_code == 0);
  CHECK_FALSE(std::filesystem::exists(desk.repo + "/y"));
}

TEST_CASE("sandbox run refuses what it does not understand", "[agents][e2e]") {
  const Desk desk;
  CHECK(desk.run({"--mode", "fast", "--", "true"}).exit_code == 64);
  CHECK(desk.run({"--rung", "top", "--", "true"}).exit_code == 64);
  CHECK(desk.run({"--no-sandbox", "--", "true"}).exit_code == 64);
  CHECK(desk.run({}).exit_code == 64);
  CHECK(desk.run({"--policy", "nowhere.yaml", "--", "true"}).exit_code == 66);
  const ProgramResult missing = test::fathom(Desk::words(desk.home + "/nothing", {"--", "true"}),
                                             {.environment = desk.environment, .stdout_path = ""});
  CHECK(missing.exit_code == 66);
  CHECK(test::fathom(Desk::words(desk.home, {"--", "true"}),
                     {.environment = desk.environment, .stdout_path = ""})
            .exit_code == 64);
}

TEST_CASE("a grant is asked for, shown, and given for one run", "[agents][e2e]") {
  Desk desk;
  const std::string grant = "filesystem: {read: [\"" + desk.home + "/.ssh/id_rsa\"]}";
  const std::vector<std::string> cat = {"--", "cat", desk.home + "/.ssh/id_rsa"};
  const auto with = [&](std::vector<std::string> flags) {
    flags.insert(flags.end(), {"--grant", grant});
    flags.insert(flags.end(), cat.begin(), cat.end());
    return desk.run(flags);
  };
  const ProgramResult asked = with({});
  CHECK(asked.exit_code == 13);
  CHECK(asked.out.empty());
  CHECK(asked.err.find("/.ssh/id_rsa: read\n") != std::string::npos);
  const ProgramResult given = with({"--yes"});
  CHECK(given.exit_code == 0);
  CHECK(given.out == "SECRET-KEY\n");
  CHECK(desk.run(cat).exit_code == 1);
  const json shown = json::parse(with({"--json"}).out);
  CHECK(shown["escalation"]["kinds"] == json::array({"fs_read"}));
  CHECK(shown["escalation"]["changes"][0]["after"] == "read");
  const json outcome = json::parse(with({"--json", "--yes"}).out);
  CHECK(outcome["stdout"]["text"] == "SECRET-KEY\n");
  CHECK(outcome["escalation"]["binding"] == shown["escalation"]["binding"]);
  // An approval is for the environment too, as far as a command gets it.
  for (const auto& [entry, changes] :
       {std::pair("LANG=C.UTF-8", true), {"GITHUB_TOKEN=other", false}}) {
    desk.environment.push_back(entry);
    const json now = json::parse(with({"--json"}).out);
    CHECK((now["escalation"]["binding"] != shown["escalation"]["binding"]) == changes);
    desk.environment.pop_back();
  }
  const ProgramResult never =
      desk.run({"--yes", "--grant", "require: {network: none}", "--", "true"});
  CHECK(never.exit_code == 64);
  CHECK(never.err.find("require is never lowered") != std::string::npos);
}

TEST_CASE("a person on a terminal is asked, and only yes is yes", "[agents][e2e]") {
  const Desk desk;
  for (const auto& [keys, exit_code] :
       {std::pair{"y\n", 0}, {"\n", 13}, {"no\n", 13}, {"yy\n", 13}}) {
    OnTerminal program(Desk::words(desk.repo, {"--grant", "limits: {pids: 5000}", "--reason",
                                               "a big build", "--", "echo", "has-run"}),
                       desk.environment);
    REQUIRE(program.shows("[y/N] "));
    CHECK(program.screen().find("+ limits.pids: 5000") != std::string::npos);
    CHECK(program.screen().find("its reason: a big build") != std::string::npos);
    program.type(keys);
    const bool ran = program.shows(exit_code == 0 ? "has-run\r\n" : "nothing has run");
    INFO(program.screen());
    CHECK(ran);
    CHECK(program.wait() == exit_code);
  }
}

TEST_CASE("the person's terminal is not passed to a command", "[agents][e2e]") {
  const Desk desk;
  OnTerminal program(
      Desk::words(desk.repo,
                  {"--", "sh", "-c",
                   "for fd in 0 1 2; do test -t $fd && echo terminal-$fd; done; echo end"}),
      desk.environment);
  REQUIRE(program.shows("end\r\n"));
  CHECK(program.screen().find("terminal-") == std::string::npos);
  CHECK(program.wait() == 0);
}

TEST_CASE("Ctrl-C ends the command and its tree, and the program says so", "[agents][e2e]") {
  const Desk desk;
  OnTerminal program(Desk::words(desk.repo, {"--", "sh", "-c", "echo up; sleep 1000"}),
                     desk.environment);
  REQUIRE(program.shows("up\r\n"));
  program.type("\x03");
  CHECK(program.wait() == 130);
}

TEST_CASE("sandbox shell is a terminal that takes keys and much output", "[agents][e2e]") {
  const Desk desk;
  OnTerminal program({"sandbox", "shell", "--repo", desk.repo}, desk.environment);
  program.type("stty -echo; PS1=; echo begin-$((40+2))\n");
  REQUIRE(program.shows("begin-42\r\n"));
  program.type("seq 1 60000; echo seen-$((1+1))\n");
  CHECK(program.shows("seen-2\r\n"));
  CHECK(program.screen().find("\n59999\r\n60000\r\n") != std::string::npos);
  program.type("exit 5\n");
  CHECK(program.wait() == 5);
  CHECK((program.status_flags() & O_NONBLOCK) == 0);
}

TEST_CASE("the doctor states every guarantee of the sandbox", "[agents][e2e]") {
  const Desk desk;
  const ProgramResult result =
      test::fathom({"doctor", "--json"}, {.environment = desk.environment, .stdout_path = ""});
  const json report = json::parse(result.out);
  const std::string text = report.dump();
  for (const char* name : {"fs_write", "fs_read", "protected_paths", "network", "processes",
                           "tree_kill", "memory", "pids", "cpu", "syscalls", "rung"}) {
    INFO(name);
    CHECK(text.find("\"" + std::string(name) + "\"") != std::string::npos);
  }
}
