#include "sandbox/egress/cached_resolver.hpp"

#include "runtime/base/ensure.hpp"

#include <utility>

namespace fathom::sandbox {

/// One name that is being looked up. Ends also when its asker is cancelled: the next one asks anew.
class CachedResolver::Turn {
 public:
  Turn(CachedResolver& owner, const std::string& host) : owner_(owner), host_(host) {
    owner_.asking_.insert(host_);
  }
  ~Turn() {
    owner_.asking_.erase(host_);
    owner_.news_.notify_all();
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  CachedResolver& owner_;
  const std::string& host_;
};

CachedResolver::CachedResolver(const asio::any_io_executor& executor, Clock& clock,
                               std::unique_ptr<net::Resolver> inner)
    : clock_(clock), inner_(std::move(inner)), news_(executor) {
  ENSURE(inner_, "the broker is given a resolver");
}

asio::awaitable<Result<std::vector<asio::ip::address>>> CachedResolver::resolve(std::string host) {
  for (;;) {
    const auto known = kept_.find(host);
    if (known != kept_.end() && clock_.now() < known->second.until) co_return known->second.answer;
    if (!asking_.contains(host) && asking_.size() < kLookUpsAtOnceMax) break;
    co_await news_.wait();
  }
  const Turn turn(*this, host);
  Answer answer = co_await inner_->resolve(host);
  keep(host, answer);
  co_return answer;
}

void CachedResolver::keep(const std::string& host, const Answer& answer) {
  const Instant now = clock_.now();
  std::erase_if(kept_, [&](const auto& each) { return each.second.until <= now; });
  if (kept_.size() >= kAnswersKeptMax) kept_.clear();
  kept_.insert_or_assign(host, Kept{answer, now + (answer ? kAnswerKept : kFailureKept)});
}

}  // namespace fathom::sandbox
