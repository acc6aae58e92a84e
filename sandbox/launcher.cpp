#include "sandbox/launcher.hpp"

#include "policies/quantity.hpp"
#include "runtime/async/offload.hpp"
#include "sandbox/environment.hpp"
#include "sandbox/limit_watch.hpp"
#include "sandbox/notify_supervisor.hpp"

#include <boost/asio/this_coro.hpp>

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

namespace fathom::sandbox {
namespace {

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

void Launcher::take_egress(const EgressRecord& record) {
  if (options_.on_egress) options_.on_egress(record);
  for (std::vector<EgressRecord>* connections : running_)
    if (connections->size() <= kConnectionsKeptMax) connections->push_back(record);
}

Result<std::unique_ptr<Cell>> Launcher::prepare_cell(const MountRecipe* extra) {
  if (!session_) return fail(ErrorCode::io, "sandbox: its session has ended: open another");
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
  if (footing_.rung == Rung::full || broker_) extra = egress_->environment();
  extra.insert(extra.end(), command.environment.begin(), command.environment.end());
  plan.env = command_environment(options_.policy.env, options_.host, options_.environment,
                                 in_scratch(scratch_, extra));
  plan.limits = compile_limits(options_.policy.limits);
  plan.terminal = static_cast<bool>(command.on_terminal);
  return plan;
}

Brokers Launcher::brokers() const {
  if (!shared_memory_) return {};
  return {broker_.get(), &metadata_, &*shared_memory_};
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

// Covers for what has come to be hidden, or lost its cover, since the session began.
Result<> Launcher::cover_hidden(MountRecipe& extra) {
  if (!has_namespaces(footing_.rung)) return {};
  for (ViewEntry& entry : TRY(hidden_.uncovered())) {
    extra.cover(entry.path);
    const auto at = std::ranges::lower_bound(fences_.entries, entry.path, {}, &ViewEntry::path);
    if (at == fences_.entries.end() || at->path != entry.path)
      fences_.entries.insert(at, std::move(entry));  // so that a denial names it
  }
  return {};
}

// The cell of the next command, with what has come to be protected since the session began. The
// guard is not handed to other threads: commands of one session share it.
Result<std::unique_ptr<Cell>> Launcher::begin() {
  MountRecipe extra;
  TRY(cover_hidden(extra));
  if (guard_) extra.append(TRY(guard_->before()));
  auto cell = extra.empty() ? take_cell() : prepare_cell(&extra);
  if (!cell && guard_) guard_->abandon();
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
  watched_.push_back(&watch);
  NotifySupervisor supervisor(fences_, brokers());
  CommandOptions options;
  options.io = {command.input, command.on_output, command.on_terminal, options_.blobs,
                options_.offload};
  options.limits.time = std::min<Duration>(command.time.value_or(options_.policy.limits.time),
                                           options_.policy.limits.time);
  if (command.lifetime == Lifetime::service) {
    options.limits.time = kNoDeadline;
    options.io.blobs = nullptr;
  }
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
  std::erase(watched_, &watch);
  cpu_ended_ +=
      std::max<std::chrono::microseconds>(watch.cpu(), outcome.usage.user + outcome.usage.system);
  add_connections(outcome, std::move(connections));
  explain(outcome, before);
  name_reads(outcome, command);
  finish(outcome);
  if (unwinding) std::rethrow_exception(unwinding);
  co_return outcome;
}

std::chrono::milliseconds Launcher::cpu_used() const {
  auto used = std::chrono::duration_cast<std::chrono::milliseconds>(cpu_ended_);
  for (const LimitWatch* watch : watched_) used += watch->cpu();
  return used;
}

asio::awaitable<Outcome> Launcher::run(Command command) {
  Outcome outcome;
  auto renewing = renew_rules();
  if (const Result<> renewed = co_await std::move(renewing); !renewed) {
    outcome.end(Ending::not_started, renewed.error().message);
    co_return outcome;
  }
  outcome = co_await run_once(command);
  const bool refused =
      outcome.ending == Ending::not_started && outcome.stage == wire::Stage::seccomp;
  if (refused && may_listen_) {
    // The kernel allows one listener on the way up: a runtime around us has it. Nothing has run, so
    // the session is opened again without one: denials go unnamed, and no broker connects.
    may_listen_ = false;
    auto reopening = reopen();
    if (const Result<> opened = co_await std::move(reopening); !opened) {
      outcome.classify(Ending::not_started, opened.error().message);
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

Result<WorkspaceView> Launcher::view() const {
  if (!session_ || !session_->shown())
    return fail(ErrorCode::unsupported, "sandbox: this session shows no view of its workspace");
  UniqueFd folder(::fcntl(session_->shown().get(), F_DUPFD_CLOEXEC, 0));
  if (!folder) return fail(system_error("sandbox: view of the workspace", errno));
  return WorkspaceView{std::move(folder), plan_.outside_uid, plan_.outside_gid};
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
