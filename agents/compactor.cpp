#include "agents/compactor.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <exception>
#include <utility>

namespace fathom::agents {

using nlohmann::ordered_json;

namespace {

// Small enough for nothing, large enough for a task and its facts.
constexpr std::size_t kFrameBytesMin = 2048;
constexpr std::size_t kResultBytesMin = 256;

std::string dump(const ordered_json& value) {
  return value.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

std::size_t share_of(double share, double bytes) { return static_cast<std::size_t>(share * bytes); }

}  // namespace

// Tokens are counted by the engine and bytes by us: what the transcript has of both says how many
// bytes of it fit. When the engine has refused it as too long, its own size is taken for the
// context.
CompactionLimits Compactor::limits() const {
  const std::uint64_t used = std::max<std::uint64_t>(services_.model.context_used(), 1);
  std::uint64_t context = services_.model.info().context_tokens;
  if (rules_.context_tokens != 0)
    context = context == 0 ? rules_.context_tokens : std::min(context, rules_.context_tokens);
  const double fits =
      context == 0 ? 1 : std::min(1.0, static_cast<double>(context) / static_cast<double>(used));
  const double bytes = fits * static_cast<double>(bytes_of(services_.log.state().transcript()));
  CompactionLimits limits;
  limits.tail_bytes_max = share_of(rules_.tail_share, bytes);
  limits.frame_bytes_max = std::max(kFrameBytesMin, share_of(rules_.frame_share, bytes));
  limits.result_bytes_max = std::max(kResultBytesMin, share_of(rules_.result_share, bytes));
  return limits;
}

Result<> Compactor::fail_with(std::string_view why) {
  TRY(services_.log.note("compaction.failed", dump({{"why", why}})));
  return {};
}

asio::awaitable<Result<bool>> Compactor::run(std::string why) {
  const engine::Transcript& transcript = services_.log.state().transcript();
  CO_TRY(const std::uint64_t started,
         services_.log.note("compaction.started", dump({{"why", why},
                                                        {"tokens", services_.model.context_used()},
                                                        {"messages", transcript.messages.size()},
                                                        {"epoch", transcript.epoch}})));
  if (!services_.log.state().pending().empty()) {
    CO_TRY_VOID(fail_with("calls are open: only between two steps a transcript can be replaced"));
    co_return false;
  }
  try {
    auto making = make_shorter(started);
    co_return co_await std::move(making);
  } catch (const std::exception&) {
    // Unwinding as cancelled: what was started must end in the journal as well. No waiting here.
    (void)fail_with("interrupted");
    throw;
  }
}

asio::awaitable<Result<bool>> Compactor::make_shorter(std::uint64_t started) {
  auto asking = ask();
  CO_TRY(const Summary summary, co_await std::move(asking));
  const SessionState& state = services_.log.state();
  const Facts facts = gather(state, services_.around ? services_.around() : LiveFacts{});
  const engine::Transcript& before = state.transcript();
  ordered_json chosen{{"how", "summary"}};
  Result<engine::Transcript> after = fail(ErrorCode::bad_data, summary.refused);
  if (summary.refused.empty()) after = compact(before, facts, summary.text, limits());
  if (!after) {
    chosen = {{"how", "truncation"}, {"refused", after.error().message}};
    after = truncate(before, facts, limits(), services_.whole_at);
  }
  if (!after) {
    CO_TRY_VOID(fail_with(after.error().message));
    co_return false;
  }
  chosen["before"] = started;
  chosen["messages"] = after->messages.size();
  chosen["bytes"] = bytes_of(*after);
  chosen["bytes_before"] = bytes_of(before);
  CO_TRY_VOID(services_.log.note("compaction.chosen", dump(chosen)));
  auto writing = services_.log.add(engine::Compacted{*std::move(after)});
  CO_TRY_VOID(co_await std::move(writing));
  co_return true;
}

asio::awaitable<Result<Compactor::Summary>> Compactor::ask() {
  engine::RequestLimits limits;
  limits.may_call = false;
  limits.answer_tokens_max = rules_.summary_tokens_max;
  auto asking = services_.model.ask_aside(summary_question(), limits);
  Result<engine::SampleOutcome> outcome = co_await std::move(asking);
  // Nothing of it is in the journal yet, so whatever went wrong is the model's.
  if (!outcome) co_return Summary{"", outcome.error().message};
  if (!*outcome) co_return Summary{"", outcome->error().message};
  const engine::Answered& answered = **outcome;
  const auto& price = services_.model.info().price;
  const double cost = price ? price->of(answered.usage) : 0;
  services_.ledger.add(answered.usage, cost);
  ordered_json said{{"prompt_tokens", answered.usage.prompt_tokens},
                    {"reused_tokens", answered.usage.reused_tokens},
                    {"completion_tokens", answered.usage.completion_tokens},
                    {"reasoning_tokens", answered.usage.reasoning_tokens}};
  if (price) said["cost_usd"] = cost;
  said["model"] = answered.model;
  trace::EventDraft draft;
  draft.type = "compaction.summarised";
  draft.data = dump(said);
  CO_TRY_VOID(services_.log.write(std::move(draft)));
  if (!answered.sample.message.calls.empty())
    co_return Summary{"", "the model made calls instead of a summary"};
  if (answered.sample.message.text.empty()) co_return Summary{"", "the summary is empty"};
  co_return Summary{answered.sample.message.text, ""};
}

}  // namespace fathom::agents
