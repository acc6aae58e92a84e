// The plan of a session: golden texts of what compile() decides on a machine written by hand, and
// what must hold of every plan whatever the policy says.
#include "sandbox/compile.hpp"

#include "policies/path_rules.hpp"
#include "policies/policy_load.hpp"
#include "policies/shipped.hpp"
#include "sandbox/caches.hpp"
#include "sandbox/root_view.hpp"
#include "tests/sandbox/session/golden_text.hpp"
#include "tests/support/catch.hpp"

#include <linux/mount.h>
#include <sys/resource.h>

#include <algorithm>
#include <map>
#include <random>

namespace fathom::sandbox {
namespace {

using policies::Access;

// A machine: everything below these paths is there, nothing else.
class Machine {
 public:
  Machine() {
    for (const char* path :
         {"/tmp", "/var/tmp", "/run", "/home", "/home/u", "/home/u/w", "/home/u/.cargo",
          "/home/u/.rustup", "/home/u/.ssh", "/home/u/.config/git", "/boot", "/var/log",
          "/etc/sudoers.d", "/run/user", "/srv/data"})
      paths_[path] = PathType::folder;
    for (const char* path : {"/home/u/.gitconfig", "/home/u/.cargo/credentials.toml", "/etc/shadow",
                             "/etc/sudoers", "/run/docker.sock"})
      paths_[path] = PathType::file;
    host.uid = host.gid = 1000;
    host.user = "u";
    host.home = "/home/u";
    host.landlock_abi = 7;
    host.resolv_conf = "/run/systemd/resolve/stub-resolv.conf";
    policy = policies::load_policy(policies::shipped_policy("default"), "default.yaml",
                                   {workspace.root, host.home, {}, ""})
                 .value();
  }

  [[nodiscard]] SessionPlan plan(const LookAtPath& look) const {
    CompileInput input{policy, host, workspace};
    input.rung = rung;
    input.mode = mode;
    input.root_mode = root_mode;
    input.pins = pins;
    input.overlays = overlays;
    input.groups = groups;
    input.filters = {std::string(16, 'f')};
    input.listeners = listeners;
    input.capture = capture;
    auto made = compile(input, look);
    INFO((made ? "" : made.error().message));
    REQUIRE(made);
    return *std::move(made);
  }
  [[nodiscard]] SessionPlan plan() const {
    return plan([this](const std::string& path) { return look(path); });
  }

  [[nodiscard]] HostPath look(const std::string& path) const {
    const auto at = paths_.find(path);
    return {path, at == paths_.end() ? PathType::missing : at->second};
  }
  void add(const std::string& path, PathType type = PathType::folder) { paths_[path] = type; }
  void work_in(const std::string& root) {
    add(root);
    workspace.root = root;
  }
  void be_root(RootMode as) {
    host.uid = host.gid = 0;
    host.user = "root";
    host.home = "/home/u";
    root_mode = as;
    workspace.owner = as == RootMode::workspace ? 1234 : 0;
    workspace.group = workspace.owner;
  }

  policies::Policy policy;
  HostFacts host;
  Workspace workspace{"/home/u/w", 1000, 1000};
  Rung rung = Rung::full;
  Mode mode = Mode::direct;
  RootMode root_mode = RootMode::idmapped;
  Pins pins;
  std::vector<OverlayPlan> overlays;
  std::vector<std::string> groups;
  std::vector<ListenerPlan> listeners;
  bool capture = false;

