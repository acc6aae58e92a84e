#include "agents/cli/run_command.hpp"

#include "agents/cli/approvals.hpp"
#include "agents/cli/line_reader.hpp"
#include "agents/cli/run_output.hpp"
#include "agents/cli/transaction_command.hpp"
#include "agents/document/agent_files.hpp"
#include "agents/document/effective_config.hpp"
#include "agents/document/key_sources.hpp"
#include "agents/runtime.hpp"
#include "agents/session_attempts.hpp"
#include "runtime/async/task_group.hpp"
#include "runtime/base/file.hpp"
#include "runtime/base/text.hpp"
#include "sandbox/host.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>
#include <csignal>
#include <exception>
#include <memory>
#include <type_traits>
#include <utility>

namespace fathom::agents {
namespace {

// A run to go on with, as its journal has it.
struct Resumed {
  RunId run;
  RunStart start;
  bool is_fresh_fork = false;
};

// One `fathom run` while it goes on.
struct Run {
  Runtime& runtime;
  SessionOptions wanted;
  std::string task;
  std::optional<Resumed> resume;
  std::optional<CommandTransaction> transaction;
  RunOutput output;
  LineReader lines;
  Approvals approvals;
  std::unique_ptr<Session> session;
  bool is_refused = false;  ///< the agent's own check did not accept what was done
  bool has_engine = true;   ///< false once one could not be opened
};

std::string blank_trimmed(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  return text;
}

// The bundled model can be no other agent than its own.
std::string agent_for(const EffectiveConfig& config) {
  if (config.agent.origin.kind != ConfigOrigin::Kind::built_in) return config.agent.text;
  const auto engine = resolve_engine(config.engine.text, config);
  return engine && engine->kind == engine::EngineSpec::Kind::demo ? "demo" : config.agent.text;
}

Result<SessionOptions> new_session(const RunOptions& options, const EffectiveConfig& config,
                                   const GetEnv& env) {
  const FoundAgent found = TRY(find_agent(agent_for(config), options.repository, env));
  const RunSettings settings = TRY(settle(config, found));
  SessionOptions session;
  session.agent = found.agent;
  session.agent.budget = settings.budget;
  session.document = found.text;
  session.engine = settings.engine.to_string();
  session.tools.repository = options.repository;
  session.tools.policy = settings.policy.text;
  session.tools.mcp = options.mcp;
  if (options.mode == "transaction") session.tools.mode = sandbox::Mode::transaction;
  return session;
}

// Whoever reads the output may leave: the run goes on, its journal has the answer, and the lost
// output is an error when the process ends, which therefore never hears of the signal again.
void ignore_broken_pipes() {
  struct sigaction ignored{};
  ignored.sa_handler = SIG_IGN;
  ::sigaction(SIGPIPE, &ignored, nullptr);
}

// The first interruption ends the turn cleanly, the second everything.
class Interrupts {
 public:
  Interrupts(Run& run, asio::cancellation_signal& stop)
      : signals_(run.runtime.io(), SIGINT, SIGTERM), run_(run), stop_(stop) {
    wait();
  }
  void end() { signals_.cancel(); }
  [[nodiscard]] int count() const { return count_; }

 private:
  void wait() {
    signals_.async_wait([this](boost::system::error_code ec, int signal) {
      if (ec) return;
      ++count_;
      if (count_ == 1 && signal == SIGINT && run_.session) {
        run_.output.note("interrupting; Ctrl-C again stops at once");
        run_.session->control().interrupt();
      } else {
        stop_.emit(asio::cancellation_type::terminal);
      }
      wait();
    });
  }

