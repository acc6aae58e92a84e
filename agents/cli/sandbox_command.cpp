#include "agents/cli/sandbox_command.hpp"

#include "agents/cli/interruptible.hpp"
#include "agents/cli/sandbox_grants.hpp"
#include "agents/cli/terminal_bridge.hpp"
#include "agents/cli/transaction_command.hpp"
#include "policies/decide.hpp"
#include "policies/policy_files.hpp"
#include "runtime/async/offload.hpp"
#include "runtime/base/file.hpp"
#include "runtime/base/text.hpp"
#include "runtime/trace/blob_store.hpp"
#include "sandbox/environment.hpp"
#include "sandbox/launcher.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/this_coro.hpp>
#include <nlohmann/json.hpp>

#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <optional>

namespace fathom::agents {
namespace {

constexpr int kSignalExitBase = 128;  // as shells say it

struct Prepared {
  sandbox::LauncherOptions launcher;
  std::optional<trace::BlobStore> blobs;
  std::filesystem::path cache;  ///< where the probe's report is kept
};

Result<sandbox::Rung> rung_named(const std::string& name) {
  using sandbox::Rung;
  for (const Rung rung : {Rung::full, Rung::no_network_ns, Rung::container, Rung::container_old})
    if (sandbox::name_of(rung) == name) return rung;
  return fail(ErrorCode::usage, "--rung: '" + to_printable(name) +
                                    "' is not full, no_network_ns, container or container_old");
}

Result<Prepared> prepare(const SandboxOptions& options, const GetEnv& env) {
  Prepared prepared;
  sandbox::LauncherOptions& launcher = prepared.launcher;
  launcher.host = sandbox::look_at_host(env);
  launcher.workspace = TRY(sandbox::open_workspace(options.repository.string(), launcher.host));
  auto effective =
      TRY(policies::load_effective_policy({launcher.workspace.root, options.policy}, env));
  launcher.policy = std::move(effective.policy);
  launcher.mode = options.mode;
  launcher.environment = sandbox::process_environment();
  launcher.state = TRY(state_dir(env));
  TRY(create_private_dirs(launcher.state));
  if (!options.rung.empty()) launcher.rung = TRY(rung_named(options.rung));
  launcher.prepared_cells = 0;  // one command: it starts while the session is built
  prepared.cache = TRY(cache_dir(env));
  prepared.blobs = TRY(trace::BlobStore::open(launcher.state / "blobs"));
  return prepared;
}

// What a person reads of a command goes to the streams the command wrote it to. On a terminal
// control characters are made visible: a repository's tests must not be able to type for the
// person.
class LiveOutput {
 public:
  void write(sandbox::OutputStream stream, std::string_view bytes) {
    const bool out = stream == sandbox::OutputStream::out;
    std::FILE* to = out ? stdout : stderr;
    const std::string safe =
        (out ? out_is_terminal_ : err_is_terminal_) ? printable_lines(bytes) : std::string(bytes);
    std::fwrite(safe.data(), 1, safe.size(), to);
    std::fflush(to);
  }

