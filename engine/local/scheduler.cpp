#include "engine/local/scheduler.hpp"

#include "runtime/base/ensure.hpp"

#include <algorithm>
#include <utility>

namespace fathom::engine {
namespace {

GenerationEvent event_of(RequestId request, GenerationEvent::Kind kind) {
  GenerationEvent event;
  event.request = request;
  event.kind = kind;
  return event;
}

}  // namespace

std::string_view name_of(StopReason reason) {
  switch (reason) {
    case StopReason::eos:
      return "eos";
    case StopReason::stop:
      return "stop";
    case StopReason::length:
      return "length";
    case StopReason::cancelled:
      return "cancelled";
    case StopReason::failed:
      return "failed";
  }
  return "failed";
}

Error Scheduler::too_many() {
  return {ErrorCode::too_large, "the engine has " + std::to_string(kRequestsMax) +
                                    " requests already: try again when one has finished"};
}

Error Scheduler::one_at_a_time() {
  return {ErrorCode::in_use, "this session has a request already: wait until it is finished"};
}

Result<> Scheduler::check(const GenerationRequest& request) const {
  ENSURE(request.kv != nullptr, "a request brings its KV");
  ENSURE(request.stop.empty() || request.token_bytes,
         "stop strings are compared with tokens' bytes");
  ENSURE(!request.grammar || std::cmp_equal(request.grammar->vocabulary_size(), c_.vocab_size),
         "a grammar's masks have a bit for each logit");
  if (request.prompt.empty())
    return fail(ErrorCode::usage, "the prompt is empty: there is nothing to continue");
  const auto size = request.kv->position() + static_cast<std::int64_t>(request.prompt.size());
  if (size >= c_.context_max)
    return fail(ErrorCode::too_large,
                "the prompt has " + std::to_string(size) + " tokens: the model's context is " +
                    std::to_string(c_.context_max) + ", and an answer needs room");
  for (const TokenId token : request.prompt)
    if (token < 0 || token >= c_.vocab_size)
      return fail(ErrorCode::usage, "token id " + std::to_string(token) +
                                        " is not in the vocabulary: the model has 0 to " +
                                        std::to_string(c_.vocab_size - 1));
  if (request.tokens_max < 1) return fail(ErrorCode::usage, "at least one token must be allowed");
  TRY(engine::check(request.sampling, static_cast<std::int32_t>(c_.vocab_size)));
  if (!request.stop.empty()) TRY(StopStrings::create(request.stop));
  return {};
}

Result<RequestId> Scheduler::add(GenerationRequest request) {
  if (running_.size() >= kRequestsMax) return fail(too_many());
  TRY(check(request));
  for (const auto& running : running_)
    if (running->request.kv == request.kv) return fail(one_at_a_time());
  Sampler sampler =
      TRY(Sampler::create(request.sampling, static_cast<std::int32_t>(c_.vocab_size)));
  std::optional<StopStrings> stop;
  if (!request.stop.empty()) stop = TRY(StopStrings::create(request.stop));
  const auto size = request.kv->position() + static_cast<std::int64_t>(request.prompt.size());
  request.tokens_max = std::min(request.tokens_max, c_.context_max - size);
  auto running = std::make_unique<Running>(last_id_ + 1, std::move(request), std::move(sampler));
  running->stop = std::move(stop);
  const GenerationRequest& wanted = running->request;
  if (wanted.grammar)
    running->grammar.emplace(wanted.grammar, wanted.grammar_after,
                             static_cast<std::size_t>(c_.vocab_size),
                             static_cast<TokenId>(c_.eos_id));
  running->origin = wanted.kv->position();
  running->speculation.history().append(wanted.prompt);
  running_.push_back(std::move(running));
  return ++last_id_;
}

void Scheduler::cancel(RequestId id) {
  for (const auto& running : running_)
    if (running->id == id) running->cancelled = true;
}

void Scheduler::hold(RequestId id, bool on) {
  for (const auto& running : running_)
    if (running->id == id) running->held = on;
}

bool Scheduler::ready() const {
  return std::ranges::any_of(
      running_, [](const auto& running) { return running->cancelled || !running->held; });
}

Speculation::Place Scheduler::place_of(const Running& running, std::size_t sequences) const {
  const std::int64_t room = running.request.tokens_max - running.generated - 1;
  return {.grammar = running.grammar ? &*running.grammar : nullptr,
          .tokenize = &running.request.tokenize,
          .room = running.request.speculate ? static_cast<std::size_t>(room) : 0,
          .sequences = sequences};
}

/// The last token of each, which is not in the KV yet, and drafts for what follows it.
void Scheduler::plan_decode() {
  for (const auto& running : running_)
    if (!running->prefilling() && !running->held) batch_.push_back(running.get());
  const std::size_t sequences = batch_.size();
  for (Running* running : batch_) {
    running->feed.assign(1, running->tokens().back());
    const auto drafts = running->speculation.draft(place_of(*running, sequences), costs_);
    running->feed.insert(running->feed.end(), drafts.begin(), drafts.end());
  }
  if (forward_.drafting() == Drafting::on) plan_mtp(sequences);
}

/// A draft from the MTP block for those who have none: what follows the last token, from that token
/// and the streams of the one before it (v4-spec §2.9).
void Scheduler::plan_mtp(std::size_t sequences) {
  asking_.clear();
  mtp_feeds_.clear();
  std::int64_t total = 0;
  for (Running* running : batch_) {
    if (running->feed.size() > 1) continue;
    LiveKv& kv = *running->request.kv;
    // The tokens of earlier requests on this KV are not known here: then MTP sees less.
    const std::int64_t start = std::max(kv.mtp_start(), running->origin - 1);
    const std::int64_t count = kv.position() - start;
    if (count < 1 || total + count > Forward::kBatchTokensMax ||
        !running->speculation.wants_mtp(place_of(*running, sequences), costs_, mtp_seconds_))
      continue;
    total += count;
    kv.skip_mtp(start);
    const auto first = static_cast<std::size_t>(start + 1 - running->origin);
    mtp_feeds_.push_back({&kv, running->tokens().subspan(first), LogitRows::last});
    asking_.push_back(running);
  }
  if (asking_.empty()) return;
  const double start = now_ ? now_() : 0;
  const auto logits = forward_.run_mtp(mtp_feeds_);
  ENSURE(logits.has_value(), "MTP is asked about tokens that the model has seen");
  const auto vocab = static_cast<std::size_t>(c_.vocab_size);
  for (std::size_t i = 0; i < asking_.size(); ++i) {
    // Drawn as the token itself will be, so that it comes out the same where the logits agree.
    const auto draft = sample(*asking_[i], logits->subspan(i * vocab, vocab));
    if (!draft) continue;  // the model's own logits will say what is wrong
    asking_[i]->feed.push_back(draft->token);
    asking_[i]->speculation.took_mtp();
  }
  // What one more draft takes: catching up on earlier positions is paid once.
  if (now_ && std::cmp_equal(total, asking_.size()))
    mtp_seconds_ = (now_() - start) / static_cast<double>(total);
}

Result<Sampled> Scheduler::sample(Running& running, std::span<const float> logits) {
  const auto tokens = running.tokens();
  std::span<const std::uint64_t> mask;
  if (running.grammar) mask = running.grammar->mask();
  // In the session, not in the request: what is resident must not change the draw.
  const auto position = static_cast<std::uint64_t>(running.origin) + tokens.size();
  return running.sampler.sample(
      {.logits = logits, .mask = mask, .history = tokens, .position = position});
}

std::int64_t Scheduler::prefill_budget() const {
  const bool alone = batch_.empty();
  const std::int64_t most = alone ? kPrefillTokensAlone : kPrefillTokensBeside;
  if (prefill_seconds_ == 0) return most;
  const double tokens = (alone ? kStepSecondsAlone : kStepSecondsBeside) / prefill_seconds_;
  return tokens >= static_cast<double>(most)
             ? most
             : std::max(static_cast<std::int64_t>(tokens), kPrefillTokensMin);
}

void Scheduler::plan() {
  batch_.clear();
  feeds_.clear();
  plan_decode();
  // One prompt at a time, in turns.
  const std::int64_t budget = prefill_budget();
  for (std::size_t i = 0; i < running_.size(); ++i) {
    Running& running = *running_[(next_prefill_ + i) % running_.size()];
    if (!running.prefilling() || running.held) continue;
    const auto rest =
        std::span(running.request.prompt).subspan(static_cast<std::size_t>(running.fed));
    const auto piece = rest.first(std::min(rest.size(), static_cast<std::size_t>(budget)));
    running.feed.assign(piece.begin(), piece.end());
    batch_.push_back(&running);
    next_prefill_ = (next_prefill_ + i + 1) % running_.size();
    break;
  }
  std::ranges::sort(batch_, {}, &Running::id);
  for (const Running* running : batch_) {
    const auto size = static_cast<std::int64_t>(running->feed.size());
    const bool more =
        running->prefilling() &&
        running->fed + size < static_cast<std::int64_t>(running->request.prompt.size());
    const LogitRows rows = more                    ? LogitRows::none
                           : running->prefilling() ? LogitRows::last
                                                   : LogitRows::all;
    feeds_.push_back({running->request.kv, running->feed, rows});
  }
}

std::span<const GenerationEvent> Scheduler::step() {
  events_.clear();
  for (const auto& running : running_)
    if (running->cancelled) finish(*running, StopReason::cancelled);
  std::erase_if(running_, [](const auto& running) { return running->finished; });
  if (!ready()) return events_;
  plan();
  const double start = now_ ? now_() : 0;
  const auto logits = forward_.run(feeds_);
  if (!logits) {
    // The batch was checked when its requests came: whatever is wrong now is wrong for all of them.
    for (Running* running : batch_) finish(*running, StopReason::failed, logits.error());
  } else {
    if (now_) learn(now_() - start);
    std::size_t row = 0;
    const auto vocab = static_cast<std::size_t>(c_.vocab_size);
    for (std::size_t i = 0; i < batch_.size(); ++i) {
      const LogitRows wanted = feeds_[i].logits;
      const std::size_t rows = wanted == LogitRows::none   ? 0
                               : wanted == LogitRows::last ? 1
                                                           : batch_[i]->feed.size();
      consume(*batch_[i], logits->subspan(row * vocab, rows * vocab));
      row += rows;
    }
  }
  std::erase_if(running_, [](const auto& running) { return running->finished; });
  if (!running_.empty()) next_prefill_ %= running_.size();
  return events_;
}

/// What a step costs, by the size of those that only generate; and what a token of a prompt costs,
/// of steps that only read one.
void Scheduler::learn(double seconds) {
  std::size_t tokens = 0;
  for (const Feed& feed : feeds_) tokens += feed.tokens.size();
  if (std::ranges::none_of(batch_, &Running::prefilling)) {
    costs_.record(tokens, seconds);
  } else if (batch_.size() == 1 && std::cmp_greater_equal(tokens, kPrefillTokensMin)) {
    const double now = seconds / static_cast<double>(tokens);
    prefill_seconds_ = prefill_seconds_ == 0 ? now : (prefill_seconds_ + now) / 2;
  }
}

void Scheduler::consume(Running& running, std::span<const float> logits) {
  const auto vocab = static_cast<std::size_t>(c_.vocab_size);
  const bool prompt = running.prefilling();
  if (prompt) {
    running.fed += static_cast<std::int64_t>(running.feed.size());
    GenerationEvent event = event_of(running.id, GenerationEvent::Kind::prefill);
    event.prompt_done = running.fed;
    event.prompt_total = static_cast<std::int64_t>(running.request.prompt.size());
    events_.push_back(std::move(event));
    if (logits.empty()) return;
  }
  // Each row says what follows its token. The first that differs from its draft ends what was
  // guessed right.
  const std::size_t drafted = prompt ? 0 : running.feed.size() - 1;
  std::size_t taken = 0;
  for (std::size_t row = 0; row <= drafted; ++row) {
    const auto sampled = sample(running, logits.subspan(row * vocab, vocab));
    if (!sampled) {
      finish(running, StopReason::failed, sampled.error());
      break;
    }
    const bool right = row < drafted && sampled->token == running.feed[row + 1];
    ++taken;
    if (!take(running, *sampled) || !right) break;
  }
  if (drafted == 0) return;
  // The KV holds all tokens but the last one, drafted or not.
  const std::size_t kept = std::max<std::size_t>(taken, 1);
  const auto wrong = static_cast<std::int64_t>(drafted + 1 - kept);
  ENSURE(running.request.kv->rollback(wrong).has_value(),
         "drafts are fewer than what can be taken back");
  running.speculation.verified(drafted, kept - 1);
  if (running.finished) events_.back().drafts = running.speculation.counts();
}

bool Scheduler::take(Running& running, const Sampled& sampled) {
  const TokenId token = sampled.token;
  running.speculation.history().append(token);
  if (running.grammar && !running.grammar->accept(token)) {
    finish(running, StopReason::failed,
           Error{ErrorCode::unsupported, "the grammar is too ambiguous to be followed here"});
    return false;
  }
  ++running.generated;
  const bool ends = (running.request.stop_at_eos && token == c_.eos_id) ||
                    (running.grammar && running.grammar->complete());
  if (!ends) {
    GenerationEvent event = event_of(running.id, GenerationEvent::Kind::token);
    event.token = token;
    event.logprob = sampled.logprob;
    event.top.assign(sampled.top.begin(), sampled.top.end());
    events_.push_back(std::move(event));
  }
  if (ends) {
    finish(running, StopReason::eos);
  } else if (running.stop && running.stop->push(running.request.token_bytes(token)).stop) {
    finish(running, StopReason::stop);
  } else if (running.generated >= running.request.tokens_max) {
    finish(running, StopReason::length);
  }
  return !running.finished;
}

void Scheduler::finish(Running& running, StopReason reason, std::optional<Error> error) {
  running.finished = true;
  GenerationEvent event = event_of(running.id, GenerationEvent::Kind::finished);
  event.reason = reason;
  event.error = std::move(error);
  event.drafts = running.speculation.counts();
  events_.push_back(std::move(event));
}

}  // namespace fathom::engine
