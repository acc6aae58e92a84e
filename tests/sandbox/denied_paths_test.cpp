#include "sandbox/denied_paths.hpp"

#include "tests/support/catch.hpp"

namespace fathom::sandbox {
namespace {

using Paths = std::vector<std::string>;

policies::Policy policy() {
  policies::Policy policy;
  policy.filesystem.workspace_root = "/home/me/work";
  policy.filesystem.home_root = "/home/me";
  policy.filesystem.grants = {{"/opt/out", policies::Access::write, "filesystem.write[0]"},
                              {"/srv/keys", policies::Access::hidden, "filesystem.hidden[0]"}};
  return policy;
}

std::vector<ViewEntry> entries() {
  return {{"/home/me", Show::private_folder, PathType::folder, "home"},
          {"/home/me/.cargo", Show::read, PathType::folder, ""},
          {"/home/me/work", Show::write, PathType::folder, ""},
          {"/opt/out", Show::write, PathType::folder, ""},
          {"/srv/keys", Show::hidden, PathType::folder, ""},
          {"/tmp", Show::private_folder, PathType::folder, "tmp"}};
}

Paths named(const Paths& argv) {
  return named_hidden_paths({argv, "/home/me/work/src", "/home/me"}, entries());
}

TEST_CASE("a write is denied by the rule of the policy, with the grant that would allow it",
          "[sandbox-paths]") {
  const policies::Policy rules = policy();
  const FileFences fences{rules, entries(), {"/home/me/work/.git/hooks"}};
  for (const char* path : {"/home/me/work/x", "/opt/out/a/b", "/tmp/x", "/home/me/note",
                           "/dev/null", "/dev/shm/x", "/proc/self/oom_score_adj", "/dev/pts/3"}) {
    INFO(path);
    CHECK_FALSE(judge_write(fences, path));
  }
  CHECK(judge_write(fences, "/etc/x") == Denial{.what = "write",
                                                .target = "/etc/x",
                                                .rule = "filesystem.system",
                                                .grant = "filesystem: {write: [\"/etc/x\"]}"});
  CHECK(judge_write(fences, "/srv/keys/a")->rule == "filesystem.hidden[0]");
  CHECK(judge_write(fences, "/home/me/.cargo/config")->rule == "filesystem.home");
  CHECK(judge_write(fences, "/home/me/work/.git/hooks/pre-commit")->rule == "filesystem.git");
  CHECK(judge_write(fences, "/opt/outside")->what == "write");
}

TEST_CASE("what is hidden in a private folder is the session's own to make", "[sandbox-paths]") {
  const policies::Policy rules = policy();
  std::vector<ViewEntry> view = entries();
  view.push_back({"/run", Show::private_folder, PathType::folder, "run"});
  view.push_back({"/run/user", Show::hidden, PathType::folder, ""});
  view.push_back({"/run/user/0/keys", Show::hidden, PathType::folder, ""});
  view.push_back({"/home/me/work/keys", Show::hidden, PathType::folder, ""});
  const FileFences fences{rules, view, {}};
  CHECK_FALSE(judge_write(fences, "/run/user/0/x"));
  CHECK_FALSE(judge_write(fences, "/run/user/0/keys/x"));
  CHECK(judge_write(fences, "/home/me/work/keys/x"));
  const FileFences shared{rules, view, {}, false};
  CHECK(judge_write(shared, "/run/user/0/x"));
}

TEST_CASE("without private folders /tmp is the host's, and not writable", "[sandbox-paths]") {
  const policies::Policy rules = policy();
  const FileFences fences{rules, entries(), {}, false};
  CHECK(judge_write(fences, "/tmp/x"));
  CHECK(judge_write(fences, "/dev/shm/x"));
  CHECK(judge_write(fences, "/home/me/note"));
  CHECK_FALSE(judge_write(fences, "/home/me/work/x"));
}

TEST_CASE("hidden paths are found among the words of a command", "[sandbox-paths]") {
  CHECK(named({"cat", "/home/me/.ssh/id_rsa"}) == Paths{"/home/me/.ssh/id_rsa"});
  CHECK(named({"cat", "../../.ssh/id_rsa"}) == Paths{"/home/me/.ssh/id_rsa"});
  CHECK(named({"tool", "--key=/srv/keys/a", "-d", "@/srv/keys/b"}) ==
        Paths{"/srv/keys/a", "/srv/keys/b"});
  CHECK(named({"cat", "/srv/../srv//keys/./a"}) == Paths{"/srv/keys/a"});
  CHECK(named({"cat", "~/.netrc"}) == Paths{"/home/me/.netrc"});
}

TEST_CASE("the words of a script for a shell are looked at too", "[sandbox-paths]") {
  CHECK(named({"/bin/sh", "-c", "cat <~/.ssh/a;K=$HOME/.aws/b; grep x \"${HOME}/c\"|cat"}) ==
        Paths{"/home/me/.ssh/a", "/home/me/.aws/b", "/home/me/c"});
  CHECK(named({"echo", "-c", "cat ~/.ssh/a"}).empty());  // a text, for all we know
}

TEST_CASE("what is shown, is nowhere hidden or is no path is not named", "[sandbox-paths]") {
  CHECK(named({"cat", "/etc/passwd", "/home/me/.cargo/x", "/home/me/work/x", "/tmp/x", "~", "~you",
               "/home/me", "$HOMEPAGE/x", "a..b", "", "/opt/out/x"})
            .empty());
}

TEST_CASE("a denied read is claimed only of what exists, and says how it is known",
          "[sandbox-paths]") {
  const policies::Policy rules = policy();
  const FileFences fences{rules, entries(), {}};
  const Paths argv = {"cat", "/home/me/.ssh/id_rsa", "/srv/keys/none"};
  const auto denials = named_denials(fences, {argv, "/", "/home/me"}, [](const std::string& path) {
    return path == "/home/me/.ssh/id_rsa";
  });
  REQUIRE(denials.size() == 1);
  CHECK(denials.front() == Denial{"read", "/home/me/.ssh/id_rsa", "filesystem.home",
                                  "filesystem: {read: [\"/home/me/.ssh/id_rsa\"]}", 1,
                                  "named in the command"});
  Outcome outcome;
  outcome.end(Ending::exited, "");
  outcome.add(denials.front());
  CHECK(notice_for_model(outcome) ==
        "[sandbox] read denied: /home/me/.ssh/id_rsa (rule filesystem.home; named in the command); "
        "a person can allow it with: filesystem: {read: [\"/home/me/.ssh/id_rsa\"]}\n");
}

}  // namespace
}  // namespace fathom::sandbox
