#include "agents/turn_driver.hpp"

#include "agents/interruption.hpp"
#include "agents/partial_answer.hpp"
#include "agents/turn_words.hpp"
#include "runtime/base/ensure.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <functional>
#include <utility>

namespace fathom::agents {

using nlohmann::ordered_json;

namespace {

std::string dump(const ordered_json& value) {
  return value.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

std::string_view name_of(engine::SampleDelta::Kind kind) {
  using Kind = engine::SampleDelta::Kind;
  switch (kind) {
    case Kind::reasoning:
      return "reasoning";
    case Kind::content:
      return "text";
    case Kind::call_started:
      return "call_started";
    case Kind::call_arguments:
      return "call_arguments";
    case Kind::call_finished:
      return "call_finished";
  }
  return "";
}

std::string key_of(std::string_view text) {
  return std::to_string(std::hash<std::string_view>{}(text));
}

}  // namespace

asio::awaitable<Result<TurnReport>> TurnDriver::run(engine::UserSaid message) {
  auto writing = services_.log.add(std::move(message));
  CO_TRY_VOID(co_await std::move(writing));
  auto looking = boundary();
  CO_TRY(const Boundary at, co_await std::move(looking));
  auto driving = drive(event::Started{at});
  co_return co_await std::move(driving);
}

asio::awaitable<Result<TurnReport>> TurnDriver::resume() {
  turn_ = Turn(limits_.rules, services_.log.state().record().turn_steps);
  auto picking_up = pick_up();
  CO_TRY(TurnEvent first, co_await std::move(picking_up));
  auto driving = drive(first);
  co_return co_await std::move(driving);
}

// What the turn was at when the log ended.
asio::awaitable<Result<TurnEvent>> TurnDriver::pick_up() {
  const SessionState& state = services_.log.state();
  const bool was_stopped = state.record().last_answer == engine::AnswerEnd::interrupted;
  if (!state.pending().empty() && !was_stopped) {
    // What may have run is not run again; the model is told, and looks.
    for (const PendingCall& pending : std::vector(state.pending())) {
      if (pending.result || !pending.started) continue;
      auto writing = services_.log.add(engine::CallFinished{
          {pending.call.id, ToolStatus::cancelled, std::string(kMaybeRun), ""}});
      CO_TRY_VOID(co_await std::move(writing));
    }
    auto running = run_tools();
    CO_TRY(const TurnEvent ended, co_await std::move(running));
    co_return TurnEvent(event::Started{std::get<event::CallsEnded>(ended).at});
  }
  // The calls of an answer that was stopped never get a chance to run.
  auto settling = settle(kNotRun);
  CO_TRY_VOID(co_await std::move(settling));
  const auto& messages = state.transcript().messages;
  if (!messages.empty() && messages.back().role == Role::assistant) {
    auto going_on = go_on_behind(messages.back());
    co_return co_await std::move(going_on);
  }
  auto looking = boundary();
  CO_TRY(const Boundary at, co_await std::move(looking));
  co_return TurnEvent(event::Started{at});
}

// The answer is in the log, but not what was made of it.
asio::awaitable<Result<TurnEvent>> TurnDriver::go_on_behind(Message answer) {
  const engine::AnswerEnd end =
      services_.log.state().record().last_answer.value_or(engine::AnswerEnd::stop);
  if (end != engine::AnswerEnd::interrupted) {
    const bool was_cut = end == engine::AnswerEnd::length;
    auto judging =
        judge(answer, was_cut ? engine::FinishReason::length : engine::FinishReason::stop);
    co_return co_await std::move(judging);
  }
  // Models answer users, not themselves.
  auto writing = services_.log.add(note_of("resumed", std::string(kGoOn)));
  CO_TRY_VOID(co_await std::move(writing));
  auto looking = boundary();
  CO_TRY(const Boundary at, co_await std::move(looking));
  co_return TurnEvent(event::Started{at});
}

asio::awaitable<Result<TurnReport>> TurnDriver::drive(TurnEvent first) {
  TurnAction action = turn_.on(first);
  for (;;) {
    if (const auto* finish = std::get_if<action::Finish>(&action)) {
      report_.end = finish->end;
      break;
    }
    auto performing = perform(action);
    CO_TRY(const std::optional<TurnEvent> happened, co_await std::move(performing));
    if (!happened) continue;
    action = turn_.on(*happened);
  }
  report_.steps = turn_.steps();
  report_.why = why(report_.end);
  services_.control.clear_interrupt();
  co_return std::move(report_);
}

asio::awaitable<Result<std::optional<TurnEvent>>> TurnDriver::perform(const TurnAction& action) {
  const auto lifted = [](Result<TurnEvent> happened) -> Result<std::optional<TurnEvent>> {
    if (!happened) return fail(happened.error());
    return *std::move(happened);
  };
  if (const auto* wanted = std::get_if<action::Sample>(&action)) {
    auto sampling = sample(wanted->may_call);
    co_return lifted(co_await std::move(sampling));
  }
  if (const auto* wanted = std::get_if<action::Remark>(&action)) {
    auto remarking = remark(wanted->note);
    CO_TRY_VOID(co_await std::move(remarking));
    auto sampling = sample(wanted->may_call);
    co_return lifted(co_await std::move(sampling));
  }
  if (std::holds_alternative<action::RunTools>(action)) {
    auto running = run_tools();
    co_return lifted(co_await std::move(running));
  }
  if (const auto* skip = std::get_if<action::SkipTools>(&action)) {
    auto skipping = skip_tools(skip->end);
    co_return lifted(co_await std::move(skipping));
  }
  ENSURE(std::holds_alternative<action::Compact>(action), "Finish is drive's to see");
  auto compacting = compact();
  co_return lifted(co_await std::move(compacting));
}

asio::awaitable<Result<TurnEvent>> TurnDriver::compact() {
  event::Compacted compacted;
  if (services_.compact) {
    std::optional<Result<bool>> is_smaller;
    const auto compacting = [&]() -> asio::awaitable<void> {
      auto making_shorter = services_.compact();
      is_smaller = co_await std::move(making_shorter);
    };
    auto running = until_interrupted(services_.control, compacting());
    co_await std::move(running);
    if (is_smaller && !*is_smaller) co_return fail(is_smaller->error());
    compacted.interrupted = !is_smaller;
    compacted.smaller = is_smaller && **is_smaller;
  }
  auto looking = boundary();
  CO_TRY(compacted.at, co_await std::move(looking));
  co_return TurnEvent(compacted);
}

asio::awaitable<Result<TurnEvent>> TurnDriver::sample(bool may_call) {
  services_.ledger.add_step();
  engine::RequestLimits limits;
  limits.may_call = may_call;
  limits.seed = limits_.seed;
  limits.temperature = limits_.temperature;
  if (services_.guide && may_call) {
    auto guiding = services_.guide(limits);
    CO_TRY_VOID(co_await std::move(guiding));
  }
  PartialAnswer partial;
  RepetitionWatch repetition;
  bool has_repeated = false;
  std::optional<Result<engine::SampleOutcome>> outcome;
  engine::SampleObserver observer;
  observer.on_delta = [&](const engine::SampleDelta& delta) {
    partial.add(delta);
    (void)services_.log.note(
        "model.delta",
        dump({{"kind", name_of(delta.kind)}, {"call", delta.call}, {"text", delta.text}}));
    if (!has_repeated && repetition.feed(delta.text)) {
      has_repeated = true;
      services_.control.wake();
    }
  };
  observer.on_prefill = [&](std::uint64_t done, std::uint64_t total) {
    (void)services_.log.note("prefill.progress", dump({{"done", done}, {"total", total}}));
  };
  const auto begin_again = [&] {
    (void)partial.take();
    repetition = {};
  };
  const auto asking = [&]() -> asio::awaitable<void> {
    auto sampling = services_.model.ask(limits, observer, begin_again);
    outcome = co_await std::move(sampling);
  };
  auto running = until_interrupted(services_.control, asking(), &has_repeated);
  co_await std::move(running);
  if (!outcome) {
    auto keeping = keep_partial(partial.take(), has_repeated);
    co_return co_await std::move(keeping);
  }
  if (!*outcome) co_return fail(outcome->error());
  auto ending = end_sample(**outcome);
  co_return co_await std::move(ending);
}

asio::awaitable<Result<TurnEvent>> TurnDriver::end_sample(const engine::SampleOutcome& outcome) {
  if (!outcome) {
    report_.fault = outcome.error();
    if (services_.escalate && outcome.error().kind != engine::FaultClass::overflow) {
      auto escalating = services_.escalate("engine_error");
      CO_TRY(const bool has_changed, co_await std::move(escalating));
      if (has_changed) {
        auto looking = boundary();
        CO_TRY(const Boundary at, co_await std::move(looking));
        co_return TurnEvent(event::Interrupted{at});
      }
    }
    co_return TurnEvent(event::Failed{outcome.error().kind});
  }
  report_.fault.reset();
  const engine::Sample& sample = outcome->sample;
  const engine::EngineInfo& info = services_.model.info();
  services_.ledger.add(outcome->usage, info.price ? info.price->of(outcome->usage) : 0);
  auto judging = judge(sample.message, sample.finish);
  co_return co_await std::move(judging);
}

asio::awaitable<Result<TurnEvent>> TurnDriver::judge(const Message& answer,
                                                     engine::FinishReason finish) {
  event::Answered answered;
  answered.finish = finish;
  answered.calls = answer.calls.size();
  answered.empty = answer.text.empty() && answered.calls == 0;
  if (answered.calls == 0) {
    report_.answer = answer.text;
    if (services_.find_fault) {
      const std::optional<std::string> fault = services_.find_fault(answer.text);
      answered.unfit = fault.has_value();
      unfit_ = fault.value_or("");
    }
    auto looking = boundary();
    CO_TRY(answered.at, co_await std::move(looking));
  } else {
    answered.at.cancelled = services_.control.is_interrupted();
    rejected_ = services_.is_idle && std::ranges::any_of(answer.calls, services_.is_idle);
    answered.at.rejected = rejected_;
  }
  co_return TurnEvent(answered);
}

// The finished part of a sample that was stopped stays: the user has seen it, and the model goes on
// from it.
asio::awaitable<Result<TurnEvent>> TurnDriver::keep_partial(Message partial, bool has_repeated) {
  if (!partial.text.empty() || !partial.reasoning.empty() || !partial.calls.empty()) {
    engine::ModelAnswered answered;
    answered.request = services_.log.state().requests();
    answered.message = std::move(partial);
    std::size_t number = 0;
    for (ToolCall& call : answered.message.calls)
      call.id = "cut-" + std::to_string(answered.request) + "-" + std::to_string(++number);
    answered.end = engine::AnswerEnd::interrupted;
    if (answered.message.calls.empty()) report_.answer = answered.message.text;
    auto writing = services_.log.add(std::move(answered));
    CO_TRY_VOID(co_await std::move(writing));
    auto settling = settle(kNotRun);
    CO_TRY_VOID(co_await std::move(settling));
  }
  if (has_repeated) {
    auto hearing = hear(services_.guard.repeated());
    CO_TRY_VOID(co_await std::move(hearing));
  }
  auto looking = boundary();
  CO_TRY(const Boundary at, co_await std::move(looking));
  co_return TurnEvent(event::Interrupted{at});
}

// Calls without a result get one, so that the transcript is valid.
asio::awaitable<Result<>> TurnDriver::settle(std::string_view why) {
  for (const PendingCall& pending : std::vector(services_.log.state().pending())) {
    if (pending.result) continue;
    // One that was cancelled has its result from the dispatcher, unless that could not be written.
    const std::string_view text = pending.started ? kMaybeDone : why;
    auto writing = services_.log.add(
        engine::CallFinished{{pending.call.id, ToolStatus::cancelled, std::string(text), ""}});
    CO_TRY_VOID(co_await std::move(writing));
  }
  co_return Result<>{};
}

// With what the tools print meanwhile, for who watches.
asio::awaitable<void> TurnDriver::shown(asio::awaitable<void> running) {
  if (services_.live_output == nullptr) return running;
  return alongside(std::move(running),
                   services_.live_output->follow([this](std::string_view type, std::string data) {
                     (void)services_.log.note(type, std::move(data));
                   }));
}

asio::awaitable<Result<TurnEvent>> TurnDriver::run_tools() {
  std::vector<ToolCall> calls;
  for (const PendingCall& pending : services_.log.state().pending())
    if (!pending.result) calls.push_back(pending.call);
  std::optional<Result<std::vector<tools::CallReport>>> reports;
  const auto running = [&]() -> asio::awaitable<void> {
    auto dispatching = services_.dispatcher.dispatch_all(std::move(calls));
    reports = co_await std::move(dispatching);
  };
  auto dispatched = until_interrupted(services_.control, shown(running()));
  co_await std::move(dispatched);
  if (reports && !*reports) co_return fail(reports->error());
  if (services_.charge_tools) CO_TRY_VOID(services_.charge_tools());
  if (reports) {
    auto observing = observe(**reports);
    CO_TRY_VOID(co_await std::move(observing));
    auto checking = check_edits(**reports);
    CO_TRY_VOID(co_await std::move(checking));
  }
  if (!suspended_) {
    auto settling = settle(kNotRun);
    CO_TRY_VOID(co_await std::move(settling));
  }
  auto looking = boundary();
  CO_TRY(const Boundary at, co_await std::move(looking));
  co_return TurnEvent(event::CallsEnded{at});
}

asio::awaitable<Result<TurnEvent>> TurnDriver::skip_tools(TurnEnd end) {
  auto settling = settle(end == TurnEnd::cancelled ? kNotRun : kCancelled);
  CO_TRY_VOID(co_await std::move(settling));
  auto looking = boundary();
  CO_TRY(const Boundary at, co_await std::move(looking));
  co_return TurnEvent(event::CallsEnded{at});
}

asio::awaitable<Result<>> TurnDriver::observe(const std::vector<tools::CallReport>& reports) {
  StepFacts step;
  // The calls are those of the last answer, in its order.
  const auto& messages = services_.log.state().transcript().messages;
  const auto answer =
      std::ranges::find_if(messages.rbegin(), messages.rend(),
                           [](const Message& message) { return message.role == Role::assistant; });
  ENSURE(answer != messages.rend(), "calls come from an answer");
  for (const tools::CallReport& report : reports) {
    suspended_ |= report.suspended;
    const auto call = std::ranges::find_if(
        answer->calls, [&](const ToolCall& one) { return one.id == report.result.call_id; });
    if (call == answer->calls.end() || report.suspended) continue;
    step.calls.push_back({call->name, key_of(call->name + '\0' + call->arguments),
                          key_of(report.result.content), report.result.status != ToolStatus::ok});
    if (call->name == "run_tests") step.failing_tests = key_of(report.data);
  }
  if (suspended_) co_return Result<>{};
  if (services_.workspace) step.workspace = services_.workspace();
  auto hearing = hear(services_.guard.observe(step));
  co_return co_await std::move(hearing);
}

asio::awaitable<Result<>> TurnDriver::check_edits(const std::vector<tools::CallReport>& reports) {
  const bool has_edited =
      std::ranges::any_of(reports, [](const auto& report) { return report.wrote; });
  if (!services_.check_edit || !has_edited || suspended_) co_return Result<>{};
  auto checking = services_.check_edit();
  CO_TRY(const std::optional<bool> passes, co_await std::move(checking));
  rejected_ = passes && !*passes;
  co_return Result<>{};
}

asio::awaitable<Result<>> TurnDriver::hear(GuardVerdict verdict) {
  if (verdict.kind == GuardVerdict::Kind::none) co_return Result<>{};
  if (services_.escalate) {
    auto escalating = services_.escalate(verdict.guard);
    CO_TRY(const bool has_changed, co_await std::move(escalating));
    if (has_changed) verdict.kind = GuardVerdict::Kind::note;
  }
  if (verdict.kind == GuardVerdict::Kind::stop) {
    looping_ = true;
    guard_text_ = verdict.guard;
    CO_TRY_VOID(services_.log.note("guard.stopped", dump({{"guard", verdict.guard}})));
    co_return Result<>{};
  }
  // A note is a message, and those come when the calls of the step have their results.
  auto settling = settle(kNotRun);
  CO_TRY_VOID(co_await std::move(settling));
  auto writing = services_.log.add(note_of(std::move(verdict.guard), std::move(verdict.text)));
  CO_TRY_VOID(co_await std::move(writing));
  co_return Result<>{};
}

asio::awaitable<Result<>> TurnDriver::remark(Note note) {
  std::string text(text_of(note));
  if (note == Note::unfit_answer) text += " " + unfit_;
  if (note == Note::wrap_up) {
    const std::string reason = services_.ledger.reason(services_.clock.now());
    if (!reason.empty()) text = "The budget is nearly spent (" + reason + "). " + text;
  }
  auto writing = services_.log.add(note_of(std::string(name_of(note)), std::move(text)));
  CO_TRY_VOID(co_await std::move(writing));
  co_return Result<>{};
}

asio::awaitable<Result<bool>> TurnDriver::deliver_steers() {
  bool any = false;
  while (services_.control.has_steers()) {
    const Control::Steer steer = services_.control.first_steer();
    std::optional<std::uint64_t> seq = services_.log.state().record().delivered(steer.key);
    if (!seq) {
      engine::UserSaid said;
      said.how = engine::UserSaid::How::steer;
      said.key = steer.key;
      said.text = steer.text;
      auto writing = services_.log.add(std::move(said));
      CO_TRY(seq, co_await std::move(writing));
      any = true;
    }
    const Control::Steer delivered = services_.control.take_first_steer();
    if (delivered.receipt) delivered.receipt(*seq);
  }
  co_return any;
}

bool TurnDriver::is_context_full() const {
  std::uint64_t context = services_.model.info().context_tokens;
  if (limits_.context_tokens != 0)
    context = context == 0 ? limits_.context_tokens : std::min(context, limits_.context_tokens);
  if (context == 0) return false;
  return static_cast<double>(services_.model.context_used()) >=
         limits_.compact_at * static_cast<double>(context);
}

asio::awaitable<Result<Boundary>> TurnDriver::boundary() {
  Boundary at;
  at.suspended = suspended_;
  if (suspended_) co_return at;  // calls are open: nothing may be said now
  auto delivering = deliver_steers();
  CO_TRY(at.steered, co_await std::move(delivering));
  if (at.steered) services_.control.clear_interrupt();
  at.cancelled = services_.control.is_interrupted();
  at.context_full = is_context_full();
  at.looping = looping_;
  at.rejected = rejected_;
  at.sandbox_missing = services_.sandbox_missing && !services_.sandbox_missing().empty();
  at.budget = services_.ledger.state(services_.clock.now());
  co_return at;
}

std::string TurnDriver::why(TurnEnd end) const {
  switch (end) {
    case TurnEnd::answered:
      return "";
    case TurnEnd::step_limit:
      return "the limit of " +
             std::to_string(services_.ledger.budget().steps.value_or(limits_.rules.steps_max)) +
             " steps was reached";
    case TurnEnd::budget:
      return "the budget is spent: " + services_.ledger.reason(services_.clock.now());
    case TurnEnd::cancelled:
      return "interrupted";
    case TurnEnd::loop:
      return "the model went in circles (" + guard_text_ + ")";
    case TurnEnd::rejected:
      return "the edit did not pass the check";
    case TurnEnd::engine_error:
      return report_.fault ? report_.fault->message
                           : "the model gave no usable answer several times in a row";
    case TurnEnd::sandbox_missing:
      return services_.sandbox_missing();
    case TurnEnd::suspended:
      return "a call waits for approval";
  }
  return "";
}

}  // namespace fathom::agents
