#include "policies/policy_files.hpp"

#include "policies/decide.hpp"
#include "policies/policy_text.hpp"
#include "tests/policies/fixture.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

#include <map>

using namespace fathom;
using namespace fathom::policies;
using test::TempDir;

namespace {

// A home with a workspace in it.
struct Desk {
  TempDir dir;
  std::filesystem::path home = std::filesystem::canonical(dir.path()) / "home";
  std::filesystem::path workspace = home / "w";

  Desk() { std::filesystem::create_directories(workspace); }

  [[nodiscard]] GetEnv env() const {
    return [home = home.string()](const char* name) {
      return std::string_view(name) == "HOME" ? home : std::string();
    };
  }
  std::filesystem::path user(const std::string& body) const {
    return dir.write("home/.config/fathom/policy.yaml", document(body));
  }
  std::filesystem::path project(const std::string& body) const {
    return dir.write("home/w/.fathom/policy.yaml", document(body));
  }
  [[nodiscard]] Result<EffectivePolicy> load(const std::string& policy = "") const {
    return load_effective_policy({workspace, policy}, env());
  }
};

std::string layers_of(const EffectivePolicy& effective) {
  std::string out;
  for (const LayerUsed& used : effective.layers)
    out += std::string(name_of(used.layer)) + (used.trust == Trust::full ? "+ " : " ");
  return out;
}

}  // namespace

TEST_CASE("without any file the shipped default holds", "[policies]") {
  const Desk place;
  const EffectivePolicy effective = place.load().value();
  CHECK(layers_of(effective) == "built-in+ ");
  CHECK(effective.policy.name == "default");
  CHECK(effective.policy.filesystem.workspace_root == place.workspace.string());
  CHECK(effective.policy.filesystem.home_root == place.home.string());
  CHECK(place.load("default").value().policy == effective.policy);
}

TEST_CASE("layers are found and merged in their order", "[policies]") {
  const Desk place;
  place.user("limits: {pids: 2000, fds: 100}\n");
  place.project("limits: {pids: 3000, time: 1s}\n");
  const auto file = place.dir.write("mine.yaml", document("limits: {fds: 200}\n"));
  const EffectivePolicy effective = place.load(file.string()).value();
  CHECK(layers_of(effective) == "built-in+ user+ project command-line+ ");
  CHECK(effective.policy.limits.pids == 2000);
  CHECK(effective.policy.limits.fds == 200);
  CHECK(effective.policy.limits.time == std::chrono::seconds(1));
  REQUIRE(effective.ignored.size() == 1);
  CHECK(effective.ignored[0].key == "limits.pids");
  CHECK(effective.ignored[0].value == "3000");
}

TEST_CASE("a pinned project document may widen until it changes", "[policies]") {
  const Desk place;
  const auto project = place.project("limits: {pids: 3000}\n");
  const std::string pin = sha256_hex(test::slurp(project)) + "  " +
                          (place.workspace / ".fathom/policy.yaml").string() + "\n";
  place.dir.write("home/.config/fathom/pins", pin);
  CHECK(place.load().value().policy.limits.pids == 3000);
  place.project("limits: {pids: 4000}\n");
  CHECK(place.load().value().policy.limits.pids == 1024);
}

TEST_CASE("a document of the command line in the workspace only narrows", "[policies]") {
  const Desk place;
  const auto file = place.dir.write("home/w/ci.yaml", document("limits: {pids: 9, fds: 9999}\n"));
  const EffectivePolicy effective = place.load(file.string()).value();
  CHECK(effective.policy.limits.pids == 9);
  CHECK(effective.policy.limits.fds == 4096);
  CHECK(effective.ignored.size() == 1);
  // Nor through a link from outside.
  std::filesystem::create_symlink(file, place.dir / "link.yaml");
  CHECK(place.load((place.dir / "link.yaml").string()).value().policy.limits.fds == 4096);
}

