// CachedResolver: looks each name up once in a while, and few at a time. Package managers open a
// dozen connections to one host at once, and a confined program can ask for names whose servers
// never answer: both would fill the one thread that the system's look-ups have.
//
// TODO(limits): the runtime's other look-ups share that thread. A name server of an allowed zone
// that stays silent delays them by as long as the system waits for it.
#pragma once

#include "runtime/async/clock.hpp"
#include "runtime/async/signal.hpp"
#include "runtime/net/resolver.hpp"

#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace fathom::sandbox {

namespace asio = boost::asio;

constexpr std::size_t kLookUpsAtOnceMax = 4;
constexpr std::size_t kAnswersKeptMax = 256;
constexpr Duration kAnswerKept = std::chrono::seconds(30);
constexpr Duration kFailureKept = std::chrono::seconds(2);

class CachedResolver final : public net::Resolver {
 public:
  CachedResolver(const asio::any_io_executor& executor, Clock& clock,
                 std::unique_ptr<net::Resolver> inner);

  asio::awaitable<Result<std::vector<asio::ip::address>>> resolve(std::string host) override;

 private:
  using Answer = Result<std::vector<asio::ip::address>>;
  struct Kept {
    Answer answer;
    Instant until;
  };
  class Turn;

  void keep(const std::string& host, const Answer& answer);

  Clock& clock_;
  std::unique_ptr<net::Resolver> inner_;
  std::map<std::string, Kept> kept_;
  std::set<std::string> asking_;
  Signal news_;
};

}  // namespace fathom::sandbox
