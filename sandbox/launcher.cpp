#include "sandbox/launcher.hpp"

#include "policies/quantity.hpp"
#include "runtime/async/offload.hpp"
#include "sandbox/caches.hpp"
#include "sandbox/environment.hpp"
#include "sandbox/landlock_plan.hpp"
#include "sandbox/limit_watch.hpp"
#include "sandbox/notify_supervisor.hpp"

#include <boost/asio/this_coro.hpp>

#include <sys/stat.h>

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

// The rung without namespaces but with TCP rules of Landlock: see ConnectBroker.
bool has_broker(const Footing& footing) {
  return footing.rung == Rung::container && footing.listener;
}

FilterOptions filter_options(const policies::Policy& policy, const Footing& footing) {
  FilterOptions filter;
  filter.profile = policy.syscalls;
  // A path leads to any socket of the host where there are no mounts, an abstract name where there
  // is no network of one's own: then a broker or Landlock's scope must stand in the way.
  filter.unix_sockets =
      footing.rung == Rung::full || has_broker(footing) ||
      (footing.rung == Rung::no_network_ns && footing.landlock_abi >= kLandlockScopeAbi);
  filter.inet_stream = footing.rung == Rung::full || has_broker(footing);
  filter.inet_datagram = footing.rung == Rung::full;
  filter.netlink_route = true;
  // Whatever id they run under, their files are left to root or to the workspace's owner.
  filter.refuse_setuid_bits = footing.root;
  filter.limit_others = has_namespaces(footing.rung);
  filter.notify = {
      .write_opens = footing.listener, .connect = has_broker(footing), .refused = footing.listener};
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

// Without private mounts, the folders that the session's own would be.
std::vector<policies::EnvironmentVariable> in_scratch(
    const ScratchFolder& scratch, const std::vector<policies::EnvironmentVariable>& extra) {
  if (scratch.path().empty()) return extra;
  std::vector<policies::EnvironmentVariable> all = {{"HOME", scratch.home()},
                                                    {"TMPDIR", scratch.tmp()},
                                                    {"TMPPREFIX", scratch.tmp() + "/zsh"},
                                                    {"XDG_RUNTIME_DIR", scratch.run()}};
  all.insert(all.end(), extra.begin(), extra.end());
  return all;
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
      fences_{options_.policy, {}, {}} {
  // Quarantine, journals and whole outputs of other runs are nobody's to read, wherever they lie.
  if (!options_.state.empty())
    options_.policy.filesystem.grants.push_back(
        {options_.state.string(), policies::Access::hidden, "sandbox.state"});
}

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

HostPath Launcher::look_once(const std::string& path) {
  const auto known = looked_at_.find(path);
  if (known != looked_at_.end()) return known->second;
  return looked_at_.emplace(path, look_at_path(path)).first->second;
}

Result<> Launcher::make_scratch() {
  const auto parent = options_.state.empty() ? "/tmp" : options_.state / "scratch";
  scratch_ = TRY(ScratchFolder::create(parent));
  return {};
}

asio::awaitable<Result<>> Launcher::try_open(const Attempt& attempt) {
  footing_ = {};
  footing_.rung = attempt.rung;
  footing_.root = options_.host.uid == 0;
  footing_.root_mode = attempt.root_mode;
  footing_.landlock_abi = options_.host.landlock_abi;
  footing_.memory = groups_.memory();
  footing_.pids = groups_.pids();
  const bool namespaces = has_namespaces(attempt.rung);
  footing_.listener = may_listen_;
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
  broker_.reset();
  scratch_.remove();
  if (!namespaces) CO_TRY_VOID(make_scratch());
  input.scratch = scratch_.path();
  const auto look = [this](const std::string& path) { return look_once(path); };
  CO_TRY(fences_.entries, view_entries(input, look));
  CO_TRY(plan_, compile(input, fences_.entries));
  fences_.read_only = input.pins.read_only;
  fences_.private_folders = namespaces;
  scratch_.link_home(options_.host.home, fences_.entries);
  if (has_broker(footing_))
    broker_ = std::make_unique<ConnectBroker>(clock_, fences_, options_.phase);
  CO_TRY(session_, Session::open(zygote_, plan_, co_await asio::this_coro::executor));
  prepared_.clear();
  // Asked for now, it is begun the moment the session stands. A session that has failed already
  // takes no wishes, and says in ready() at which stage, by which the next rung is chosen.
  auto cell = prepare_cell();
  CO_TRY_VOID(co_await session_->ready());
  if (!cell) co_return fail(std::move(cell).error());
  prepared_.push_back(*std::move(cell));
  if (guard_)
    guard_->set_fence(namespaces ? WorkspaceGuard::Fence::mounts_and_audit
                                 : WorkspaceGuard::Fence::audit_only);
  if (attempt.rung == Rung::full)
    tasks_->spawn([](EgressBroker& broker, std::vector<UniqueFd> fds) -> asio::awaitable<void> {
      (void)co_await broker.serve(std::move(fds));
    }(*egress_, std::move(session_->listeners())));
  co_return Result<>{};
}

// What does not depend on the rung: the scan of protected paths and the way out.
Result<> Launcher::make_services(const asio::any_io_executor& executor) {
  tasks_.emplace(executor);
  if (options_.mode == Mode::direct && !options_.state.empty() &&
      options_.policy.filesystem.workspace == policies::Access::write)
    guard_.emplace(TRY(WorkspaceGuard::create(options_.policy, options_.workspace,
                                              options_.state / "quarantine")));
  EgressOptions egress = egress_options(options_.policy, options_.phase);
  egress.on_record = [this](const EgressRecord& record) { take_egress(record); };
  egress_ = TRY(EgressBroker::create(executor, clock_, std::move(egress)));
  return {};
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
  std::unique_ptr<Launcher> launcher(new Launcher(zygote, clock, std::move(options)));
  Result<> opened = launcher->make_services(co_await asio::this_coro::executor);
  if (opened) opened = co_await launcher->open_strongest();
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
  while (launcher->prepared_.size() < launcher->options_.prepared_cells) {
    auto cell = launcher->prepare_cell();
    if (!cell) {
      co_await launcher->close();
      co_return fail(cell.error());
    }
    launcher->prepared_.push_back(*std::move(cell));
  }
  co_return launcher;
}

Result<std::unique_ptr<Cell>> Launcher::prepare_cell(const MountRecipe* extra) {
  return session_->prepare(extra, {0, footing_.listener});
}

Result<std::unique_ptr<Cell>> Launcher::take_cell() {
  if (prepared_.empty()) return prepare_cell();
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
  plan.env = command_environment(options_.policy.env, options_.host, options_.environment,
                                 in_scratch(scratch_, extra));
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
    // Memory files are nobody's memory: the kernel may pick the sandbox's own init for them.
    if ((outcome.ending == Ending::signalled && outcome.signal == SIGKILL) ||
        outcome.ending == Ending::lost)
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

// The cell of the next command, with what has come to be protected since the session began. The
// guard is not handed to other threads: commands of one session share it.
Result<std::unique_ptr<Cell>> Launcher::begin() {
  if (!guard_) return take_cell();
  const MountRecipe extra = TRY(guard_->before());
  auto cell = extra.empty() ? take_cell() : prepare_cell(&extra);
  if (!cell) guard_->abandon();
  return cell;
}

void Launcher::finish(Outcome& outcome) {
  if (guard_) guard_->after(outcome);
}

// A hidden path is not there, so an open of it fails as any other: the words of the command say
// what it was about.
void Launcher::name_reads(Outcome& outcome, const Command& command) const {
  if (outcome.ending != Ending::exited || outcome.exit_code == 0) return;
  const auto exists = [](const std::string& path) {
    struct stat info{};
    return ::lstat(path.c_str(), &info) == 0;
  };
  const NamedCommand named{
      command.argv, command.working_dir.empty() ? options_.workspace.root : command.working_dir,
      options_.host.home};
  for (Denial& denial : named_denials(fences_, named, exists)) outcome.add(std::move(denial));
}

asio::awaitable<Outcome> Launcher::run_once(const Command& command) {
  auto cell = begin();
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
  NotifySupervisor supervisor(fences_, broker_.get());
  CommandOptions options;
  options.io = {command.input, command.on_output, command.on_terminal, options_.blobs,
                options_.offload};
  options.limits.time = std::min<Duration>(command.time.value_or(options_.policy.limits.time),
                                           options_.policy.limits.time);
  options.limits.output_bytes = options_.policy.limits.output_bytes;
  options.watches = {&watch, &supervisor};
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
  name_reads(outcome, command);
  finish(outcome);
  if (unwinding) std::rethrow_exception(unwinding);
  co_return outcome;
}

asio::awaitable<Outcome> Launcher::run(Command command) {
  Outcome outcome = co_await run_once(command);
  const bool refused =
      outcome.ending == Ending::not_started && outcome.stage == wire::Stage::seccomp;
  if (refused && may_listen_) {
    // The kernel allows one listener on the way up: a runtime around us has it. Nothing has run, so
    // the session is opened again without one: denials go unnamed, and no broker connects.
    may_listen_ = false;
    co_await close();
    Result<> opened = make_services(co_await asio::this_coro::executor);
    if (opened) opened = co_await open_strongest();
    if (!opened) co_return outcome;
    guarantees_ = guarantees_of(footing_);
    const auto missing = missing_guarantees(guarantees_, options_.policy.require);
    if (!missing.empty()) {
      co_await close();
      outcome.classify(Ending::not_started, missing_text(missing));
      co_return outcome;
    }
    outcome = co_await run_once(command);
  }
  while (session_ && prepared_.size() < options_.prepared_cells) {
    auto next = prepare_cell();
    if (!next) break;
    prepared_.push_back(*std::move(next));
  }
  co_return outcome;
}

asio::awaitable<void> Launcher::close() {
  if (tasks_) {
    tasks_->cancel();
    co_await tasks_->join();
    tasks_.reset();
  }
  prepared_.clear();
  if (session_) co_await session_->close();
  session_.reset();
  scratch_.remove();
}

}  // namespace fathom::sandbox