TEST_CASE("where the workspace is the home directory, its own pins and policy only narrow",
          "[policies]") {
  const Desk place;
  const auto user = place.user("limits: {pids: 3000}\n");
  place.dir.write("home/.config/fathom/pins",
                  sha256_hex(test::slurp(user)) + "  " + user.string() + "\n");
  const auto effective = load_effective_policy({place.home, ""}, place.env()).value();
  CHECK(effective.policy.limits.pids == 1024);
}

TEST_CASE("a shipped policy that was asked for is not widened by the user's", "[policies]") {
  const Desk place;
  place.user(
      "filesystem: {workspace: write}\nnetwork: {hosts: [a.example]}\n"
      "limits: {memory: 1GiB}\n");
  const EffectivePolicy effective = place.load("readonly").value();
  CHECK(layers_of(effective) == "built-in+ built-in+ user ");
  CHECK(effective.policy.filesystem.workspace == Access::read);
  CHECK(effective.policy.network.hosts.empty());
  CHECK(effective.policy.limits.memory_bytes == 1ULL << 30);
  CHECK(effective.ignored.size() == 2);
}

TEST_CASE("what cannot be read is an error and not a missing layer", "[policies]") {
  const Desk place;
  CHECK(place.load("nowhere.yaml").error().code == ErrorCode::not_found);
  place.user("limits: {pidz: 1}\n");
  const Error error = place.load().error();
  CHECK(
      error.message.ends_with("policy.yaml: line 4: column 10: limits: unknown key 'pidz' (did "
                              "you mean 'pids'?)"));
  std::filesystem::remove(place.home / ".config/fathom/policy.yaml");
  place.dir.write("home/.config/fathom/pins", "nonsense\n");
  CHECK(place.load().error().message.find("pins: line 1") != std::string::npos);
  std::filesystem::remove(place.home / ".config/fathom/pins");
  std::filesystem::create_directories(place.workspace / ".fathom/policy.yaml");
  CHECK_FALSE(place.load());
  CHECK(load_effective_policy({place.home / "absent", ""}, place.env()).error().code ==
        ErrorCode::not_found);
  CHECK_FALSE(load_effective_policy({place.workspace, ""}, [](const char*) { return ""; }));
}

TEST_CASE("a workspace behind a link is known by its real path", "[policies]") {
  const Desk place;
  std::filesystem::create_symlink(place.workspace, place.dir / "link");
  const auto effective = load_effective_policy({place.dir / "link", ""}, place.env()).value();
  CHECK(effective.policy.filesystem.workspace_root == place.workspace.string());
}

TEST_CASE("what a policy is narrowed by takes away from it and adds nothing", "[policies]") {
  const Desk place;
  const auto wide = place.dir.write("wide.yaml", document("limits: {pids: 3000, fds: 50}\n"
                                                          "filesystem: {hidden: [/opt/secret]}\n"));
  const auto narrow = place.dir.write("narrow.yaml", document("limits: {pids: 10, fds: 9999}\n"));
  const auto load = [&](std::vector<std::string> narrowed_by) {
    return load_effective_policy({place.workspace, wide.string(), std::move(narrowed_by)},
                                 place.env());
  };
  CHECK(load({}).value().policy.limits.pids == 3000);
  const Policy file = load({narrow.string()}).value().policy;
  CHECK(file.limits.pids == 10);
  CHECK(file.limits.fds == 50);
  const Policy shipped = load({narrow.string(), "readonly"}).value().policy;
  CHECK(shipped.filesystem.workspace == Access::read);
  CHECK(shipped.limits.pids == 10);
  CHECK(shipped.network.hosts.empty());
  CHECK(std::ranges::any_of(shipped.filesystem.grants, [](const PathGrant& grant) {
    return grant.path == "/opt/secret" && grant.access == Access::hidden;
  }));
  CHECK(load({"default"}).value().policy.limits.pids == 1024);
  CHECK(load({"absent.yaml"}).error().code == ErrorCode::not_found);
}
