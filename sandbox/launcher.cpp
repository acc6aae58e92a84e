#include "sandbox/launcher.hpp"

#include "sandbox/caches.hpp"
#include "sandbox/environment.hpp"
#include "sandbox/landlock_plan.hpp"
#include "sandbox/limit_watch.hpp"

#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <csignal>

namespace fathom::sandbox {

// One way to open the session. A list of them, strongest first, is walked until one works.
struct Launcher::Attempt {
  Rung rung = Rung::full;
  RootMode root_mode = RootMode::idmapped;
  /// Failed stages after which the next attempt is made; any other failure is an error to mend.
  std::vector<wire::Stage> lowered_by;
};

namespace {

bool contains(const std::vector<wire::Stage>& stages, wire::Stage stage) {
  return std::ranges::find(stages, stage) != stages.end();
}

FilterOptions filter_options(const policies::Policy& policy, const Footing& footing) {
  FilterOptions filter;
  filter.profile = policy.syscalls;
  filter.unix_sockets = true;
  const bool network = footing.rung == Rung::full;
  filter.inet_stream = network;
  filter.inet_datagram = network;
  filter.netlink_route = true;
  filter.refuse_setuid_bits = footing.root && footing.root_mode == RootMode::unmapped;
  return filter;
}

// Caches of the project, and the workspace when edits are not to be live.
Result<std::vector<OverlayPlan>> make_overlays(const LauncherOptions& options) {
  std::vector<OverlayPlan> overlays;
  if (!options.state.empty())
    overlays = TRY(
        cache_overlays(options.policy, options.host, options.workspace, options.state / "caches"));
  if (options.mode == Mode::disposable) overlays.push_back({options.workspace.root, "", true});
  if (options.mode == Mode::transaction)
    overlays.push_back({options.workspace.root, options.transaction.string(), true});
  return overlays;
}

std::string missing_text(const std::vector<GuaranteeState>& missing) {
  std::string text = "sandbox: the policy requires more than this machine gives:";
  for (const GuaranteeState& state : missing) {
    text += " " + std::string(policies::name_of(state.guarantee)) + " is " +
            std::string(policies::name_of(state.strength)) + " (" + state.reason + ")";
    if (!state.fix.empty()) text += ": " + state.fix;
    text += ";";
  }
  text.back() = ' ';
  return text + "or set `require` lower in a policy of yours";
}

// The container rung has no mounts, so it is never tried for the modes that need an overlay.
Result<> with_mode(Mode mode, Result<> failed) {
  if (mode == Mode::direct) return failed;
  const std::string name = mode == Mode::transaction ? "transaction" : "disposable";
  Error error = std::move(failed).error();
  if (error.code == ErrorCode::unsupported) error.message = "no rung with mounts was left to try";
  return fail(error.code,
              "sandbox: mode " + name +
                  " needs overlayfs in a user namespace, which did not work: " + error.message +
                  ": use mode direct, or a state folder (XDG_STATE_HOME) that is not "
                  "on an overlay itself; `fathom doctor` says more");
}

}  // namespace

Launcher::Launcher(ZygoteProcess& zygote, Clock& clock, LauncherOptions options)
    : zygote_(zygote),
      clock_(clock),
      options_(std::move(options)),
      group_parents_(find_group_parents()) {}

Launcher::~Launcher() = default;

std::vector<Launcher::Attempt> Launcher::attempts() const {
  using wire::Stage;
  const std::vector<Stage> no_namespaces = {Stage::namespaces, Stage::id_maps, Stage::identity,
                                            Stage::nested_off, Stage::proc};
  std::vector<Stage> first = no_namespaces;
  first.push_back(Stage::loopback);
  std::vector<Attempt> all;
  if (options_.host.uid == 0) {
    std::vector<Stage> mapped = first;
    // Under an id of its own the session may be kept from walking to a mount point.
    mapped.push_back(Stage::idmap);
    mapped.push_back(Stage::mounts);
    const RootMode own = options_.workspace.owner == 0 ? RootMode::idmapped : RootMode::workspace;
    all.push_back({Rung::full, own, mapped});
    all.push_back({Rung::full, RootMode::unmapped, first});
    all.push_back({Rung::no_network_ns, RootMode::unmapped, no_namespaces});
  } else {
    all.push_back({Rung::full, RootMode::idmapped, first});
    all.push_back({Rung::no_network_ns, RootMode::idmapped, no_namespaces});
  }
  const Rung container =
      options_.host.landlock_abi >= kLandlockTcpAbi ? Rung::container : Rung::container_old;
  if (options_.host.landlock_abi > 0 && options_.mode == Mode::direct)
    all.push_back({container, RootMode::unmapped, {}});
  if (options_.rung)
    std::erase_if(all, [&](const Attempt& attempt) { return attempt.rung != *options_.rung; });
  return all;
}

asio::awaitable<Result<>> Launcher::try_open(const Attempt& attempt) {
  footing_ = {};
  footing_.rung = attempt.rung;
  footing_.root = options_.host.uid == 0;
  footing_.root_mode = attempt.root_mode;
  footing_.landlock_abi = options_.host.landlock_abi;
  footing_.memory = groups_.memory();
  footing_.pids = groups_.pids();
  const bool namespaces = attempt.rung == Rung::full || attempt.rung == Rung::no_network_ns;
  const bool counted = !footing_.root || attempt.root_mode != RootMode::unmapped;
  if (footing_.pids == LimitBy::nothing && namespaces && counted)
    footing_.pids = LimitBy::user_namespace;

  FilterCache own_filters;
  FilterCache& filters = options_.filters != nullptr ? *options_.filters : own_filters;
  CO_TRY(std::string filter, filters.bytes(filter_options(options_.policy, footing_)));
  CompileInput input{options_.policy, options_.host, options_.workspace};
  input.rung = attempt.rung;
  input.mode = options_.mode;
  input.root_mode = attempt.root_mode;
  input.groups = groups_.folders();
  if (namespaces) {
    CO_TRY(input.overlays, make_overlays(options_));
  }
  input.filters = {std::move(filter)};
  CO_TRY(plan_, compile(input));
  auto executor = co_await asio::this_coro::executor;
  CO_TRY(session_, Session::open(zygote_, plan_, executor));
  co_return co_await session_->ready();
}

asio::awaitable<Result<>> Launcher::open_strongest() {
  sweep_stale_groups(group_parents_);
  groups_ = ControlGroups::create(group_parents_, options_.policy.limits, new_group_name());
  std::vector<Attempt> left = attempts();
  Result<> opened =
      fail(ErrorCode::unsupported, "sandbox: neither user namespaces nor Landlock work here");
  for (std::size_t i = 0; i < left.size(); ++i) {
    opened = co_await try_open(left[i]);
    if (opened) co_return opened;
    const wire::Stage stage = session_ ? session_->failed_stage() : wire::Stage::none;
    if (session_) co_await session_->close();
    session_.reset();
    if (stage == wire::Stage::cgroup) {
      groups_.remove();  // cannot be joined: the same attempt without
      --i;
    } else if (!contains(left[i].lowered_by, stage)) {
      break;
    } else {
      // The zygote removed the folders with the session.
      groups_ = ControlGroups::create(group_parents_, options_.policy.limits, new_group_name());
    }
  }
  groups_.remove();
  co_return opened;
}

asio::awaitable<Result<std::unique_ptr<Launcher>>> Launcher::open(ZygoteProcess& zygote,
                                                                  Clock& clock,
                                                                  LauncherOptions options,
                                                                  Refusal* refusal) {
  std::unique_ptr<Launcher> launcher(new Launcher(zygote, clock, std::move(options)));
  Result<> opened = co_await launcher->open_strongest();
  if (!opened) {
    opened = with_mode(launcher->options_.mode, std::move(opened));
    if (refusal != nullptr) refusal->message = opened.error().message;
    co_return fail(opened.error());
  }
  launcher->guarantees_ = guarantees_of(launcher->footing_);
  auto missing = missing_guarantees(launcher->guarantees_, launcher->options_.policy.require);
  if (!missing.empty()) {
    co_await launcher->close();
    Error error{ErrorCode::unsupported, missing_text(missing)};
    if (refusal != nullptr) *refusal = {error.message, std::move(missing)};
    co_return fail(std::move(error));
  }
  for (std::size_t i = 0; i < launcher->options_.prepared_cells; ++i) {
    CO_TRY(auto cell, launcher->session_->prepare());
    launcher->prepared_.push_back(std::move(cell));
  }
  co_return launcher;
}

Result<std::unique_ptr<Cell>> Launcher::take_cell() {
  if (prepared_.empty()) return session_->prepare();
  std::unique_ptr<Cell> cell = std::move(prepared_.back());
  prepared_.pop_back();
  return cell;
}

LaunchPlan Launcher::launch_plan(const Command& command) const {
  LaunchPlan plan;
  plan.working_dir = command.working_dir.empty() ? options_.workspace.root : command.working_dir;
  plan.argv = command.argv;
  plan.env = command_environment(options_.policy.env, options_.host, options_.environment,
                                 command.environment);
  plan.limits = compile_limits(options_.policy.limits);
  plan.terminal = static_cast<bool>(command.on_terminal);
  return plan;
}

// What the kernel counted while the command ran. It cannot be forged, and names what a bare SIGKILL
// or EAGAIN does not.
void Launcher::explain(Outcome& outcome, const GroupCounts& before) const {
  const policies::Limits& limits = options_.policy.limits;
  const GroupCounts now = groups_.counts();
  if (now.memory_kills > before.memory_kills) {
    outcome.add({"memory", std::to_string(limits.memory_bytes) + " bytes", "limits.memory",
                 "limits: {memory: …}", now.memory_kills - before.memory_kills});
    if (outcome.ending == Ending::signalled && outcome.signal == SIGKILL)
      outcome.classify(Ending::memory_limit, "memory limit of " +
                                                 std::to_string(limits.memory_bytes) +
                                                 " bytes, counted by the control group");
  }
  if (now.pids_refused > before.pids_refused)
    outcome.add({"processes", std::to_string(limits.pids), "limits.pids", "limits: {pids: …}",
                 now.pids_refused - before.pids_refused});
  for (const GuaranteeState& state : guarantees_)
    if (state.strength != policies::Strength::enforced)
      outcome.weaker.push_back({state.guarantee, state.strength, state.reason});
  outcome.rung = footing_.rung;
}

asio::awaitable<Outcome> Launcher::run(Command command) {
  auto cell = take_cell();
  if (!cell) {
    Outcome outcome;
    outcome.end(Ending::lost, cell.error().message);
    co_return outcome;
  }
  const GroupCounts before = groups_.counts();
  LimitWatch watch(clock_, options_.policy.limits,
                   footing_.memory == LimitBy::polling ? LimitWatch::Memory::counted
                                                       : LimitWatch::Memory::left_to_the_kernel);
  CommandOptions options;
  options.io = {command.input, command.on_output, command.on_terminal, options_.blobs,
                options_.offload};
  options.limits.time = std::min<Duration>(command.time.value_or(options_.policy.limits.time),
                                           options_.policy.limits.time);
  options.limits.output_bytes = options_.policy.limits.output_bytes;
  options.watches = {&watch};
  Outcome outcome =
      co_await run_command(clock_, {*session_, **cell}, launch_plan(command), options);
  explain(outcome, before);
  while (prepared_.size() < options_.prepared_cells) {
    auto next = session_->prepare();
    if (!next) break;
    prepared_.push_back(*std::move(next));
  }
  co_return outcome;
}

asio::awaitable<void> Launcher::close() {
  prepared_.clear();
  if (session_) co_await session_->close();
  session_.reset();
}

}  // namespace fathom::sandbox
