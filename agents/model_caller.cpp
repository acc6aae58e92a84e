#include "agents/model_caller.hpp"

#include "runtime/base/ensure.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

namespace fathom::agents {

using engine::Fault;
using engine::FaultClass;
using nlohmann::ordered_json;

namespace {

// A smaller shortfall is how engines round: they keep whole blocks.
constexpr std::uint64_t kMissTokensMin = 1024;

std::int64_t ms_of(Duration duration) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

std::string dump(const ordered_json& value) {
  return value.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

engine::AnswerEnd end_of(engine::FinishReason finish) {
  switch (finish) {
    case engine::FinishReason::stop:
      return engine::AnswerEnd::stop;
    case engine::FinishReason::length:
      return engine::AnswerEnd::length;
    case engine::FinishReason::tool_calls:
      return engine::AnswerEnd::tool_calls;
  }
  return engine::AnswerEnd::stop;
}

}  // namespace

std::optional<Duration> wait_before_retry(const RetryRules& rules, const Fault& fault,
                                          std::uint64_t attempt, Duration waited, double jitter) {
  if (!engine::may_retry(fault.kind)) return std::nullopt;
  const bool is_format = fault.kind == FaultClass::format;
  if (attempt >= (is_format ? rules.format_attempts_max : rules.attempts_max)) return std::nullopt;
  if (fault.retry_after) {
    if (*fault.retry_after > rules.asked_wait_max) return std::nullopt;
    return fault.retry_after;
  }
  const double doubled =
      std::ldexp(1.0, static_cast<int>(std::min<std::uint64_t>(attempt - 1, 30)));
  const double base = std::min(std::chrono::duration<double>(rules.first_wait).count() * doubled,
                               std::chrono::duration<double>(rules.wait_max).count());
  constexpr double kSpread = 0.5;  // from three quarters to five quarters
  const Duration wait = std::chrono::duration_cast<Duration>(
      std::chrono::duration<double>(base * (1 - kSpread / 2 + kSpread * jitter)));
  if (fault.is_unreachable && waited + wait > rules.unreachable_max) return std::nullopt;
  return wait;
}

std::optional<engine::Divergence> find_divergence(std::string_view promised,
                                                  const engine::PreparedRequest& request) {
  // Nearly always they are the same, and comparing whole blocks takes a tenth of the time.
  if (request.body.starts_with(promised)) return std::nullopt;
  const std::size_t shared = std::min(promised.size(), request.body.size());
  const auto [ours, theirs] =
      std::mismatch(promised.begin(), promised.begin() + static_cast<std::ptrdiff_t>(shared),
                    request.body.begin());
  if (ours == promised.end()) return std::nullopt;
  engine::Divergence found;
  found.byte = static_cast<std::uint64_t>(ours - promised.begin());
  const auto behind = std::ranges::upper_bound(request.starts, found.byte);
  found.message = behind == request.starts.begin()
                      ? engine::Divergence::kSetup
                      : static_cast<std::uint64_t>(behind - request.starts.begin() - 1);
  return found;
}

ModelCaller::ModelCaller(Services services, const engine::Engine& engine,
                         std::unique_ptr<engine::Session> session)
    : services_(services), engine_(&engine), session_(std::move(session)), random_(services.seed) {}

void ModelCaller::replace(const engine::Engine& engine, std::unique_ptr<engine::Session> session) {
  engine_ = &engine;
  session_ = std::move(session);
  place_ = nullptr;
  promised_.clear();
  known_messages_ = 0;
}

// Where an attempt can go back to: behind the answer that makes its first change, since an engine
// remembers where the last answer began.
void ModelCaller::keep_place() {
  const auto& attempts = services_.log.state().attempts();
  if (!attempts || !attempts->open || attempts->has_changed) return;
  auto fork = session_->fork();
  place_ = fork ? *std::move(fork) : nullptr;
}

void ModelCaller::rewind() {
  if (place_) session_ = std::move(place_);
}

double ModelCaller::jitter() { return std::uniform_real_distribution<double>(0, 1)(random_); }

std::uint64_t ModelCaller::estimate(std::uint64_t bytes) const {
  return static_cast<std::uint64_t>(static_cast<double>(bytes) * tokens_per_byte_);
}

std::uint64_t ModelCaller::context_used() const {
  const engine::Transcript& transcript = services_.log.state().transcript();
  const bool is_known = known_messages_ != 0 && promised_epoch_ == transcript.epoch &&
                        known_messages_ <= transcript.messages.size();
  std::uint64_t bytes = 0;
  for (std::size_t i = is_known ? known_messages_ : 0; i < transcript.messages.size(); ++i) {
    const Message& message = transcript.messages[i];
    bytes += message.text.size() + message.reasoning.size();
    for (const ToolCall& call : message.calls) bytes += call.arguments.size();
    for (const ToolResult& result : message.results) bytes += result.content.size();
  }
  if (is_known) return known_tokens_ + estimate(bytes);
  const auto& started = services_.log.state().started();
  if (started) {
    bytes += started->setup.system.size();
    for (const engine::ToolDeclaration& tool : started->setup.tools)
      bytes += tool.description.size() + tool.parameters.size();
  }
  return estimate(bytes);
}

engine::RequestSent ModelCaller::describe(const engine::PreparedRequest& request) {
  const SessionState& state = services_.log.state();
  engine::RequestSent sent;
  sent.request = state.requests() + 1;
  sent.epoch = state.transcript().epoch;
  sent.messages = state.transcript().messages.size();
  sent.bytes = request.body.size();
  sent.stable_bytes = request.stable_bytes;
  const bool goes_on = !promised_.empty() && promised_epoch_ == sent.epoch;
  if (goes_on) sent.divergence = find_divergence(promised_, request);
  sent.prompt_tokens = request.tokens != 0 ? request.tokens : context_used();
  if (request.tokens != 0)
    sent.reused_tokens = request.resident_tokens;
  else if (goes_on)
    sent.reused_tokens = sent.divergence ? estimate(sent.divergence->byte) : known_tokens_;
  promise(request.body.substr(0, request.stable_bytes), goes_on && !sent.divergence);
  sent.sha256 = hash_.hex(request.body.substr(request.stable_bytes));
  promised_epoch_ = sent.epoch;
  known_bytes_ = request.body.size();
  return sent;
}

// Copies and hashes what is new: of a long session nearly all of a request is what was sent before,
// and hashing 4 MB anew took longer than all the rest of a step.
void ModelCaller::promise(std::string_view stable, bool goes_on) {
  if (!goes_on || stable.size() < promised_.size()) {
    promised_.clear();
    hash_ = {};
  }
  hash_.update(stable.substr(promised_.size()));
  promised_.append(stable.substr(promised_.size()));
}

// Ids refer from results to calls: each is there and has no double in the session, not even among
// the calls that a compaction took away, because the journal still has them.
void ModelCaller::name_calls(std::vector<ToolCall>& calls) const {
  const auto& before = services_.log.state().record().call_ids;
  std::set<std::string_view> taken;
  std::size_t count = before.size();
  for (ToolCall& call : calls) {
    while (call.id.empty() || before.contains(call.id) || taken.contains(call.id))
      call.id = "call-" + std::to_string(++count);
    taken.insert(call.id);
  }
}

Result<> ModelCaller::explain_miss(const engine::RequestSent& sent, const Usage& usage) {
  if (usage.reused_tokens + kMissTokensMin >= sent.reused_tokens && !sent.divergence) return {};
  ordered_json said{{"request", sent.request},
                    {"expected_tokens", sent.reused_tokens},
                    {"reused_tokens", usage.reused_tokens}};
  if (sent.divergence) {
    said["reason"] = "the request does not repeat the one before";
    said["byte"] = sent.divergence->byte;
    if (sent.divergence->message == engine::Divergence::kSetup) {
      said["part"] = "setup";
    } else {
      said["message"] = sent.divergence->message;
      said["owner"] = services_.log.state().owner(sent.divergence->message);
    }
  } else {
    said["reason"] = "the engine has not kept what it was sent before";
  }
  TRY(services_.log.note("context.miss", dump(said)));
  return {};
}

asio::awaitable<Result<engine::SampleOutcome>> ModelCaller::sample(
    engine::Session& session, const engine::SampleObserver& observer, std::uint64_t request,
    std::uint64_t attempt) {
  engine::SampleObserver hearing = observer;
  std::optional<engine::WireBodies> bodies;
  if (services_.keeps_bodies)
    hearing.on_bodies = [&bodies](engine::WireBodies said) { bodies = std::move(said); };
  auto sampling = session.sample(hearing);
  engine::SampleOutcome outcome = co_await std::move(sampling);
  if (!bodies) co_return outcome;
  ordered_json said{{"request", request}, {"attempt", attempt}};
  for (const auto& [name, text] : {std::pair<const char*, std::string&>{"sent", bodies->request},
                                   {"received", bodies->response}}) {
    const std::uint64_t bytes = text.size();
    auto keeping = services_.log.keep(std::move(text));
    CO_TRY(std::string blob, co_await std::move(keeping));
    said[name] = {{"blob", std::move(blob)}, {"bytes", bytes}};
  }
  CO_TRY_VOID(services_.log.note("model.bodies", dump(said)));
  co_return outcome;
}

asio::awaitable<Result<engine::SampleOutcome>> ModelCaller::attempts(
    engine::Session& session, engine::RequestSent sent, const engine::SampleObserver& observer,
    std::function<void()> on_retry) {
  Duration waited{};
  for (;; ++sent.attempt) {
    auto writing = services_.log.add(sent);
    CO_TRY(const std::uint64_t seq, co_await std::move(writing));
    (void)seq;
    auto sampling = sample(session, observer, sent.request, sent.attempt);
    CO_TRY(engine::SampleOutcome outcome, co_await std::move(sampling));
    if (outcome) co_return outcome;
    const Fault& fault = outcome.error();
    const auto wait = wait_before_retry(services_.retry, fault, sent.attempt, waited, jitter());
    ordered_json said{{"request", sent.request},
                      {"attempt", sent.attempt},
                      {"class", engine::name_of(fault.kind)},
                      {"message", fault.message}};
    if (wait) said["wait_ms"] = ms_of(*wait);
    CO_TRY_VOID(services_.log.note(wait ? "model.retry" : "model.failed", dump(said)));
    if (!wait) co_return outcome;
    if (on_retry) on_retry();
    waited += *wait;
    co_await services_.clock.sleep_for(*wait);
  }
}

asio::awaitable<Result<engine::SampleOutcome>> ModelCaller::ask(
    const engine::RequestLimits& limits, const engine::SampleObserver& observer,
    std::function<void()> on_retry) {
  auto prepared = session_->prepare(services_.log.state().transcript(), limits);
  if (!prepared) {
    CO_TRY_VOID(
        services_.log.note("model.failed", dump({{"class", engine::name_of(prepared.error().kind)},
                                                 {"message", prepared.error().message}})));
    co_return engine::SampleOutcome(std::unexpected(prepared.error()));
  }
  const engine::RequestSent sent = describe(*prepared);
  auto trying = attempts(*session_, sent, observer, std::move(on_retry));
  CO_TRY(engine::SampleOutcome outcome, co_await std::move(trying));
  if (!outcome) co_return outcome;
  keep_place();
  name_calls(outcome->sample.message.calls);
  if (outcome->usage.prompt_tokens != 0) {
    known_tokens_ = outcome->usage.prompt_tokens + outcome->usage.completion_tokens;
    known_messages_ = services_.log.state().transcript().messages.size() + 1;
    tokens_per_byte_ = static_cast<double>(outcome->usage.prompt_tokens) /
                       static_cast<double>(std::max<std::uint64_t>(known_bytes_, 1));
  }
  engine::ModelAnswered answered;
  answered.request = sent.request;
  answered.message = outcome->sample.message;
  answered.message.role = Role::assistant;
  answered.end = end_of(outcome->sample.finish);
  answered.usage = outcome->usage;
  answered.model = outcome->model;
  if (info().price) answered.cost_usd = info().price->of(outcome->usage);
  answered.repaired = outcome->repaired;
  CO_TRY_VOID(explain_miss(sent, outcome->usage));
  auto writing = services_.log.add(std::move(answered));
  CO_TRY_VOID(co_await std::move(writing));
  co_return outcome;
}

asio::awaitable<Result<engine::SampleOutcome>> ModelCaller::ask_aside(
    Message question, const engine::RequestLimits& limits) {
  CO_TRY(const std::unique_ptr<engine::Session> branch, session_->fork());
  engine::Transcript asked = services_.log.state().transcript();
  asked.messages.push_back(std::move(question));
  const auto prepared = branch->prepare(asked, limits);
  if (!prepared) co_return engine::SampleOutcome(std::unexpected(prepared.error()));
  Duration waited{};
  for (std::uint64_t attempt = 1;; ++attempt) {
    auto sampling = sample(*branch, {}, 0, attempt);
    CO_TRY(engine::SampleOutcome outcome, co_await std::move(sampling));
    if (outcome) co_return outcome;
    const auto wait =
        wait_before_retry(services_.retry, outcome.error(), attempt, waited, jitter());
    if (!wait) co_return outcome;
    waited += *wait;
    co_await services_.clock.sleep_for(*wait);
  }
}

}  // namespace fathom::agents