 private:
  std::map<std::string, PathType> paths_;
};

void check_plan(const std::string& name, const Machine& machine) {
  test::check_golden("plan_" + name + ".txt", machine.plan().to_text());
}

TEST_CASE("the plan of an ordinary user is the golden one") { check_plan("user", {}); }

TEST_CASE("the plans of root are the golden ones") {
  Machine machine;
  machine.be_root(RootMode::idmapped);
  machine.groups = {"/sys/fs/cgroup/memory/fathom-1-2-3"};
  check_plan("root_idmapped", machine);
  machine.be_root(RootMode::workspace);
  check_plan("root_other_owner", machine);
  machine.be_root(RootMode::unmapped);
  check_plan("root_unmapped", machine);
}

TEST_CASE("the plans of a read-only and of a disposable workspace are the golden ones") {
  Machine machine;
  machine.policy.filesystem.workspace = Access::read;
  check_plan("readonly", machine);
  Machine disposable;
  disposable.mode = Mode::disposable;
  disposable.overlays = {{"/home/u/w", "", true}};
  check_plan("disposable", disposable);
}

TEST_CASE("the plans with caches on the host and without are the golden ones") {
  Machine machine;
  machine.add("/state/npm");
  machine.add("/state/pip");
  machine.add("/home/u/.npm");
  machine.overlays = {{"/home/u/.npm", "/state/npm", true},
                      {"/home/u/.cache/pip", "/state/pip", false}};
  machine.add("/home/u/.cache/pip");
  check_plan("caches", machine);
}

TEST_CASE("the plans of workspaces in odd places are the golden ones") {
  Machine temporary;
  temporary.work_in("/tmp/w");
  check_plan("workspace_in_tmp", temporary);
  Machine open;
  open.policy.filesystem.home = Access::read;
  check_plan("home_read", open);
  Machine apart;
  apart.work_in("/srv/w");
  check_plan("workspace_apart", apart);
}

TEST_CASE("the plans with pins, with capture and without a network namespace are the golden ones") {
  Machine machine;
  machine.pins.read_only = {"/home/u/w/.git/hooks", "/home/u/w/.vscode"};
  machine.pins.self_binds = {"/home/u/w/.git"};
  machine.capture = true;
  machine.listeners = {{1, 0, ""}, {2, 53, "127.0.0.53"}};
  check_plan("pins_and_capture", machine);
  machine.rung = Rung::no_network_ns;
  check_plan("no_network_ns", machine);
}

TEST_CASE("without namespaces there is nothing but Landlock and the filter") {
  Machine machine;
  machine.rung = Rung::container;
  const SessionPlan plan = machine.plan();
  CHECK(plan.mounts.empty());
  CHECK(plan.namespaces == 0);
  CHECK(plan.flags == 0);
  CHECK(plan.cell_flags == 0);
  CHECK(plan.identity == wire::Identity::unchanged);
  CHECK(plan.idmapped.empty());
  CHECK(plan.listeners.empty());
  CHECK(plan.filters.size() == 1);
  CHECK(plan.landlock.handled_fs != 0);
  CHECK(plan.landlock.handled_network != 0);
}

// --- what holds of every plan ---

// A policy's worth of random grants on a small tree.
Machine random_machine(std::mt19937& random) {
  Machine machine;
  const std::vector<std::string> parts = {"a", "b", "c"};
  std::vector<std::string> paths = {"/srv", "/srv/data", "/home/u/.cargo", "/tmp/x"};
  for (int i = 0; i < 8; ++i)
    paths.push_back(paths[random() % paths.size()] + "/" + parts[random() % parts.size()]);
  machine.policy.filesystem.grants.clear();
  for (const std::string& path : paths) {
    machine.add(path);
    if (random() % 2 == 0)
      machine.policy.filesystem.grants.push_back({path, static_cast<Access>(random() % 3), "rule"});
  }
  machine.policy.filesystem.home = random() % 2 == 0 ? Access::hidden : Access::read;
  if (random() % 3 == 0) machine.be_root(static_cast<RootMode>(random() % 3));
  return machine;
}

// What a path shows once every mount is made: the attach with the longest path that holds it, the
// last of equals.
struct Shown {
  std::string at;
  std::string from;  ///< what the slot held: a path cloned, or "given"
  std::uint64_t attributes = 0;
};

Shown shown_at(const MountRecipe& recipe, const std::string& path) {
  std::map<std::uint32_t, Shown> held;
  std::vector<Shown> attached = {{"/", "/", MOUNT_ATTR_RDONLY}};
  for (const MountStep& step : recipe.steps()) {
    if (step.op == wire::MountOp::clone) held[step.slot] = {"", step.path, 0};
    if (step.op == wire::MountOp::given) held[step.slot] = {"", "given", 0};
    if (step.op == wire::MountOp::restrict_slot) held[step.slot].attributes |= step.attributes;
    if (step.op != wire::MountOp::attach) continue;
    Shown shown = held[step.slot];
    shown.at = step.path;
    attached.push_back(shown);
  }
  // A later mount on a folder around a path covers what was mounted in it before.
  Shown top;
  for (const Shown& shown : attached)
    if (policies::is_at_or_below(path, shown.at)) top = shown;
  return top;
}

bool is_cover(const Shown& shown) {
  return shown.from == "/dev/empty" || shown.from == "/dev/nothing" ||
         shown.from.starts_with("/dev/cover-");
}

bool is_private(const std::string& from) {
  return from == "/dev/tmp" || from == "/dev/var-tmp" || from == "/dev/run" || from == "/dev/home";
}

// The entry that decides about a path: the deepest around it.
const ViewEntry* deciding(const std::vector<ViewEntry>& entries, const std::string& path) {
  const ViewEntry* found = nullptr;
  for (const ViewEntry& entry : entries)
    if (policies::is_at_or_below(path, entry.path) &&
        (found == nullptr || entry.path.size() > found->path.size()))
      found = &entry;
  return found;
}

TEST_CASE("at every path the deepest entry decides what is shown, whatever the grants") {
  std::mt19937 random(1);
  std::size_t looked = 0;
  for (int round = 0; round < 400; ++round) {
    const Machine machine = random_machine(random);
    const SessionPlan plan = machine.plan();
    CompileInput input{machine.policy, machine.host, machine.workspace};
    input.root_mode = machine.root_mode;
    const auto entries = view_entries(input, [&](const auto& path) { return machine.look(path); });
    REQUIRE(entries);
    for (const ViewEntry& entry : *entries) {
      const ViewEntry* decides = deciding(*entries, entry.path + "/other");
      REQUIRE(decides == &entry);
      const Shown shown = shown_at(plan.mounts, entry.path);
      INFO("round " << round << " path " << entry.path << " from " << shown.from);
      const bool read_only = (shown.attributes & MOUNT_ATTR_RDONLY) != 0;
      if (entry.show == Show::hidden)  // covered, or in a folder that starts empty and has it not
        CHECK((is_cover(shown) || (is_private(shown.from) && shown.at != entry.path)));
      if (entry.show == Show::read) CHECK((read_only && !is_cover(shown)));
      if (entry.show == Show::write) CHECK_FALSE((read_only || is_cover(shown)));
      if (entry.show == Show::private_folder) CHECK(is_private(shown.from));
      ++looked;
    }
  }
  CHECK(looked > 2000);
}

TEST_CASE("hidden beats read and read beats write at one path") {
  for (const auto& [first, second, wins] : {std::tuple{Access::hidden, Access::read, Show::hidden},
                                            {Access::write, Access::hidden, Show::hidden},
                                            {Access::write, Access::read, Show::read}}) {
    Machine machine;
    machine.policy.filesystem.grants = {{"/srv/data", first, ""}, {"/srv/data", second, ""}};
    CompileInput input{machine.policy, machine.host, machine.workspace};
    const auto entries = view_entries(input, [&](const auto& path) { return machine.look(path); });
    REQUIRE(entries);
    CHECK(deciding(*entries, "/srv/data")->show == wins);
  }
}

TEST_CASE("nothing is created outside of private folders and covers, whatever the grants") {
  std::mt19937 random(2);
  for (int round = 0; round < 400; ++round) {
    const Machine machine = random_machine(random);
    const SessionPlan plan = machine.plan();
    MountRecipe before;
    std::vector<MountStep> done;
    for (const MountStep& step : plan.mounts.steps()) {
      const bool creates = step.op == wire::MountOp::mkdirs || step.op == wire::MountOp::file ||
                           step.op == wire::MountOp::symlink;
      if (creates && !policies::is_at_or_below(step.path, "/dev")) {
        // Replays what stands by then: the place must lie in a mount of our own.
        std::map<std::uint32_t, std::string> held;
        std::string around;
        for (const MountStep& earlier : done) {
          if (earlier.op == wire::MountOp::clone) held[earlier.slot] = earlier.path;
          if (earlier.op == wire::MountOp::given) held[earlier.slot] = "given";
          if (earlier.op == wire::MountOp::attach &&
              policies::is_at_or_below(step.path, earlier.path))
            around = held[earlier.slot];
        }
        INFO("round " << round << " creates " << step.path << " in " << around);
        CHECK(around.starts_with("/dev/"));
      }
      done.push_back(step);
    }
  }
}

TEST_CASE("the whole root is made read-only before anything is shown, and held trees first") {
  std::mt19937 random(3);
  for (int round = 0; round < 100; ++round) {
    const SessionPlan plan = random_machine(random).plan();
    const auto& steps = plan.mounts.steps();
    const auto all = std::ranges::find_if(steps, [](const MountStep& step) {
      return step.op == wire::MountOp::restrict_all && step.path == "/";
    });
    REQUIRE(all != steps.end());
    CHECK((all->attributes & MOUNT_ATTR_RDONLY) != 0);
    for (auto step = steps.begin(); step != all; ++step)
      CHECK((step->op == wire::MountOp::clone || step->op == wire::MountOp::given ||
             step->op == wire::MountOp::restrict_slot));
    // What is cloned afterwards is our own, or what a pin covers on itself.
    for (auto step = all; step != steps.end(); ++step)
      if (step->op == wire::MountOp::clone) CHECK(policies::is_at_or_below(step->path, "/dev"));
  }
}

TEST_CASE("as many trees as a default policy can have are held under an id of their own") {
  Machine machine;
  machine.be_root(RootMode::idmapped);
  for (const policies::PathGrant& grant : machine.policy.filesystem.grants) machine.add(grant.path);
  for (const std::string& name : machine.policy.filesystem.caches)
    for (const std::string& folder : cache_folders(name)) {
      machine.add("/home/u/" + folder);
      machine.add("/state/" + folder);
      machine.overlays.push_back({"/home/u/" + folder, "/state/" + folder, true});
    }
  const SessionPlan plan = machine.plan();
  CHECK(plan.idmapped.size() > 40);
  CHECK(plan.idmapped.size() <= wire::kDescriptorsMax);
}

TEST_CASE("more grants than slots are refused with the bound") {
  Machine machine;
  for (int i = 0; i < 200; ++i) {
    machine.add("/srv/" + std::to_string(i));
    machine.policy.filesystem.grants.push_back({"/srv/" + std::to_string(i), Access::write, ""});
  }
  CompileInput input{machine.policy, machine.host, machine.workspace};
  const auto plan = compile(input, [&](const auto& path) { return machine.look(path); });
  REQUIRE_FALSE(plan);
  CHECK(plan.error().code == ErrorCode::too_large);
}

TEST_CASE("a command's limits are the policy's") {
  policies::Limits limits;
  limits.fds = 11;
  limits.disk_bytes = 22;
  limits.pids = 33;
  const auto made = compile_limits(limits);
  const std::map<int, std::uint64_t> by_name(made.begin(), made.end());
  CHECK(by_name.at(RLIMIT_CORE) == 0);
  CHECK(by_name.at(RLIMIT_NOFILE) == 11);
  CHECK(by_name.at(RLIMIT_FSIZE) == 22);
  CHECK(by_name.at(RLIMIT_NPROC) == 33);
}

}  // namespace
}  // namespace fathom::sandbox
