#include "engine/session/local_timeline.hpp"

#include "runtime/async/signal.hpp"
#include "runtime/base/ensure.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <utility>

namespace fathom::engine {

void LocalTimeline::align(std::span<const TokenId> tokens, std::size_t most) {
  settle();
  const auto same = std::ranges::mismatch(resident_, tokens.first(std::min(most, tokens.size())));
  const auto target = static_cast<std::size_t>(same.in1 - resident_.begin());
  if (target == resident_.size()) return;
  if (checkpoint_ && std::cmp_greater(checkpoint_->position(), target)) checkpoint_.reset();
  const auto back = static_cast<std::int64_t>(resident_.size() - target);
  if (back <= kv_.rollback_max())
    ENSURE(kv_.rollback(back).has_value(), "what can be taken back was asked before");
  else if (checkpoint_)
    kv_ = checkpoint_->fork();
  else
    kv_ = engine_.new_kv();
  resident_.resize(static_cast<std::size_t>(kv_.position()));
}

asio::awaitable<Result<>> LocalTimeline::generate(GenerationRequest request, Hear hear) {
  settle();
  const auto executor = co_await asio::this_coro::executor;
  const auto news = std::make_shared<Signal>(executor);
  const auto working = asio::make_work_guard(executor);  // the engine's thread will post
  std::vector<TokenId> prompt = request.prompt;
  request.kv = &kv_;
  // The engine lets go of this on its own thread, perhaps after everything here is gone.
  auto started =
      engine_.generate(std::move(request), [executor, news = std::weak_ptr<Signal>(news)] {
        asio::post(executor, [news] {
          if (const auto alive = news.lock()) alive->notify_all();
        });
      });
  if (!started) co_return fail(std::move(started).error());
  generation_ = *std::move(started);
  resident_.insert(resident_.end(), prompt.begin(), prompt.end());
  sampled_.clear();
  struct Stop {
    LocalTimeline& timeline;
    ~Stop() {
      timeline.generating_ = false;
      if (timeline.generation_) timeline.generation_->cancel();
    }
  } const stop{*this};
  generating_ = true;
  for (;;) {
    while (const auto event = generation_->try_next()) {
      take(*event);
      if (event->kind == GenerationEvent::Kind::finished) release();
      hear(*event);
      if (event->kind == GenerationEvent::Kind::finished) co_return Result<>{};
    }
    co_await news->wait();
  }
}

void LocalTimeline::settle() {
  if (!generation_) return;
  ENSURE(!generating_, "one request at a time");
  while (const auto event = generation_->next()) take(*event);
  release();
}

void LocalTimeline::take(const GenerationEvent& event) {
  if (event.kind != GenerationEvent::Kind::token) return;
  resident_.push_back(event.token);
  sampled_.push_back(event.token);
}

void LocalTimeline::release() {
  generation_.reset();
  const auto position = static_cast<std::size_t>(kv_.position());
  ENSURE(position <= resident_.size(), "the KV holds what it was given and what was sampled");
  resident_.resize(position);
}

std::unique_ptr<LocalTimeline> LocalTimeline::fork() {
  settle();
  auto out = std::make_unique<LocalTimeline>(engine_);
  out->kv_ = kv_.fork();
  if (checkpoint_) out->checkpoint_ = checkpoint_->fork();
  out->resident_ = resident_;
  out->sampled_ = sampled_;
  return out;
}

}  // namespace fathom::engine
