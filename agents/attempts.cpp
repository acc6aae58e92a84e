#include "agents/attempts.hpp"

#include "runtime/base/ensure.hpp"
#include "runtime/base/text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <utility>

namespace fathom::agents {

using nlohmann::ordered_json;

namespace {

constexpr std::size_t kTaskBytesInEventMax = std::size_t{32} * 1024;

std::string dump(const ordered_json& value) {
  return value.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

void add(ordered_json& data, const CheckEnd& check) {
  data["passed"] = check.passed;
  if (check.exit_code) data["exit_code"] = *check.exit_code;
  data["ending"] = to_printable(check.ending);
}

TurnEnd end_named(std::string_view name) {
  constexpr std::array kEnds = {
      TurnEnd::answered,    TurnEnd::step_limit, TurnEnd::budget,    TurnEnd::cancelled,
      TurnEnd::loop,        TurnEnd::rejected,   TurnEnd::suspended, TurnEnd::sandbox_missing,
      TurnEnd::engine_error};
  for (const TurnEnd end : kEnds)
    if (name_of(end) == name) return end;
  return TurnEnd::engine_error;
}

// What is known of a turn whose end is in the log and whose report is gone.
TurnReport report_of(const SessionState& state) {
  TurnReport report;
  ENSURE(state.last_end().has_value(), "a turn has ended");
  report.end = end_named(state.last_end()->reason);
  report.steps = state.last_end()->steps;
  const auto& messages = state.transcript().messages;
  for (const Message& message : messages)
    if (message.role == Role::assistant && !message.text.empty()) report.answer = message.text;
  return report;
}

std::string why_of(const AttemptsReport& report, std::uint64_t of) {
  switch (*report.verdict) {
    case AttemptVerdict::accepted:
      return "";
    case AttemptVerdict::unproven:
      return "not proven: the check passed before the first attempt too, so that it passes says "
             "nothing of the task";
    case AttemptVerdict::refused:
      break;
  }
  std::string why = of == 1
                        ? "the attempt was not accepted"
                        : "none of " + std::to_string(report.attempts) + " attempts was accepted" +
                              (report.attempts < of ? " (of " + std::to_string(of) + ")" : "");
  why += ": the check ended with " + report.check.ending;
  if (report.passed_before) why += ", and it had passed before";
  if (report.turn.end != TurnEnd::answered)
    why += "; the last attempt ended with " + std::string(name_of(report.turn.end)) +
           (report.turn.fault ? " (" + report.turn.fault->message + ")" : "");
  why += report.not_restored.empty()
             ? "; the workspace is as it was"
             : "; " + std::to_string(report.not_restored.size()) + " paths could not be taken back";
  return why;
}

}  // namespace

namespace {

constexpr std::size_t kSaidBytesMax = 200;
constexpr int kNotRunnable = 126;  // the shell's codes for a command that cannot be run,
constexpr int kNotThere = 127;     // or is not there

std::string last_line(std::string_view text) {
  while (text.ends_with('\n')) text.remove_suffix(1);
  const std::size_t begin = text.rfind('\n');
  return to_printable(
      clip_prefix(begin == std::string_view::npos ? text : text.substr(begin + 1), kSaidBytesMax));
}

// What a check that cannot tell anything is called before anything is built on it.
Result<> check_usable(const CheckEnd& check) {
  if (check.exit_code != kNotRunnable && check.exit_code != kNotThere) return {};
  return fail(ErrorCode::not_found, "accept: the check cannot run here: " + check.ending +
                                        (check.said.empty() ? "" : ": " + check.said));
}

}  // namespace

Result<CheckEnd> check_end(const sandbox::Outcome& outcome, std::string_view command) {
  if (outcome.ending == sandbox::Ending::not_started)
    return fail(ErrorCode::not_found, "accept: the check " +
                                          to_printable(clip_prefix(command, kSaidBytesMax)) +
                                          " was not started: " + outcome.evidence);
  if (outcome.ending == sandbox::Ending::lost)
    return fail(ErrorCode::io, "accept: the sandbox failed: " + outcome.evidence);
  CheckEnd end;
  end.ending = summary(outcome);
  end.said = last_line(outcome.err.text().empty() ? outcome.out.text() : outcome.err.text());
  if (outcome.ending != sandbox::Ending::exited) return end;
  end.exit_code = outcome.exit_code;
  end.passed = outcome.exit_code == 0;
  return end;
}

bool may_try_again(const TurnReport& turn) {
  switch (turn.end) {
    case TurnEnd::answered:
    case TurnEnd::step_limit:
    case TurnEnd::loop:
    case TurnEnd::rejected:
      return true;
    case TurnEnd::engine_error:
      return !turn.fault;  // it answered, if nothing that could be used
    case TurnEnd::budget:
    case TurnEnd::cancelled:
    case TurnEnd::sandbox_missing:
    case TurnEnd::suspended:
      break;
  }
  return false;
}

Result<> Attempts::write(std::string_view type, std::string data) {
  trace::EventDraft draft;
  draft.type = type;
  draft.data = std::move(data);
  TRY(services_.log.write(std::move(draft)));
  return {};
}

asio::awaitable<Result<AttemptsReport>> Attempts::run(std::string text) {
  text_ = std::move(text);
  auto marking = services_.mark();
  CO_TRY(std::string mark, co_await std::move(marking));
  // The check may take long: whatever ends the program meanwhile, the task is in the journal.
  CO_TRY_VOID(write("agent.attempts", dump(begun(mark))));
  auto checking = check_before(std::move(mark));
  co_return co_await std::move(checking);
}

// The task is said again by the turn that begins next. What is too long for an event is only there.
ordered_json Attempts::begun(const std::string& mark) const {
  ordered_json data{{"of", of_}, {"snapshot", mark}};
  if (dump(text_).size() <= kTaskBytesInEventMax) data["task"] = to_valid_utf8(text_);
  return data;
}

asio::awaitable<Result<AttemptsReport>> Attempts::check_before(std::string mark) {
  auto checking = services_.check();
  CO_TRY(const std::optional<CheckEnd> before, co_await std::move(checking));
  AttemptsReport report;
  if (!before) {
    if (services_.stopped) services_.stopped();
    report.turn.end = TurnEnd::cancelled;
    report.why = "interrupted before the first attempt";
    co_return report;
  }
  CO_TRY_VOID(check_usable(*before));
  const bool is_done = before->passed && until_passing_;
  ordered_json data = begun(mark);
  add(data, *before);
  if (is_done) data["open"] = false;
  CO_TRY_VOID(write("agent.attempts", dump(data)));
  if (is_done) {
    report.passed_before = true;
    report.check = *before;
    report.why = "the check passes already: there is nothing to repair, and nothing was done";
    co_return report;
  }
  auto driving = drive(std::nullopt);
  co_return co_await std::move(driving);
}

asio::awaitable<Result<AttemptsReport>> Attempts::resume() {
  const SessionState& state = services_.log.state();
  if (!state.attempts() || !state.attempts()->open)
    co_return fail(ErrorCode::usage, "no attempts are under way: give the session a task");
  of_ = record().of;
  // A task that was too long for the event and never became a turn.
  if (record().task.empty())
    co_return fail(ErrorCode::usage, "the task of the attempts was never begun: give it again");
  if (!record().checked) {
    text_ = record().task;
    auto checking = check_before(record().snapshot);
    co_return co_await std::move(checking);
  }
  std::optional<TurnReport> ended;
  if (state.is_turn_open()) {
    auto going_on = services_.go_on(record().ended);
    CO_TRY(ended, co_await std::move(going_on));
  } else if (record().has_turned) {
    ended = report_of(state);
  }
  auto driving = drive(std::move(ended));
  co_return co_await std::move(driving);
}

asio::awaitable<Result<AttemptsReport>> Attempts::drive(std::optional<TurnReport> ended) {
  AttemptsReport report;
  report.passed_before = record().passed_before;
  for (;;) {
    if (ended) {
      report.turn = *std::exchange(ended, std::nullopt);
    } else {
      auto turning = next_turn();
      CO_TRY(report.turn, co_await std::move(turning));
    }
    report.verdict.reset();
    report.attempts = record().ended;
    report.why = report.turn.why;
    if (report.turn.end == TurnEnd::cancelled || report.turn.end == TurnEnd::suspended)
      co_return report;
    auto judging = judge(report);
    CO_TRY(const bool again, co_await std::move(judging));
    if (!again) co_return report;
  }
}

asio::awaitable<Result<TurnReport>> Attempts::next_turn() {
  if (record().must_forget) {
    auto forgetting = forget();
    CO_TRY_VOID(co_await std::move(forgetting));
  }
  const bool keeps =
      services_.log.state().transcript().messages.size() > record().transcript.messages.size();
  auto turning = services_.turn(next_text(), record().ended, keeps);
  co_return co_await std::move(turning);
}

// What the user said to an attempt that is forgotten was said to the task.
std::string Attempts::next_text() const {
  const AttemptsRecord& attempts = record();
  std::string text = attempts.task.empty() ? text_ : attempts.task;
  const std::vector<SessionRecord::Said>& said = services_.log.state().record().said;
  for (std::size_t i = attempts.record.said.size(); i < said.size(); ++i)
    if (said[i].words.how == engine::UserSaid::How::steer) text += "\n\n" + said[i].words.text;
  return text;
}

asio::awaitable<Result<bool>> Attempts::judge(AttemptsReport& report) {
  auto checking = services_.check();
  CO_TRY(const std::optional<CheckEnd> check, co_await std::move(checking));
  if (!check) {
    if (services_.stopped) services_.stopped();
    report.turn.end = TurnEnd::cancelled;
    report.why = "interrupted while the check ran: nothing is known of the last attempt";
    co_return false;
  }
  report.check = *check;
  report.verdict = !check->passed         ? AttemptVerdict::refused
                   : report.passed_before ? AttemptVerdict::unproven
                                          : AttemptVerdict::accepted;
  ++report.attempts;
  bool again = report.verdict == AttemptVerdict::refused && report.attempts < of_ &&
               may_try_again(report.turn);
  ordered_json data{{"n", report.attempts},
                    {"of", of_},
                    {"end", name_of(report.turn.end)},
                    {"verdict", name_of(*report.verdict)},
                    {"accepted", report.verdict == AttemptVerdict::accepted}};
  add(data, *check);
  report.not_restored.clear();
  if (report.verdict == AttemptVerdict::refused) {
    auto going_back = services_.go_back(record().snapshot);
    const Result<WentBack> back = co_await std::move(going_back);
    if (back) {
      data["work"] = back->work;
      report.not_restored = back->not_restored;
    } else {
      // The next attempt would build on this one.
      again = false;
      report.not_restored.push_back({".", back.error().message});
    }
    ordered_json lost = ordered_json::array();
    for (std::size_t i = 0; i < std::min(report.not_restored.size(), kNotRestoredNamedMax); ++i)
      lost.push_back({{"path", to_valid_utf8(report.not_restored[i].path)},
                      {"reason", to_valid_utf8(report.not_restored[i].reason)}});
    data["not_restored"] = std::move(lost);
  }
  data["again"] = again;
  report.why = why_of(report, of_);
  CO_TRY_VOID(write("agent.attempt", dump(data)));
  co_return again;
}

// What the attempt read before its first change is as true as it was, and need not be read again:
// the next one begins there. What a user said meanwhile would come in another order, so that then
// it begins where the first one did.
asio::awaitable<Result<>> Attempts::forget() {
  const auto& said = services_.log.state().record().said;
  const auto meanwhile = said.begin() + static_cast<std::ptrdiff_t>(record().record.said.size());
  const bool has_steers = std::any_of(meanwhile, said.end(), [](const auto& one) {
    return one.words.how == engine::UserSaid::How::steer;
  });
  const std::optional<AttemptsRecord::Kept>& kept = record().kept;
  engine::Compacted fresh;
  fresh.transcript.messages = record().transcript.messages;
  if (kept && !has_steers) {
    const auto& messages = services_.log.state().transcript().messages;
    fresh.transcript.messages.assign(
        messages.begin(), messages.begin() + static_cast<std::ptrdiff_t>(kept->messages));
  }
  fresh.transcript.epoch = services_.log.state().transcript().epoch + 1;
  auto writing = services_.log.add(std::move(fresh));
  CO_TRY_VOID(co_await std::move(writing));
  if (services_.rewind) services_.rewind();
  co_return Result<>{};
}

}  // namespace fathom::agents
