#include "agents/session.hpp"

#include "agents/document/instructions.hpp"
#include "agents/document/system_text.hpp"
#include "agents/session_budget.hpp"
#include "agents/sub_agents.hpp"
#include "runtime/base/ensure.hpp"
#include "runtime/base/text.hpp"

#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <exception>
#include <utility>

namespace fathom::agents {

using nlohmann::ordered_json;

namespace {

std::string dump(const ordered_json& value) {
  return value.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

trace::EventDraft budget_event(const Budget& budget) {
  trace::EventDraft draft;
  draft.type = "agent.budget";
  draft.data = encode(budget);
  return draft;
}

// Which of an agent's reasons to escalate a guard's name or an end stands for.
EscalateOn reason_of(std::string_view why) {
  if (why == "engine_error") return EscalateOn::engine_error;
  return why == "no_progress" ? EscalateOn::no_progress : EscalateOn::loop;
}

// Those of the runtime: servers' and embedders' have other owners.
std::vector<std::string> own_tools(const engine::SessionSetup& setup) {
  const std::vector<std::string_view> known = known_tools();
  std::vector<std::string> names;
  for (const engine::ToolDeclaration& tool : setup.tools)
    if (std::ranges::find(known, tool.name) != known.end()) names.push_back(tool.name);
  return names;
}

// The options of a run that goes on, as its journal has them.
Result<SessionOptions> as_recorded(SessionOptions options, const SessionState& state,
                                   const RunId& run) {
  const RunStart& start = *state.start();
  options.document = state.started()->document;
  options.agent = TRY(load_agent(options.document, "agent of run " + run.to_string()));
  options.agent.answer_schema = state.started()->setup.answer_schema;  // it may be in a file
  options.depth = state.depth();
  ToolboxOptions& tools = options.tools;
  if (start.mode == sandbox::Mode::transaction && tools.transaction.empty())
    return fail(ErrorCode::usage,
                "run " + run.to_string() + ": its edits are kept in a transaction: open one first");
  tools.repository = start.workspace;
  tools.policy = start.policy_asked;
  tools.narrowed_by = start.narrowed_by;
  tools.tools = own_tools(state.started()->setup);
  tools.mode = start.mode;
  tools.mcp = start.mcp;
  // The agent's own come from its document, as in a new run.
  for (const std::string& server : options.agent.mcp) {
    const auto found = std::ranges::find(tools.mcp, server);
    if (found != tools.mcp.end()) tools.mcp.erase(found);
  }
  return options;
}

std::vector<engine::ToolDeclaration> declarations(const tools::ToolSet& tools) {
  std::vector<engine::ToolDeclaration> declared;
  for (const tools::ToolSet::Entry& entry : tools.entries()) {
    const tools::ToolSpec& spec = entry.tool->spec();
    declared.push_back({spec.name, spec.description, spec.parameters});
  }
  return declared;
}

}  // namespace

Budget budget_of(const BudgetSettings& settings) {
  Budget budget;
  budget.steps = settings.steps;
  budget.tokens = settings.tokens;
  budget.usd = settings.usd;
  if (settings.wall) budget.wall = *settings.wall;
  if (settings.tool_cpu) budget.tool_cpu = *settings.tool_cpu;
  budget.wrap_up = settings.wrap_up;
  return budget;
}

Session::Session(Surroundings around, SessionOptions options)
    : around_(std::move(around)),
      options_(std::move(options)),
      control_(around_.machine.executor),
      live_output_(around_.machine.executor, around_.machine.clock) {}

Session::~Session() = default;

// Whatever fails on the way, nothing of the run stays behind.
template <class Begin>
asio::awaitable<Result<std::unique_ptr<Session>>> Session::opened(std::unique_ptr<Session> session,
                                                                  Begin begin) {
  std::exception_ptr unwinding;
  Result<> ready;
  try {
    auto beginning = begin(*session);
    ready = co_await std::move(beginning);
  } catch (const boost::system::system_error&) {
    unwinding = std::current_exception();
  }
  if (ready && !unwinding) co_return session;
  co_await asio::this_coro::throw_if_cancelled(false);
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  if (session->toolbox_) {
    const std::string why = unwinding ? "interrupted" : ready.error().message;
    auto closing = session->toolbox_->close(dump({{"failed", to_printable(why)}}));
    (void)co_await std::move(closing);
  }
  if (unwinding) std::rethrow_exception(unwinding);
  co_return fail(ready.error());
}

asio::awaitable<Result<std::unique_ptr<Session>>> Session::start(Surroundings around,
                                                                 SessionOptions options) {
  std::unique_ptr<Session> session(new Session(std::move(around), std::move(options)));
  auto opening = opened(std::move(session), [](Session& it) { return it.begin_new(); });
  co_return co_await std::move(opening);
}

asio::awaitable<Result<std::unique_ptr<Session>>> Session::resume(Surroundings around, RunId run,
                                                                  SessionOptions options) {
  CO_TRY(auto state_folder, state_dir(around.machine.env));
  CO_TRY(const RunStore runs, RunStore::open(std::move(state_folder)));
  CO_TRY(const trace::BlobStore blobs, trace::BlobStore::open(runs.blobs()));
  CO_TRY(SessionState state, read_session(runs.journal(run), blobs));
  if (!state.start())
    co_return fail(ErrorCode::bad_data, "run " + run.to_string() +
                                            ": its journal does not say where and how it worked: "
                                            "start a new one");
  CO_TRY(options, as_recorded(std::move(options), state, run));
  const bool keeps_engine = options.engine.empty();
  const std::optional<std::string> escalated = state.escalated_to();
  if (keeps_engine)
    options.engine = escalated && !escalated->empty() ? *escalated : state.started()->engine;
  std::unique_ptr<Session> session(new Session(std::move(around), std::move(options)));
  session->keeps_engine_ = keeps_engine;
  session->escalated_ = escalated.has_value();
  auto opening = opened(std::move(session), [&](Session& it) -> asio::awaitable<Result<>> {
    auto making = it.open_toolbox(run);
    CO_TRY_VOID(co_await std::move(making));
    auto beginning = it.begin_again(std::move(state));
    co_return co_await std::move(beginning);
  });
  co_return co_await std::move(opening);
}

// An answer that `fathom approve` left in the journal counts, also a no where all is approved now:
// nobody is asked twice about one call.
tools::Approver Session::recorded_or(tools::Approver ask) {
  return
      [this, ask = std::move(ask)](
          const ToolCall& call, const policies::Decision& why) -> asio::awaitable<tools::Approval> {
        for (const PendingCall& pending : log_->state().pending())
          if (pending.call.id == call.id && pending.approved)
            co_return *pending.approved ? tools::Approval::given : tools::Approval::refused;
        auto asking = ask(call, why);
        co_return co_await std::move(asking);
      };
}

asio::awaitable<Result<>> Session::open_toolbox(std::optional<RunId> run) {
  ToolboxOptions& wanted = options_.tools;
  wanted.resume = run;
  if (wanted.policy.empty()) wanted.policy = options_.agent.policy;
  if (wanted.tools.empty()) wanted.tools = options_.agent.tools;
  approve_ = wanted.approve;
  if (!options_.agent.agents.empty()) {
    CO_TRY(sub_agents_, SubAgents::create(*this));
    wanted.more.push_back(sub_agents_->make_tool());
  }
  wanted.mcp.insert(wanted.mcp.begin(), options_.agent.mcp.begin(), options_.agent.mcp.end());
  wanted.events = [this](trace::EventDraft draft) { return log_->write(std::move(draft)); };
  wanted.on_output = [this, also = std::move(wanted.on_output)](const std::string& call,
                                                                std::string_view bytes) {
    if (also) also(call, bytes);
    live_output_.add(call, bytes);
  };
  if (wanted.approve) wanted.approve = recorded_or(std::move(wanted.approve));
  auto opening = Toolbox::open(
      around_.machine, std::move(wanted));  // NOLINT(bugprone-use-after-move): not used again
  CO_TRY(toolbox_, co_await std::move(opening));
  for (const std::string& note : toolbox_->notes()) notes_.push_back(note);
  co_return Result<>{};
}

void Session::make_log(SessionState state) {
  log_.emplace(
      [this](trace::EventDraft draft) -> Result<trace::Position> {
        if (!options_.on_event) return toolbox_->journal().append(std::move(draft));
        const trace::Position at = TRY(toolbox_->journal().append(draft));
        options_.on_event(draft);
        return at;
      },
      toolbox_->blobs(), around_.machine.offload, std::move(state));
}

asio::awaitable<Result<engine::SessionSetup>> Session::make_setup() {
  auto reading = offload(around_.machine.offload,
                         [this] { return read_instructions(options_.agent, toolbox_->policy()); });
  CO_TRY(const Instructions instructions, co_await std::move(reading));
  for (const std::string& note : instructions.notes) notes_.push_back(note);
  engine::SessionSetup setup;
  setup.system = system_text(options_.agent, instructions, environment_of(toolbox_->workspace()));
  setup.tools = declarations(toolbox_->tools());
  setup.sampling = options_.agent.sampling;
  setup.answer_schema = options_.agent.answer_schema;
  setup.cache_key = toolbox_->run().to_string();
  setup.tools_in_prompt = options_.agent.tools_in_prompt;
  co_return setup;
}

asio::awaitable<Result<>> Session::open_engine(engine::SessionSetup setup) {
  const std::string& spec = options_.engine.empty() ? options_.agent.engine : options_.engine;
  auto opening = around_.open_engine(spec);
  CO_TRY(engine::Engine * engine, co_await std::move(opening));
  for (const std::string& warning : engine->info().warnings) notes_.push_back(warning);
  CO_TRY(auto session, engine->open(std::move(setup)));
  make_model(*engine, std::move(session));
  co_return Result<>{};
}

void Session::make_model(const engine::Engine& engine, std::unique_ptr<engine::Session> session) {
  model_.emplace(
      ModelCaller::Services{around_.machine.clock, *log_, toolbox_->run().value.unix_ms(),
                            RetryRules{}, options_.keeps_bodies},
      engine, std::move(session));
}

Result<> Session::make_answer_check() {
  if (options_.agent.answer_schema.empty()) return {};
  auto schema = tools::JsonSchema::compile(options_.agent.answer_schema);
  if (!schema) return fail(context("output.schema", schema.error()));
  answer_schema_ = *std::move(schema);
  return {};
}

asio::awaitable<Result<>> Session::begin_new() {
  CO_TRY_VOID(make_answer_check());
  auto making = open_toolbox(std::nullopt);
  CO_TRY_VOID(co_await std::move(making));
  make_log({});
  std::optional<SessionFork> fork = std::exchange(options_.fork, std::nullopt);
  engine::SessionSetup setup;
  if (fork) {
    setup = fork->setup;
    CO_TRY_VOID(check_tools(setup));
    make_model(*fork->engine, std::move(fork->session));
  } else {
    auto setting = make_setup();
    CO_TRY(setup, co_await std::move(setting));
    auto opening = open_engine(setup);
    CO_TRY_VOID(co_await std::move(opening));
  }
  engine::AgentStarted started;
  started.agent = options_.agent.name;
  started.engine = model_->info().name;
  started.model = model_->info().model;
  started.document = options_.document;
  started.setup = std::move(setup);
  auto writing = log_->add(std::move(started));
  CO_TRY_VOID(co_await std::move(writing));
  auto noting = note_origin(std::move(fork));
  CO_TRY_VOID(co_await std::move(noting));
  const Budget budget = budget_of(options_.agent.budget).narrowed_by(options_.budget);
  CO_TRY_VOID(log_->write(budget_event(budget)));
  ledger_.emplace(budget, around_.machine.clock.now());
  co_return Result<>{};
}

// A fork's journal needs no other to be read: it begins with the transcript that it goes on from.
asio::awaitable<Result<>> Session::note_origin(std::optional<SessionFork> fork) {
  if (options_.parent)
    CO_TRY_VOID(log_->note("agent.child", dump({{"parent", options_.parent->to_string()},
                                                {"depth", options_.depth},
                                                {"fork", fork.has_value()}})));
  if (!fork) co_return Result<>{};
  auto writing = log_->add(engine::Compacted{std::move(fork->transcript)});
  CO_TRY_VOID(co_await std::move(writing));
  co_return Result<>{};
}

asio::awaitable<Result<>> Session::begin_again(SessionState state) {
  CO_TRY_VOID(make_answer_check());
  engine::SessionSetup setup = state.started()->setup;
  setup.goes_on = keeps_engine_;
  const Spent spent = state.spent();
  const Instant began = around_.machine.clock.now() - state.worked();
  const Budget own = budget_of(options_.agent.budget);
  const std::optional<Budget> was = state.budget();
  const Budget budget = renewed(was.value_or(own), options_.budget, own);
  make_log(std::move(state));
  CO_TRY_VOID(check_tools(setup));
  auto opening = open_engine(std::move(setup));
  CO_TRY_VOID(co_await std::move(opening));
  if (budget != was) CO_TRY_VOID(log_->write(budget_event(budget)));
  ledger_.emplace(budget, began, spent);
  co_return Result<>{};
}

// The model keeps believing what it was told at the start: a tool that is another one now is only
// reported.
Result<> Session::check_tools(const engine::SessionSetup& setup) {
  const std::vector<engine::ToolDeclaration> now = declarations(toolbox_->tools());
  for (const engine::ToolDeclaration& then : setup.tools)
    if (std::ranges::find(now, then) == now.end())
      notes_.push_back("the tool '" + then.name + "' has changed since the session began");
  return {};
}

// Of the run's, for a turn that counts those it has taken itself already.
std::uint64_t Session::steps_left() const {
  const SessionState& state = log_->state();
  const std::uint64_t own = is_turn_open() ? state.record().turn_steps : 0;
  const std::uint64_t all = *ledger_->budget().steps + own;
  return all - std::min(all, state.spent().steps);
}

namespace {

// An edit that changes nothing.
bool is_idle(const ToolCall& call) {
  const auto arguments = tools::Arguments::parse(call.arguments);
  if (call.name != "str_replace_editor" || !arguments) return false;
  const auto old_text = arguments->text("old_str");
  return old_text && old_text == arguments->text("new_str");
}

}  // namespace

TurnDriver Session::make_driver() {
  TurnLimits limits;
  if (ledger_->budget().steps) limits.rules.steps_max = steps_left();
  limits.compact_at = options_.agent.context.compact_at;
  limits.context_tokens = options_.agent.context.window_tokens.value_or(0);
  limits.seed = seed_;
  limits.temperature = temperature_;
  TurnDriver::Services services{around_.machine.clock,
                                *log_,
                                *model_,
                                toolbox_->dispatcher(),
                                *ledger_,
                                guard_,
                                control_,
                                {},
                                {},
                                {},
                                {},
                                {},
                                {},
                                {},
                                check_edit_,
                                {},
                                &live_output_};
  // A small model does not learn from words what it did wrong.
  if (options_.agent.guided_calls) {
    limits.rules.repairs_max = 0;
    services.is_idle = is_idle;
    services.guide = [this](engine::RequestLimits& wanted) { return guide(wanted); };
  }
  services.workspace = [this] { return toolbox_->workspace_key(); };
  services.sandbox_missing = [this] {
    return toolbox_->refusal() ? toolbox_->refusal()->message : std::string();
  };
  services.charge_tools = [this] { return charge_tools(); };
  services.compact = [this]() -> asio::awaitable<Result<bool>> {
    Compactor compactor({*log_, *model_, *ledger_,
                         [this] {
                           LiveFacts around;
                           const std::string jobs = toolbox_->jobs_text();
                           for (std::size_t at = 0; at < jobs.size();) {
                             const std::size_t end = std::min(jobs.find('\n', at), jobs.size());
                             if (end > at) around.jobs.push_back(jobs.substr(at, end - at));
                             at = end + 1;
                           }
                           return around;
                         },
                         [this](std::string_view blob) { return toolbox_->whole_at(blob); }});
    auto running = compactor.run();
    co_return co_await std::move(running);
  };
  if (options_.agent.escalate)
    services.escalate = [this](std::string_view why) { return escalate(why); };
  if (answer_schema_)
    services.find_fault = [this](std::string_view answer) -> std::optional<std::string> {
      const auto value = tools::parse_strict_json(answer);
      if (!value) return "Answer with one JSON value and nothing else: " + value.error().message;
      const Result<> fits = answer_schema_->check(*value);
      if (fits) return std::nullopt;
      return fits.error().message;
    };
  return {std::move(services), limits};
}

// A model that is held to calls that can work also has to make one until the tests pass.
asio::awaitable<Result<>> Session::guide(engine::RequestLimits& limits) {
  if (toolbox_->tools().find("run_tests") != nullptr)
    limits.must_call = !state().record().tests_pass.value_or(false);
  auto looking = offload(around_.machine.offload, [this] { return toolbox_->forms(); });
  limits.forms = co_await std::move(looking);
  co_return Result<>{};
}

asio::awaitable<Result<TurnReport>> Session::run_turn(std::string text, std::string key) {
  engine::UserSaid said;
  said.text = to_valid_utf8(text);
  said.key = std::move(key);
  return run_turn(std::move(said));
}

asio::awaitable<Result<TurnReport>> Session::repeat_turn(std::string text) {
  engine::UserSaid said;
  said.text = to_valid_utf8(text);
  said.repeated = true;
  return run_turn(std::move(said));
}

asio::awaitable<Result<TurnReport>> Session::run_turn(engine::UserSaid said) {
  if (is_turn_open())
    co_return fail(ErrorCode::usage,
                   "run " + run().to_string() + " is in the middle of a turn: resume it first");
  said.turn = log_->state().turns() + 1;
  guard_ = {};
  TurnDriver driver = make_driver();
  auto running = driver.run(std::move(said));
  Result<TurnReport> report = co_await std::move(running);
  auto ending = ended(std::move(report));
  co_return co_await std::move(ending);
}

asio::awaitable<Result<TurnReport>> Session::go_on() {
  if (!is_turn_open())
    co_return fail(ErrorCode::usage,
                   "run " + run().to_string() + " has no open turn: give it a task");
  TurnDriver driver = make_driver();
  auto running = driver.resume();
  Result<TurnReport> report = co_await std::move(running);
  auto ending = ended(std::move(report));
  co_return co_await std::move(ending);
}

asio::awaitable<Result<TurnReport>> Session::ended(Result<TurnReport> report) {
  if (!report || report->end == TurnEnd::suspended) co_return report;
  engine::TurnEnded end;
  end.turn = log_->state().turns();
  end.reason = name_of(report->end);
  end.steps = report->steps;
  end.usage = log_->state().spent().usage;
  if (model_->info().price) end.cost_usd = log_->state().spent().usd;
  auto writing = log_->add(std::move(end));
  CO_TRY_VOID(co_await std::move(writing));
  co_return report;
}

Result<> Session::charge_tools() {
  const auto used = std::chrono::duration_cast<std::chrono::milliseconds>(toolbox_->cpu_used());
  const auto more = used - std::exchange(tool_cpu_, used);
  if (more.count() <= 0) return {};
  ledger_->add_tool_cpu(more);
  trace::EventDraft draft;
  draft.type = "agent.tool_cpu";
  draft.data = dump({{"ms", more.count()}});
  TRY(log_->write(std::move(draft)));
  return {};
}

// Once: a model that rescues and fails has no one above it.
asio::awaitable<Result<bool>> Session::escalate(std::string_view why) {
  const Escalation& rule = *options_.agent.escalate;
  if (escalated_ || std::ranges::find(rule.on, reason_of(why)) == rule.on.end()) co_return false;
  escalated_ = true;
  auto opening = around_.open_engine(rule.to);
  const Result<engine::Engine*> engine = co_await std::move(opening);
  if (!engine) {
    CO_TRY_VOID(
        log_->note("agent.escalated",
                   dump({{"to", rule.to}, {"why", why}, {"failed", engine.error().message}})));
    co_return false;
  }
  CO_TRY(auto session, (*engine)->open(log_->state().started()->setup));
  model_->replace(**engine, std::move(session));
  CO_TRY_VOID(log_->note("agent.escalated", dump({{"to", (*engine)->info().name}, {"why", why}})));
  co_return true;
}

asio::awaitable<Result<>> Session::close(int exit_code) {
  auto closing = toolbox_->close(dump({{"exit_code", exit_code}}));
  co_return co_await std::move(closing);
}

}  // namespace fathom::agents
