// What the runtime writes of a plan, the zygote reads: the same values, and nothing of a damaged
// one beyond its end.
#include "sandbox/plan.hpp"

#include "sandbox/zygote/session_plan.hpp"
#include "tests/sandbox/session/plan_decoder.hpp"
#include "tests/support/catch.hpp"

#include <linux/mount.h>
#include <sys/mman.h>
#include <sys/socket.h>

namespace fathom::sandbox {
namespace {

// Every operation and every list, with texts of every length modulo four.
SessionPlan full_plan() {
  SessionPlan plan;
  plan.namespaces = 0x7c020000;
  plan.flags = wire::kSessionNetwork | wire::kSessionNestedOff;
  plan.cell_flags = wire::kCellMounts | wire::kCellPids;
  plan.identity = wire::Identity::mapped;
  plan.inside_uid = 1;
  plan.outside_uid = 2;
  plan.inside_gid = 3;
  plan.outside_gid = 4'000'000'000;
  plan.idmapped = {"/work", "", "/a"};
  plan.groups = {"/sys/fs/cgroup/x"};
  plan.host_name = "host";
  plan.mounts.clone(0, "/from", wire::kCloneOptional);
  plan.mounts.given(1, 2);
  plan.mounts.restrict_all("/", MOUNT_ATTR_RDONLY);
  plan.mounts.restrict_one("/dev", MOUNT_ATTR_NOEXEC);
  plan.mounts.restrict_slot(3, MOUNT_ATTR_NODEV);
  plan.mounts.attach(4, "/to");
  plan.mounts.tmpfs("/tmp", "size=1g");
  plan.mounts.overlay("/merged", "lowerdir=/l,upperdir=/u");
  plan.mounts.devpts("/dev/pts");
  plan.mounts.sysfs("/sys");
  plan.mounts.mkdirs("/dev/shm", 01777);
  plan.mounts.file("/etc/f", std::string("a\0b", 3), 0644);
  plan.mounts.symlink("target", "/link");
  plan.listeners = {{SOCK_STREAM, 53, ""}, {SOCK_DGRAM, 65535, "127.0.0.1"}};
  plan.shown = "/work/shown";
  plan.landlock = {0x1fff, 3, 1, {{"/", 13}, {"/work", 0xffff}}, {{443, 2}}};
  plan.proc_read_only = {"/proc/sys"};
  plan.filters = {std::string("\1\0\2\0\3\0\0\0", 8), ""};
  return plan;
}

// Bytes that end where a page does: one read behind them is a signal, not a wrong value.
class GuardedBytes {
 public:
  explicit GuardedBytes(std::string_view bytes) : size_(bytes.size()) {
    all_ = ::mmap(nullptr, 2 * kHalf, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(all_ != MAP_FAILED);
    REQUIRE(size_ <= kHalf);
    REQUIRE(::mprotect(static_cast<char*>(all_) + kHalf, kHalf, PROT_NONE) == 0);
    std::memcpy(start(), bytes.data(), size_);
  }
  ~GuardedBytes() { ::munmap(all_, 2 * kHalf); }
  GuardedBytes(const GuardedBytes&) = delete;
  GuardedBytes& operator=(const GuardedBytes&) = delete;

  [[nodiscard]] char* start() const { return static_cast<char*>(all_) + kHalf - size_; }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  static constexpr std::size_t kHalf = 64UL << 10;
  void* all_ = nullptr;
  std::size_t size_;
};

// Reads as the zygote does; counts what it took.
std::size_t read_all(const char* bytes, std::size_t size) {
  const auto plan = zygote::SessionPlan::read({bytes, size});
  std::size_t taken = 0;
  for (std::uint32_t i = 0; plan.ok && i < plan.idmapped_count; ++i)
    taken += std::strlen(plan.idmapped[i]);
  for (std::uint32_t i = 0; plan.ok && i < plan.group_count; ++i)
    taken += std::strlen(plan.groups[i]);
  wire::PlanReader rest = plan.rest;
  while (rest.ok() && !rest.at_end()) {
    std::size_t length = 0;
    taken += std::strlen(rest.text(&length)) + length;
  }
  return taken;
}

TEST_CASE("a plan that was written is read back whole") {
  const SessionPlan plan = full_plan();
  const std::string bytes = plan.encode();
  auto read = test::PlanDecoder(bytes).session();
  REQUIRE(read);
  CHECK(read->to_text() == plan.to_text());
  CHECK(read->mounts.steps() == plan.mounts.steps());
  CHECK(read->landlock.paths == plan.landlock.paths);
  CHECK(read->landlock.ports == plan.landlock.ports);
  CHECK(read->filters == plan.filters);
  CHECK(read->outside_gid == plan.outside_gid);
  CHECK(read->listeners[1].address == "127.0.0.1");
  CHECK(read->encode() == bytes);
}

TEST_CASE("the zygote reads the head of a plan as the runtime wrote it") {
  const SessionPlan plan = full_plan();
  const std::string bytes = plan.encode();
  zygote::SessionPlan head = zygote::SessionPlan::read({bytes.data(), bytes.size()});
  REQUIRE(head.ok);
  CHECK(head.namespaces == plan.namespaces);
  CHECK(head.flags == plan.flags);
  CHECK(head.cell_flags == plan.cell_flags);
  CHECK(head.identity == plan.identity);
  CHECK(head.inside_uid == 1);
  CHECK(head.outside_uid == 2);
  CHECK(head.inside_gid == 3);
  CHECK(head.outside_gid == 4'000'000'000);
  REQUIRE(head.idmapped_count == 3);
  CHECK(std::string(head.idmapped[0]) == "/work");
  CHECK(std::string(head.idmapped[1]).empty());
  CHECK(std::string(head.idmapped[2]) == "/a");
  REQUIRE(head.group_count == 1);
  CHECK(std::string(head.groups[0]) == "/sys/fs/cgroup/x");
  std::size_t size = 0;
  CHECK(std::string(head.rest.text(&size)) == "host");
  CHECK(size == 4);
}

TEST_CASE("a plan cut short anywhere is refused and nothing behind it is read") {
  const std::string bytes = full_plan().encode();
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const GuardedBytes cut(std::string_view(bytes).substr(0, size));
    read_all(cut.start(), cut.size());
    CHECK_FALSE(test::PlanDecoder(std::string(cut.start(), cut.size())).session());
  }
}

TEST_CASE("a plan with any one bit changed is read within its bytes") {
  const std::string bytes = full_plan().encode();
  const GuardedBytes damaged(bytes);
  std::size_t refused = 0;
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    char& byte = damaged.start()[bit / 8];
    const auto mask = static_cast<char>(1U << (bit % 8));
    byte = static_cast<char>(byte ^ mask);
    read_all(damaged.start(), damaged.size());
    const std::string copy(damaged.start(), damaged.size());
    if (const auto read = test::PlanDecoder(copy).session()) {
      // What is taken for a plan is one: written again it says the same.
      const std::string again = read->encode();
      const auto reread = test::PlanDecoder(again).session();
      REQUIRE(reread);
      CHECK(reread->encode() == again);
    } else {
      ++refused;
    }
    byte = static_cast<char>(byte ^ mask);
  }
  CHECK(refused > bytes.size());  // counts and lengths are most of what a bit can hit
}

TEST_CASE("more trees or groups than the zygote holds make a plan that it refuses") {
  SessionPlan plan;
  plan.idmapped.assign(zygote::kGivenMax, "/t");
  std::string bytes = plan.encode();
  CHECK(zygote::SessionPlan::read({bytes.data(), bytes.size()}).ok);
  plan.idmapped.emplace_back("/t");
  bytes = plan.encode();
  CHECK_FALSE(zygote::SessionPlan::read({bytes.data(), bytes.size()}).ok);
  plan.idmapped.clear();
  plan.groups.assign(zygote::kGroupsMax + 1, "/g");
  bytes = plan.encode();
  CHECK_FALSE(zygote::SessionPlan::read({bytes.data(), bytes.size()}).ok);
}

TEST_CASE("a text of the greatest length that a count can state is refused") {
  for (const std::uint32_t length : {0xffffffffU, 0xfffffffcU, 0x7fffffffU, 5U}) {
    std::string bytes(8, 'x');
    std::memcpy(bytes.data(), &length, sizeof length);
    wire::PlanReader in(bytes.data(), bytes.size());
    std::size_t size = 1;
    CHECK(std::string(in.text(&size)).empty());
    CHECK(size == 0);
    CHECK_FALSE(in.ok());
    CHECK(in.u64() == 0);
  }
}

TEST_CASE("a launch is written in the order that its reader expects") {
  LaunchPlan launch;
  launch.working_dir = "/work";
  launch.argv = {"echo", ""};
  launch.env = {"A=b"};
  launch.limits = {{7, 1ULL << 40}};
  launch.umask = 077;
  const std::string bytes = launch.encode();
  wire::PlanReader in(bytes.data(), bytes.size());
  CHECK(std::string(in.text()) == "/work");
  CHECK(in.u32() == 2);
  CHECK(std::string(in.text()) == "echo");
  CHECK(std::string(in.text()).empty());
  CHECK(in.u32() == 1);
  CHECK(std::string(in.text()) == "A=b");
  CHECK(in.u32() == 1);
  CHECK(in.u32() == 7);
  CHECK(in.u64() == 1ULL << 40);
  CHECK(in.u32() == 077);
  CHECK(in.ok());
  CHECK(in.at_end());
}

TEST_CASE("every stage has a name of its own") {
  std::vector<std::string_view> names;
  for (std::uint32_t stage = 0; stage <= static_cast<std::uint32_t>(wire::Stage::exec); ++stage)
    names.push_back(name_of(static_cast<wire::Stage>(stage)));
  CHECK(names.front() == "none");
  CHECK(names.back() == "exec");
  std::vector<std::string_view> sorted = names;
  std::ranges::sort(sorted);
  CHECK(std::ranges::unique(sorted).empty());
}

}  // namespace
}  // namespace fathom::sandbox
