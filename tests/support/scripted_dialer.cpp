#include "tests/support/scripted_dialer.hpp"

#include <algorithm>
#include <utility>

namespace fathom::test {
namespace {

class ScriptedStream final : public net::ByteStream {
 public:
  ScriptedStream(ScriptedDialer::Log& log, PeerScript script, Clock& clock)
      : log_(log), index_(log.sent.size()), script_(script.begin(), script.end()), clock_(clock) {
    log_.sent.emplace_back();
    ++log_.open;
  }
  ~ScriptedStream() override { --log_.open; }

  asio::awaitable<Result<std::size_t>> read_some(std::span<char> into) override {
    for (;;) {
      if (script_.empty()) co_await clock_.sleep_until(Instant::max());
      if (const auto* waits = std::get_if<peer::Waits>(&script_.front())) {
        const Duration duration = waits->duration;
        script_.pop_front();
        co_await clock_.sleep_for(duration);
        continue;
      }
      if (holds<peer::Closes>()) co_return std::size_t{0};
      if (holds<peer::Resets>())
        co_return fail(ErrorCode::network, "read: Connection reset by peer");
      if (auto* says = std::get_if<peer::Says>(&script_.front())) {
        const std::size_t size = says->bytes.copy(into.data(), into.size());
        says->bytes.erase(0, size);
        if (says->bytes.empty()) script_.pop_front();
        co_return size;
      }
      script_.pop_front();
    }
  }

  asio::awaitable<Result<std::size_t>> write_some(std::string_view bytes) override {
    if (holds<peer::TakesNothing>()) co_await clock_.sleep_until(Instant::max());
    if (holds<peer::HearsNothing>()) co_return fail(ErrorCode::network, "write: Broken pipe");
    // Short writes on purpose: whoever writes must go on with the rest.
    const std::size_t size = std::min<std::size_t>(bytes.size(), 1000);
    log_.sent[index_] += bytes.substr(0, size);
    co_return size;
  }

  [[nodiscard]] bool is_quiet() override { return !holds<peer::IsNoisy>(); }

 private:
  template <class Step>
  [[nodiscard]] bool holds() const {
    return !script_.empty() && std::holds_alternative<Step>(script_.front());
  }

  ScriptedDialer::Log& log_;
  std::size_t index_;
  std::deque<PeerStep> script_;
  Clock& clock_;
};

}  // namespace

asio::awaitable<Result<std::unique_ptr<net::ByteStream>>> ScriptedDialer::dial(
    const net::Route& route, const net::Deadlines& deadlines) {
  log_.dialed.push_back(route);
  if (dial_time_ > Duration::zero()) co_await deadlines.clock().sleep_for(dial_time_);
  if (scripts_.empty()) co_return fail(ErrorCode::network, "connecting: Connection refused");
  PeerScript script = std::move(scripts_.front());
  scripts_.pop_front();
  co_return std::make_unique<ScriptedStream>(log_, std::move(script), deadlines.clock());
}

}  // namespace fathom::test
