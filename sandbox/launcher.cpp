#include "sandbox/launcher.hpp"

#include "policies/quantity.hpp"
#include "runtime/async/offload.hpp"
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
  // Whatever id they run under, their files are left to root or to the workspace's owner.
  filter.refuse_setuid_bits = footing.root;
  filter.limit_others = footing.rung == Rung::full || footing.rung == Rung::no_network_ns;
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

void add_connections(Outcome& outcome, std::vector<EgressRecord> connections) {
  for (EgressRecord& record : connections) {
    if (record.verdict != policies::Verdict::allow) {
      std::string target = record.name.empty() ? record.address : record.name;
      if (record.port != 0) target += ":" + std::to_string(record.port);
      outcome.add(Denial{record.via == Via::dns ? "look up" : "connect", std::move(target),
                         record.rule, record.grant, 1});
    }
    outcome.add(std::move(record));
  }
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

}  // namespace

Launcher::Launcher(ZygoteProcess& zygote, Clock& clock, LauncherOptions options,
                   asio::any_io_executor executor)
    : zygote_(zygote), clock_(clock), options_(std::move(options)), tasks_(std::move(executor)) {}

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
  if (options_.probes)
    std::erase_if(all, [&](const Attempt& attempt) {
      return std::ranges::any_of(options_.probes->rungs, [&](const RungProbe& probe) {
        return !probe.works && probe.rung == attempt.rung && probe.root_mode == attempt.root_mode;
      });
    });
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
  if (guard_) input.pins = guard_->session_pins();
  input.listeners = egress_->listeners();
  input.capture = egress_->capture();
  if (namespaces) {
    CO_TRY(input.overlays, make_overlays(options_));
  }
  input.filters = {std::move(filter)};
  CO_TRY(plan_, compile(input));
  CO_TRY(session_, Session::open(zygote_, plan_, co_await asio::this_coro::executor));
  prepared_.clear();
  // Asked for now, it is begun the moment the session stands.
  CO_TRY(auto cell, session_->prepare());
  prepared_.push_back(std::move(cell));
  CO_TRY_VOID(co_await session_->ready());
  if (guard_)
    guard_->set_fence(namespaces ? WorkspaceGuard::Fence::mounts_and_audit
                                 : WorkspaceGuard::Fence::audit_only);
  if (attempt.rung == Rung::full)
    tasks_.spawn([](EgressBroker& broker, std::vector<UniqueFd> fds) -> asio::awaitable<void> {
      (void)co_await broker.serve(std::move(fds));
    }(*egress_, std::move(session_->listeners())));
  co_return Result<>{};
}

// What does not depend on the rung: the scan of protected paths and the way out.
asio::awaitable<Result<>> Launcher::make_services() {
  if (options_.mode == Mode::direct && !options_.state.empty() &&
      options_.policy.filesystem.workspace == policies::Access::write) {
    auto create = [this] {
      return WorkspaceGuard::create(options_.policy, options_.workspace,
                                    options_.state / "quarantine");
    };
    CO_TRY(guard_, create());
  }
  EgressOptions egress = egress_options(options_.policy, options_.phase);
  egress.on_record = [this](const EgressRecord& record) { take_egress(record); };
  CO_TRY(egress_,
         EgressBroker::create(co_await asio::this_coro::executor, clock_, std::move(egress)));
  co_return Result<>{};
}

void Launcher::take_egress(const EgressRecord& record) {
  if (options_.on_egress) options_.on_egress(record);
  for (std::vector<EgressRecord>* connections : running_)
    if (connections->size() <= kConnectionsKeptMax) connections->push_back(record);
}

void Launcher::make_groups(const Attempt& attempt) {
  const GroupParents parents = find_group_parents();
  const bool counted = attempt.rung == Rung::full &&
                       !(options_.host.uid == 0 && attempt.root_mode == RootMode::unmapped);
  groups_ = ControlGroups::create(parents, options_.policy.limits, new_group_name(),
                                  counted ? GroupLimits::memory : GroupLimits::memory_and_pids);
}

asio::awaitable<Result<>> Launcher::open_strongest() {
  bool join_groups = options_.groups == GroupUse::where_possible;
  std::vector<Attempt> left = attempts();
  Result<> opened =
      fail(ErrorCode::unsupported, "sandbox: neither user namespaces nor Landlock work here");
  for (std::size_t i = 0; i < left.size(); ++i) {
    if (join_groups) make_groups(left[i]);
    opened = co_await try_open(left[i]);
    if (opened) co_return opened;
    const wire::Stage stage = session_ ? session_->failed_stage() : wire::Stage::none;
    if (session_) co_await session_->close();
    session_.reset();
    groups_.remove();  // what the zygote has not removed with the session
    if (stage == wire::Stage::cgroup && join_groups) {
      join_groups = false;  // cannot be joined: the same attempt without
      --i;
    } else if (!contains(left[i].lowered_by, stage)) {
      break;
    }
  }
  co_return opened;
}