  asio::signal_set signals_;
  Run& run_;
  asio::cancellation_signal& stop_;
  int count_ = 0;
};

// Lines that a person types answer what is asked, and steer the agent otherwise.
asio::awaitable<void> hear(Run& run) {
  for (;;) {
    auto reading = run.lines.next();
    std::optional<std::string> line = co_await std::move(reading);
    if (!line) co_return;
    if (run.approvals.answer(*line) || line->empty()) continue;
    const bool is_taken = run.session->control().steer({"", std::move(*line), {}});
    run.output.note(is_taken ? "the agent hears this with its next step"
                             : "not taken: too long, or too much is waiting already");
  }
}

// What is said to something that is under way, which hears it at its next boundary.
Result<> say_meanwhile(Run& run) {
  if (run.task.empty() || run.session->control().steer({"", run.task, {}})) return {};
  return fail(ErrorCode::too_large, "the message is too long to be heard inside a turn: at most " +
                                        format_bytes(Control::kSteerBytesMax));
}

asio::awaitable<Result<AttemptsReport>> finish_attempts(Run& run) {
  CO_TRY_VOID(say_meanwhile(run));
  auto finishing = resume_attempts(*run.session);
  CO_TRY(AttemptsReport report, co_await std::move(finishing));
  // Nobody was left to hear it: only the verdict of the last attempt was missing.
  if (!report.verdict || !run.session->control().has_steers()) co_return std::move(report);
  (void)run.session->control().take_steers();
  auto trying = run_attempts(*run.session, run.task);
  co_return co_await std::move(trying);
}

// An agent with a check of its own: a turn for each attempt, and only the check says what it was
// worth.
asio::awaitable<Result<TurnReport>> take_attempts(Run& run) {
  // Those whose task was never begun, and is not known any more, begin with what is said now.
  const auto& left = run.session->state().attempts();
  const bool goes_on = left && left->open && !left->task.empty();
  auto trying = goes_on ? finish_attempts(run) : run_attempts(*run.session, run.task);
  CO_TRY(AttemptsReport report, co_await std::move(trying));
  run.is_refused = report.verdict == AttemptVerdict::refused;
  if (!report.why.empty()) {
    report.turn.why = report.why;
    run.output.note(report.why);
  }
  co_return std::move(report.turn);
}

// A new turn, or the one that was left, which then hears the message as well.
asio::awaitable<Result<TurnReport>> take_turn(Run& run) {
  if (run.session->agent().accept) {
    auto trying = take_attempts(run);
    co_return co_await std::move(trying);
  }
  if (!run.session->is_turn_open()) {
    auto running = run.session->run_turn(run.task);
    co_return co_await std::move(running);
  }
  CO_TRY_VOID(say_meanwhile(run));
  auto going = run.session->go_on();
  co_return co_await std::move(going);
}

// Whatever is wrong with an engine, there is none: a missing key, a folder, a server.
Session::Surroundings surroundings_of(Run& run) {
  Session::Surroundings around = run.runtime.surroundings();
  around.open_engine = [&run, open = std::move(around.open_engine)](
                           std::string_view spec) -> asio::awaitable<Result<engine::Engine*>> {
    auto opening = open(spec);
    Result<engine::Engine*> engine = co_await std::move(opening);
    if (!engine && engine.error().code != ErrorCode::usage) run.has_engine = false;
    co_return engine;
  };
  return around;
}

asio::awaitable<Result<>> open_session(Run& run) {
  if (run.resume) {
    auto opening = Session::resume(surroundings_of(run), run.resume->run, std::move(run.wanted));
    CO_TRY(run.session, co_await std::move(opening));
  } else {
    auto opening = Session::start(surroundings_of(run), std::move(run.wanted));
    CO_TRY(run.session, co_await std::move(opening));
  }
  for (const std::string& note : run.session->notes()) run.output.note(note);
  co_return run.output.begin(*run.session);
}

// How a turn went, when it was not thrown out of.
struct Turned {
  std::optional<Result<TurnReport>> report;
  std::exception_ptr unwinding;
  std::exception_ptr bug;  ///< what nobody foresaw: said when nothing of the run is left