 private:
  bool out_is_terminal_ = ::isatty(STDOUT_FILENO) == 1;
  bool err_is_terminal_ = ::isatty(STDERR_FILENO) == 1;
};

using Granted = std::optional<sandbox::Escalation>;

Result<ExitCode> answer(const sandbox::Outcome& outcome, const SandboxOptions& options,
                        const Granted& granted,
                        const std::optional<CommandTransaction>& transaction, Terminal& terminal) {
  if (options.json) {
    std::string json = granted ? with_grants(to_json(outcome), *granted) : to_json(outcome);
    terminal.out(transaction ? transaction->add_to_json(json) : json);
  }
  if (!options.json) {
    for (const sandbox::WeakerGuarantee& weaker : outcome.weaker)
      terminal.note("sandbox: " + std::string(policies::name_of(weaker.guarantee)) + " is " +
                    std::string(policies::name_of(weaker.strength)) + " here: " + weaker.reason);
    for (const std::string& path : outcome.runs_later)
      terminal.note("sandbox: changed " + to_printable(path) +
                    ", which runs outside the sandbox later");
    const std::string notice = sandbox::notice_for_model(outcome);
    if (!notice.empty()) std::fputs(notice.c_str(), stderr);
    if (transaction) std::fputs(transaction->to_text().c_str(), stderr);
  }
  switch (outcome.ending) {
    case sandbox::Ending::exited:
      return static_cast<ExitCode>(outcome.exit_code);
    case sandbox::Ending::signalled:
      return static_cast<ExitCode>(kSignalExitBase + outcome.signal);
    case sandbox::Ending::memory_limit:
    case sandbox::Ending::disk_limit:
    case sandbox::Ending::output_limit:
      return static_cast<ExitCode>(kSignalExitBase + SIGKILL);
    case sandbox::Ending::deadline:
      return ExitCode::timeout;
    case sandbox::Ending::cancelled:
      return ExitCode::interrupted;
    case sandbox::Ending::not_started:
      // The words of a shell for a command that is not there; everything else is ours.
      if (outcome.stage == sandbox::wire::Stage::exec) return static_cast<ExitCode>(127);
      return ExitCode::infrastructure;
    case sandbox::Ending::lost:
      return ExitCode::infrastructure;
  }
  return ExitCode::bug;
}

std::optional<ExitCode> refused_by_policy(const policies::Policy& policy,
                                          const SandboxOptions& options, const std::string& cwd,
                                          Terminal& terminal) {
  const auto decision = policies::decide(policy, policies::request::Exec{options.command, cwd});
  if (decision.verdict == policies::Verdict::allow) return std::nullopt;
  if (decision.verdict == policies::Verdict::ask && options.yes) return std::nullopt;
  if (options.json)
    terminal.out(nlohmann::ordered_json({{"ending", "not_started"},
                                         {"verdict", policies::name_of(decision.verdict)},
                                         {"rule", decision.rule},
                                         {"reason", decision.reason},
                                         {"grant", decision.grant}})
                     .dump() +
                 "\n");
  else
    terminal.note(std::string(decision.verdict == policies::Verdict::ask
                                  ? "needs approval (--yes gives it): "
                                  : "denied: ") +
                  to_printable(decision.reason) + " (rule " + decision.rule + ")");
  return ExitCode::denied;
}

struct Run {
  const SandboxOptions& options;
  Terminal& terminal;
  sandbox::ZygoteProcess& zygote;
  Clock& clock;
  Prepared prepared;
  std::function<void(UniqueFd)> on_terminal;
  Granted granted = {};
  std::optional<CommandTransaction> transaction = {};
};

// The person's own terminal is passed to no command, which could read what they type and change how
// it is shown: a command that wants one gets a terminal of the sandbox (`fathom sandbox shell`).
int input_of(const Run& run) {
  return run.on_terminal || ::isatty(STDIN_FILENO) == 1 ? -1 : STDIN_FILENO;
}

asio::awaitable<sandbox::Outcome> run_in(sandbox::Launcher& launcher, sandbox::Command command) {
  // Whatever happens, nothing of the session is left behind.
  std::exception_ptr unwinding;
  sandbox::Outcome outcome;
  try {
    outcome = co_await launcher.run(std::move(command));
  } catch (const boost::system::system_error&) {
    unwinding = std::current_exception();
  }
  co_await asio::this_coro::throw_if_cancelled(false);
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  co_await launcher.close();
  if (unwinding) std::rethrow_exception(unwinding);
  co_return outcome;
}

// After the policy has agreed and the zygote has started: the command then runs, and the lock is
// nobody else's.
Result<> begin_transaction(Run& run) {
  if (run.options.mode != sandbox::Mode::transaction) return {};
  sandbox::LauncherOptions& launcher = run.prepared.launcher;
  run.transaction =
      TRY(CommandTransaction::start(launcher.state, launcher.workspace, run.options.transaction));
  launcher.transaction = run.transaction->folder();
  return {};
}

asio::awaitable<Result<ExitCode>> run_one(Run& run) {
  const SandboxOptions& options = run.options;
  OffloadPool offload;
  sandbox::LauncherOptions& launcher_options = run.prepared.launcher;
  launcher_options.probes = co_await sandbox::probe_once_a_boot(
      run.zygote, run.clock, launcher_options.host, run.prepared.cache);
  const auto names = launcher_options.policy.filesystem.protected_names;
  if (run.prepared.blobs) launcher_options.blobs = &*run.prepared.blobs;
  launcher_options.offload = &offload;
  sandbox::Refusal refusal;
  auto launcher = co_await sandbox::Launcher::open(run.zygote, run.clock,
                                                   std::move(launcher_options), &refusal);
  if (!launcher) {
    if (run.transaction) (void)run.transaction->end(names);
    if (options.json)
      run.terminal.out(to_json(refusal) + "\n");
    else
      run.terminal.note(to_printable(launcher.error().message));
    co_return ExitCode::infrastructure;
  }
  sandbox::Command command;
  command.argv = options.command;
  command.on_terminal = run.on_terminal;
  command.input = input_of(run);
  if (run.granted)
    for (const std::string& name : run.granted->secrets)
      if (const char* value = ::getenv(name.c_str())) command.environment.push_back({name, value});
  if (options.timeout_s > 0)
    command.time =
        std::chrono::duration_cast<Duration>(std::chrono::duration<double>(options.timeout_s));
  LiveOutput live;
  if (!options.json)
    command.on_output = [&](sandbox::OutputStream stream, std::string_view bytes) {
      live.write(stream, bytes);
    };
  const sandbox::Outcome outcome = co_await run_in(**launcher, std::move(command));
  if (run.transaction) CO_TRY_VOID(run.transaction->end(names));
  co_return answer(outcome, options, run.granted, run.transaction, run.terminal);
}

// Ctrl-C once ends the command and waits for its tree; the outcome is then "interrupted".
Result<ExitCode> run_with_signals(asio::io_context& io, Run& run) {
  auto result = run_interruptible(io, run_one(run));
  if (result) return *std::move(result);
  if (run.transaction) run.terminal.note("the transaction is kept: fathom sandbox list");
  return ExitCode::interrupted;
}

}  // namespace

Result<ExitCode> sandbox_run(const SandboxOptions& options, const GetEnv& env, Terminal& terminal) {
  const auto zygote = TRY(sandbox::ZygoteProcess::start());  // before there are threads
  Prepared prepared = TRY(prepare(options, env));
  if (const auto refused = refused_by_policy(prepared.launcher.policy, options,
                                             prepared.launcher.workspace.root, terminal))
    return *refused;
  Granted granted;
  if (!options.grants.empty()) {
    const auto context = TRY(policies::load_context(prepared.launcher.workspace.root, env));
    auto asked = TRY(ask_for_grants(options, prepared.launcher.policy, context, terminal));
    if (!asked.approved) return asked.exit;
    granted = std::move(asked.approved);
    prepared.launcher.policy = granted->widened;
  }
  SystemClock clock;
  asio::io_context io{1};
  Run run{options, terminal, *zygote, clock, std::move(prepared), {}, std::move(granted)};
  TRY(begin_transaction(run));
  return run_with_signals(io, run);
}

Result<ExitCode> sandbox_shell(const SandboxOptions& options, const GetEnv& env,
                               Terminal& terminal) {
  if (::isatty(STDIN_FILENO) != 1 || ::isatty(STDOUT_FILENO) != 1)
    return fail(ErrorCode::usage,
                "sandbox shell: needs a terminal; 'fathom sandbox run -- CMD' does not");
  const auto zygote = TRY(sandbox::ZygoteProcess::start());
  SandboxOptions shell = options;
  shell.command = {::access("/bin/bash", X_OK) == 0 ? "/bin/bash" : "/bin/sh", "-i"};
  Prepared prepared = TRY(prepare(shell, env));
  prepared.launcher.policy.limits.time = std::chrono::hours(24);  // a person ends it
  for (const char* name : {"TERM", "LANG", "COLORTERM"})
    prepared.launcher.policy.env.pass.emplace_back(name);
  SystemClock clock;
  asio::io_context io{1};
  TerminalBridge bridge(io.get_executor());
  Run run{shell,
          terminal,
          *zygote,
          clock,
          std::move(prepared),
          [&](UniqueFd master) { bridge.start(std::move(master)); },
          {}};
  TRY(begin_transaction(run));
  auto result = run_with_signals(io, run);
  bridge.stop();
  return result;
}

}  // namespace fathom::agents