asio::awaitable<Result<std::unique_ptr<Launcher>>> Launcher::open(ZygoteProcess& zygote,
                                                                  Clock& clock,
                                                                  LauncherOptions options,
                                                                  Refusal* refusal) {
  std::unique_ptr<Launcher> launcher(
      new Launcher(zygote, clock, std::move(options), co_await asio::this_coro::executor));
  Result<> opened = co_await launcher->make_services();
  if (opened) opened = co_await launcher->open_strongest();
  if (!opened) {
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
  while (launcher->prepared_.size() < launcher->options_.prepared_cells) {
    auto cell = launcher->session_->prepare();
    if (!cell) {
      co_await launcher->close();
      co_return fail(cell.error());
    }
    launcher->prepared_.push_back(*std::move(cell));
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
  std::vector<policies::EnvironmentVariable> extra;
  if (footing_.rung == Rung::full) extra = egress_->environment();
  extra.insert(extra.end(), command.environment.begin(), command.environment.end());
  plan.env = command_environment(options_.policy.env, options_.host, options_.environment, extra);
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
    outcome.add(Denial{"memory", std::to_string(limits.memory_bytes) + " bytes", "limits.memory",
                       "limits: {memory: " + policies::format_size(2 * limits.memory_bytes) + "}",
                       now.memory_kills - before.memory_kills});
    if (outcome.ending == Ending::signalled && outcome.signal == SIGKILL)
      outcome.classify(Ending::memory_limit, "memory limit of " +
                                                 std::to_string(limits.memory_bytes) +
                                                 " bytes, counted by the control group");
  }
  if (now.pids_refused > before.pids_refused)
    outcome.add(Denial{"processes", std::to_string(limits.pids), "limits.pids",
                       "limits: {pids: " + std::to_string(2 * limits.pids) + "}",
                       now.pids_refused - before.pids_refused});
  for (const GuaranteeState& state : guarantees_)
    if (state.strength != policies::Strength::enforced)
      outcome.weaker.push_back({state.guarantee, state.strength, state.reason});
  outcome.rung = footing_.rung;
}

// The cell of the next command, with what has come to be protected since the session began.
asio::awaitable<Result<std::unique_ptr<Cell>>> Launcher::begin() {
  if (!guard_) co_return take_cell();
  MountRecipe extra;
  auto before = [this] { return guard_->before(); };
  if (options_.offload != nullptr) {
    CO_TRY(extra, co_await offload(*options_.offload, before));
  } else {
    CO_TRY(extra, before());
  }
  if (extra.empty()) co_return take_cell();
  co_return session_->prepare(&extra);
}

asio::awaitable<void> Launcher::finish(Outcome& outcome) {
  if (!guard_) co_return;
  auto after = [this, &outcome]() -> Result<> {
    guard_->after(outcome);
    return {};
  };
  if (options_.offload != nullptr)
    (void)co_await offload(*options_.offload, after);
  else
    (void)after();
}

asio::awaitable<Outcome> Launcher::run(Command command) {
  auto cell = co_await begin();
  if (!cell) {
    Outcome outcome;
    outcome.end(Ending::lost, cell.error().message);
    co_return outcome;
  }
  std::vector<EgressRecord> connections;
  running_.push_back(&connections);
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
  // A command that was cancelled has changed the workspace as well: it is looked at all the same.
  Outcome outcome;
  std::exception_ptr unwinding;
  try {
    outcome = co_await run_command(clock_, {*session_, **cell}, launch_plan(command), options);
  } catch (const boost::system::system_error&) {
    unwinding = std::current_exception();
  }
  if (unwinding) {
    co_await asio::this_coro::throw_if_cancelled(false);
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  }
  std::erase(running_, &connections);
  add_connections(outcome, std::move(connections));
  explain(outcome, before);
  co_await finish(outcome);
  if (unwinding) std::rethrow_exception(unwinding);
  while (prepared_.size() < options_.prepared_cells) {
    auto next = session_->prepare();
    if (!next) break;
    prepared_.push_back(*std::move(next));
  }
  co_return outcome;
}

asio::awaitable<void> Launcher::close() {
  tasks_.cancel();
  co_await tasks_.join();
  prepared_.clear();
  if (session_) co_await session_->close();
  session_.reset();
}

}  // namespace fathom::sandbox