  [[nodiscard]] ExitCode exit(bool is_refused) const {
    if (unwinding) return ExitCode::interrupted;
    if (is_refused) return ExitCode::no_fix;
    return *report ? exit_code_of((*report)->end) : ExitCode::io;
  }
};

asio::awaitable<Result<ExitCode>> close_session(Run& run, const Turned& turned) {
  auto closing = run.session->close(static_cast<int>(turned.exit(run.is_refused)));
  const Result<> closed = co_await std::move(closing);
  if (run.transaction) {
    const Result<> ended =
        run.transaction->end(run.session->toolbox().policy().filesystem.protected_names);
    if (!ended) run.output.note(ended.error().message);
  }
  if (turned.report && !*turned.report) co_return fail(turned.report->error());
  if (!closed) co_return fail(closed.error());
  co_return turned.exit(run.is_refused);
}

asio::awaitable<Result<ExitCode>> run_session(Run& run) {
  auto opening = open_session(run);
  const Result<> opened = co_await std::move(opening);
  if (!opened && !run.session) co_return fail(opened.error());
  TaskGroup showing(co_await asio::this_coro::executor);
  TaskGroup around(co_await asio::this_coro::executor);
  if (opened) showing.spawn(run.output.follow());
  around.spawn(run.output.tick());
  around.spawn(hear(run));
  Turned turned;
  if (!opened) turned.report = fail(opened.error());
  try {
    if (opened) {
      auto turning = take_turn(run);
      turned.report = co_await std::move(turning);
    }
  } catch (const boost::system::system_error&) {
    turned.unwinding = std::current_exception();
  } catch (const std::exception&) {
    turned.unwinding = turned.bug = std::current_exception();
  }
  // Whatever happened, nothing of the run stays behind.
  co_await asio::this_coro::throw_if_cancelled(false);
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  auto closing = close_session(run, turned);
  const Result<ExitCode> exit = co_await std::move(closing);
  around.cancel();
  co_await around.join();
  run.output.finish();
  co_await showing.join();
  const bool has_report = turned.report && *turned.report;
  if (turned.bug) std::rethrow_exception(turned.bug);
  co_await run.output.end(*run.session, has_report ? &**turned.report : nullptr,
                          run.transaction ? &*run.transaction : nullptr);
  co_return exit;
}

// Whether a session can go on without a message.
bool is_left_open(const SessionState& state) {
  const auto& attempts = state.attempts();
  return state.is_turn_open() || (attempts && attempts->open && !attempts->task.empty());
}

Result<std::optional<Resumed>> find_resumed(const RunOptions& options, const std::string& task,
                                            const GetEnv& env) {
  if (!options.resume) return std::optional<Resumed>();
  auto folder = TRY(state_dir(env));
  const RunStore runs = TRY(RunStore::open(std::move(folder)));
  const RunId run = TRY(runs.find(*options.resume));
  const trace::BlobStore blobs = TRY(trace::BlobStore::open(runs.blobs()));
  const SessionState state = TRY(read_session(runs.journal(run), blobs));
  if (task.empty() && !is_left_open(state))
    return fail(ErrorCode::usage, "run " + run.to_string() +
                                      " is not in the middle of anything: say what it is to do "
                                      "next, such as fathom session resume " +
                                      run.to_string() + " 'now the docs'");
  // Without a start the session refuses, and says why.
  return std::optional(Resumed{run, state.start().value_or(RunStart()), state.is_fresh_fork()});
}

}  // namespace

ExitCode exit_code_of(TurnEnd end) {
  switch (end) {
    case TurnEnd::answered:
      return ExitCode::ok;
    case TurnEnd::step_limit:
    case TurnEnd::loop:
    case TurnEnd::rejected:
      return ExitCode::no_fix;
    case TurnEnd::engine_error:
    case TurnEnd::sandbox_missing:
      return ExitCode::infrastructure;
    case TurnEnd::suspended:
      return ExitCode::denied;
    case TurnEnd::budget:
      return ExitCode::budget;
    case TurnEnd::cancelled:
      return ExitCode::interrupted;
  }
  return ExitCode::bug;
}

Result<std::string> read_task(const RunOptions& options) {
  if (!options.task.empty() && !options.task_file.empty())
    return fail(ErrorCode::usage, "TASK and --file: give one of them");
  std::string task = options.task;
  if (options.task == "-")
    task = TRY(read_file("/dev/stdin", kTaskBytesMax));
  else if (!options.task_file.empty())
    task = TRY(read_file(options.task_file, kTaskBytesMax));
  task = blank_trimmed(std::move(task));
  if (task.empty() && !options.resume)
    return fail(ErrorCode::usage,
                "no task: say what is to be done, such as fathom run 'make the tests pass'");
  return to_valid_utf8(task);
}

namespace {

// What is asked for a run that goes on is bounded as it is for a new one.
void cap(Budget& budget, const BudgetCaps& caps) {
  const auto bound = [](auto& wanted, const auto& limit) {
    if (wanted && limit)
      wanted = std::min<std::remove_cvref_t<decltype(*wanted)>>(*wanted, limit->value);
  };
  bound(budget.steps, caps.steps);
  bound(budget.tokens, caps.tokens);
  bound(budget.usd, caps.usd);
  bound(budget.wall, caps.wall);
  bound(budget.tool_cpu, caps.tool_cpu);
}

Result<SessionOptions> session_for(const RunOptions& options, const EffectiveConfig& config,
                                   const GetEnv& env) {
  SessionOptions session;
  if (options.resume)
    session.engine = options.engine;
  else
    session = TRY(new_session(options, config, env));
  session.budget = TRY(parse_budget(options.budget));
  if (options.resume) cap(session.budget, config.user.budget);
  const auto& bodies = config.user.trace_bodies;
  session.keeps_bodies = options.trace_bodies || (bodies && bodies->value);
  if (options.yes) session.tools.start_mcp_if = policies::Verdict::ask;
  return session;
}

// A run that is resumed goes on in its own transaction, or in a new one when that was committed or
// discarded since. A fork begins one: two runs in one would overwrite each other's edits.
Result<> begin_transaction(Run& run, const GetEnv& env) {
  ToolboxOptions& tools = run.wanted.tools;
  const auto state = TRY(state_dir(env));
  std::string id;
  if (run.resume) {
    tools.repository = run.resume->start.workspace;
    tools.mode = run.resume->start.mode;
    id = run.resume->start.transaction;
  }
  if (tools.mode != sandbox::Mode::transaction) return {};
  if (run.resume && run.resume->is_fresh_fork)
    run.output.note(
        "a fork has a transaction of its own: it begins with the workspace, without the "
        "edits of the run it came from");
  const auto host = sandbox::look_at_host(env);
  const auto workspace = TRY(sandbox::open_workspace(tools.repository.string(), host));
  auto opened = CommandTransaction::start(state, workspace, id);
  if (!opened && opened.error().code == ErrorCode::not_found && !id.empty()) {
    run.output.note("transaction " + id + " is no longer there: a new one begins");
    opened = CommandTransaction::start(state, workspace, "");
  }
  run.transaction.emplace(TRY(std::move(opened)));
  tools.transaction = run.transaction->folder();
  return {};
}

// What is missing around the run, not wrong with what was asked for.
bool is_missing(ErrorCode code) {
  return code == ErrorCode::unsupported || code == ErrorCode::network || code == ErrorCode::tls ||
         code == ErrorCode::timeout;
}

}  // namespace

Result<ExitCode> run_agent(const RunOptions& options, const GetEnv& env, Terminal& terminal) {
  std::string task = TRY(read_task(options));
  const EffectiveConfig config =
      TRY(load_effective_config({options.engine, options.agent, options.policy}, env));
  RuntimeOptions standing;
  standing.env = env;
  standing.resolve_engine = [&config](std::string_view name) -> Result<std::string> {
    return TRY(resolve_engine(name, config)).to_string();
  };
  standing.keys = [&](const engine::EngineSpec& spec) {
    return key_sources(spec, config.user, env);
  };
  const auto runtime = TRY(Runtime::start(std::move(standing)));  // before there are threads
  ignore_broken_pipes();
  const auto executor = runtime->io().get_executor();
  std::optional<Resumed> resumed = TRY(find_resumed(options, task, env));
  Run run{*runtime,
          TRY(session_for(options, config, env)),
          std::move(task),
          std::move(resumed),
          {},
          RunOutput(executor, runtime->clock(), terminal, env, {options.json, options.verbose}),
          LineReader(executor),
          Approvals(executor),
          nullptr};
  if (options.ask && !run.lines.is_person())
    return fail(ErrorCode::usage,
                "--ask: standard input is no terminal (--yes approves everything)");
  const auto who = options.yes             ? Approvals::Who::everything
                   : run.lines.is_person() ? Approvals::Who::person
                                           : Approvals::Who::later;
  run.wanted.tools.approve = run.approvals.approver(
      who,
      [&run](const ToolCall& call, const policies::Decision& why) { run.output.ask(call, why); });
  TRY(begin_transaction(run, env));
  asio::cancellation_signal stop;
  Interrupts interrupts(run, stop);
  std::optional<Result<ExitCode>> result;
  asio::co_spawn(runtime->io(), run_session(run),
                 asio::bind_cancellation_slot(
                     stop.slot(), [&](std::exception_ptr error, Result<ExitCode> ended) {
                       interrupts.end();
                       if (error && interrupts.count() == 0) std::rethrow_exception(error);
                       if (!error) result = std::move(ended);
                     }));
  runtime->io().run();
  run.session.reset();
  if (result && !*result && (!run.has_engine || is_missing(result->error().code))) {
    terminal.note(result->error().message);
    return ExitCode::infrastructure;
  }
  return result ? *std::move(result) : Result<ExitCode>(ExitCode::interrupted);
}

}  // namespace fathom::agents
