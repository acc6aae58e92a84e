#include "sandbox/prober.hpp"

#include "runtime/base/file.hpp"
#include "sandbox/filter_cache.hpp"
#include "sandbox/landlock_plan.hpp"
#include "sandbox/maker_name.hpp"
#include "sandbox/run_command.hpp"

#include <boost/asio/this_coro.hpp>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>

namespace fathom::sandbox {
namespace {

constexpr std::uint32_t kProbePids = 32;  // below what a self check forks
constexpr std::uint32_t kProbeCpuPercent = 100;
constexpr Duration kProbeTimeout = std::chrono::seconds(5);

constexpr std::array<std::string_view, 8> kCheckNames = {
    "writes outside succeed",        "Landlock denies nothing",
    "the workspace is not writable", "user namespaces can be nested",
    "processes are not limited",     "processes outside can be signalled",
    "loopback does not carry",       "a route leads outside"};

// Waits for the runtime at getpgid(2) and allows everything else.
std::string notify_filter() {
  const std::vector<sock_filter> program = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getpgid, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  return {reinterpret_cast<const char*>(program.data()), program.size() * sizeof(program[0])};
}

class NotifyAnswer final : public CommandWatch {
 public:
  asio::awaitable<void> serve(UniqueFd listener, Outcome&) override {
    co_await wait_readable(co_await asio::this_coro::executor, listener.get());
    seccomp_notif request{};
    if (::ioctl(listener.get(), SECCOMP_IOCTL_NOTIF_RECV, &request) != 0) co_return;
    seccomp_notif_resp answer{};
    answer.id = request.id;
    answer.error = -wire::kCheckNotifyErrno;
    ::ioctl(listener.get(), SECCOMP_IOCTL_NOTIF_SEND, &answer);
  }
};

struct Trial {
  ZygoteProcess& zygote;
  Clock& clock;
  const HostFacts& host;
  std::filesystem::path scratch;
  ControlGroups& groups;
  FilterCache& filters;  ///< the rungs share few filters, and one takes as long as a trial
};

std::uint32_t checks_for(const RungProbe& probe, const Trial& trial) {
  std::uint32_t checks = wire::kCheckWriteOutside | wire::kCheckWriteInside | wire::kCheckNesting |
                         wire::kCheckNetwork;
  const bool namespaces = has_namespaces(probe.rung);
  if (trial.host.landlock_abi > 0) checks |= wire::kCheckLandlock;
  if (namespaces || trial.host.landlock_abi >= kLandlockScopeAbi) checks |= wire::kCheckSignals;
  if (probe.rung == Rung::full) checks |= wire::kCheckLoopback;
  const bool counted = namespaces && (trial.host.uid != 0 || probe.root_mode != RootMode::unmapped);
  if (counted || trial.groups.pids() != LimitBy::nothing) checks |= wire::kCheckPids;
  return checks;
}

Result<SessionPlan> plan_for(const RungProbe& probe, const Trial& trial,
                             const policies::Policy& policy, const Workspace& workspace) {
  FilterOptions filter;
  filter.unix_sockets = filter.netlink_route = true;
  filter.inet_stream = filter.inet_datagram = probe.rung == Rung::full;
  CompileInput input{policy, trial.host, workspace};
  input.rung = probe.rung;
  input.root_mode = probe.root_mode;
  input.groups = trial.groups.folders();
  input.filters = {TRY(trial.filters.bytes(filter)), notify_filter()};
  SessionPlan plan = TRY(compile(input));
  // A folder that the mounts leave writable, so that only Landlock can deny it.
  std::erase_if(plan.landlock.paths, [](const auto& rule) { return rule.first == "/tmp"; });
  return plan;
}

LaunchPlan self_check(const RungProbe& probe, const Trial& trial, std::uint32_t checks) {
  const bool namespaces = has_namespaces(probe.rung);
  const std::string outside = (trial.scratch / "outside").string();
  LaunchPlan launch;
  launch.self_check = true;
  launch.argv = {"self-check",
                 outside,
                 namespaces ? "/tmp/landlock" : outside,
                 (trial.scratch / "work" / "inside").string(),
                 std::to_string(::getpid()),
                 std::to_string(checks)};
  launch.limits = {{RLIMIT_NOFILE, 64}};
  if (namespaces) launch.limits.emplace_back(RLIMIT_NPROC, kProbePids);
  return launch;
}

std::string failed_checks(const Outcome& outcome) {
  if (outcome.ending != Ending::exited) return summary(outcome);
  std::string text;
  for (std::size_t bit = 0; bit < kCheckNames.size(); ++bit)
    if ((outcome.exit_code & (1 << bit)) != 0)
      text += (text.empty() ? "" : "; ") + std::string(kCheckNames[bit]);
  return text;
}

asio::awaitable<Outcome> run_in(const Trial& trial, Session& session, const LaunchPlan& launch,
                                CommandWatch* watch) {
  // The filter that waits is the second one.
  auto cell = session.prepare(nullptr, watch != nullptr ? CellFilter{1, true} : CellFilter{});
  if (!cell) {
    Outcome outcome;
    outcome.end(Ending::lost, cell.error().message);
    co_return outcome;
  }
  CommandOptions options;
  options.limits.time = kProbeTimeout;
  if (watch != nullptr) options.watches = {watch};
  co_return co_await run_command(trial.clock, {session, **cell}, launch, options);
}

asio::awaitable<bool> answers_notify(const Trial& trial, Session& session) {
  LaunchPlan launch;
  launch.self_check = true;
  launch.argv = {"self-check", "notify"};
  NotifyAnswer answer;
  const Outcome outcome = co_await run_in(trial, session, launch, &answer);
  co_return outcome.ending == Ending::exited&& outcome.exit_code == 0;
}

asio::awaitable<void> try_rung(const Trial& trial, RungProbe& probe, ProbeReport& report) {
  policies::Policy policy;
  policy.limits.tmp_bytes = 1 << 20;
  // The file outside must be the host's own, not one of a private folder that hides it.
  policy.filesystem.home = policies::Access::read;
  policy.filesystem.grants = {{trial.scratch.string(), policies::Access::read, "probe"}};
  auto workspace = open_workspace((trial.scratch / "work").string(), trial.host);
  if (!workspace) {
    probe.failure = workspace.error().message;
    co_return;
  }
  auto plan = plan_for(probe, trial, policy, *workspace);
  if (!plan) {
    probe.failure = plan.error().message;
    co_return;
  }
  auto session = Session::open(trial.zygote, *plan, co_await asio::this_coro::executor);
  if (!session) {
    probe.failure = session.error().message;
    co_return;
  }
  const Result<> ready = co_await (*session)->ready();
  if (ready) {
    const Outcome outcome = co_await run_in(
        trial, **session, self_check(probe, trial, checks_for(probe, trial)), nullptr);
    probe.failure = failed_checks(outcome);
    probe.works = probe.failure.empty();
    if (probe.works && !report.user_notify)
      report.user_notify = co_await answers_notify(trial, **session);
  } else {
    probe.failure = ready.error().message;
  }
  co_await (*session)->close();
}

std::vector<RungProbe> candidates(const HostFacts& host) {
  std::vector<RungProbe> rungs;
  if (host.uid == 0) rungs.push_back({Rung::full, RootMode::idmapped, false, ""});
  rungs.push_back({Rung::full, RootMode::unmapped, false, ""});
  rungs.push_back({Rung::no_network_ns, RootMode::unmapped, false, ""});
  if (host.landlock_abi > 0)
    rungs.push_back({host.landlock_abi >= kLandlockTcpAbi ? Rung::container : Rung::container_old,
                     RootMode::unmapped, false, ""});
  return rungs;
}

}  // namespace

std::optional<Footing> ProbeReport::best(bool root) const {
  for (const RungProbe& rung : rungs) {
    if (!rung.works) continue;
    Footing footing;
    footing.rung = rung.rung;
    footing.root = root;
    footing.root_mode = rung.root_mode;
    footing.landlock_abi = landlock_abi;
    footing.memory = memory;
    footing.pids = pids;
    footing.cpu = cpu;
    const bool counted = !root || rung.root_mode != RootMode::unmapped;
    if (pids == LimitBy::nothing && has_namespaces(rung.rung) && counted)
      footing.pids = LimitBy::user_namespace;
    return footing;
  }
  return std::nullopt;
}

asio::awaitable<ProbeReport> probe(ZygoteProcess& zygote, Clock& clock, HostFacts host,
                                   std::filesystem::path scratch) {
  ProbeReport report;
  report.landlock_abi = host.landlock_abi;
  report.rungs = candidates(host);
  std::error_code ignored;
  std::filesystem::create_directory(scratch / "work", ignored);
  policies::Limits limits;
  limits.pids = kProbePids;
  limits.cpu_percent = kProbeCpuPercent;
  const GroupParents parents = find_group_parents();
  FilterCache filters;
  for (RungProbe& rung : report.rungs) {
    ControlGroups groups =
        ControlGroups::create(parents, limits, new_maker_name(), GroupLimits::memory_and_pids);
    const Trial trial{zygote, clock, host, scratch, groups, filters};
    co_await try_rung(trial, rung, report);
    if (rung.works && report.memory == LimitBy::polling) report.memory = groups.memory();
    if (rung.works && report.pids == LimitBy::nothing) report.pids = groups.pids();
    if (rung.works && report.cpu == LimitBy::nothing) report.cpu = groups.cpu();
    groups.remove();  // what the zygote has not removed with its session
  }
  co_return report;
}

}  // namespace fathom::sandbox
