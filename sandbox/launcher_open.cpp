// How a launcher opens its session: the ways there are, strongest first, until one works.
#include "sandbox/caches.hpp"
#include "sandbox/host_sockets.hpp"
#include "sandbox/landlock_plan.hpp"
#include "sandbox/launcher.hpp"
#include "sandbox/maker_name.hpp"

#include <boost/asio/this_coro.hpp>

#include <algorithm>

namespace fathom::sandbox {

// One way to open the session. A list of them, strongest first, is walked until one works.
struct Launcher::Attempt {
  Rung rung = Rung::full;
  RootMode root_mode = RootMode::idmapped;
  /// Failed stages after which the next attempt is made; any other failure is an error to mend.
  std::vector<wire::Stage> lowered_by;
};

namespace {

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
  filter.ipc_objects = has_namespaces(footing.rung);
  const bool no_mounts = !has_namespaces(footing.rung);
  filter.notify = {.write_opens = footing.listener,
                   .connect = has_broker(footing),
                   .metadata = footing.listener && no_mounts,
                   .shared_memory = footing.listener && no_mounts,
                   .refused = footing.listener};
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

}  // namespace

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
  if (footing_.listener) shared_memory_ = TRY(SharedMemory::create(scratch_.shared_memory()));
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
  if (options_.policy.limits.cpu_percent != 0)
    footing_.cpu = groups_.cpu() == LimitBy::unlimited ? LimitBy::nothing : groups_.cpu();
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
    CO_TRY(input.host_sockets, host_socket_paths());
    CO_TRY(input.overlays, make_overlays(options_));
  }
  input.filters = {std::move(filter)};
  broker_.reset();
  shared_memory_.reset();
  scratch_.remove();
  if (!namespaces) CO_TRY_VOID(make_scratch());
  input.scratch = scratch_.path();
  const auto look = [this](const std::string& path) { return look_once(path); };
  CO_TRY(fences_.entries, view_entries(input, look));
  CO_TRY(plan_, compile(input, fences_.entries));
  hidden_ = HiddenPaths(input, fences_.entries);
  fences_.read_only = input.pins.read_only;
  fences_.private_folders = namespaces;
  scratch_.link_home(options_.host.home, fences_.entries);
  if (has_broker(footing_)) {
    broker_ = std::make_unique<ConnectBroker>(clock_, fences_, options_.phase);
    if (egress_->proxy_port()) broker_->carry_by(*egress_);
  }
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
  else if (broker_ && egress_->proxy_port())
    tasks_->spawn(egress_->serve_handed_over());
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
  if (options_.change_egress) options_.change_egress(egress);
  egress_ = TRY(EgressBroker::create(executor, clock_, std::move(egress)));
  return {};
}

void Launcher::make_groups(const Attempt& attempt) {
  const GroupParents parents = find_group_parents();
  const bool counted = attempt.rung == Rung::full &&
                       !(options_.host.uid == 0 && attempt.root_mode == RootMode::unmapped);
  groups_ = ControlGroups::create(parents, options_.policy.limits, new_maker_name(),
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
    } else if (std::ranges::count(left[i].lowered_by, stage) == 0) {
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

// Ends the session and opens it anew, by what the machine is now. Nothing may be running in it.
asio::awaitable<Result<>> Launcher::reopen() {
  co_await close();
  looked_at_.clear();
  Result<> opened = make_services(co_await asio::this_coro::executor);
  if (opened) opened = co_await open_strongest();
  if (!opened) co_return opened;
  guarantees_ = guarantees_of(footing_);
  const auto missing = missing_guarantees(guarantees_, options_.policy.require);
  if (missing.empty()) co_return opened;
  co_await close();
  co_return fail(ErrorCode::unsupported, missing_text(missing));
}

// Rules of Landlock cannot be added to a session that stands. What has come to be hidden since they
// were made needs others.
asio::awaitable<Result<>> Launcher::renew_rules() {
  if (!session_ || has_namespaces(footing_.rung)) co_return Result<>{};
  CO_TRY(const std::vector<ViewEntry> open, hidden_.uncovered());
  if (open.empty()) co_return Result<>{};
  if (!running_.empty())
    co_return fail(ErrorCode::in_use,
                   "sandbox: " + open.front().path +
                       ", which the policy hides, has appeared while other commands run: try again "
                       "when they have ended");
  co_return co_await reopen();
}

}  // namespace fathom::sandbox
