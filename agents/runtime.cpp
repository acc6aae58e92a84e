#include "agents/runtime.hpp"

#include <boost/asio/co_spawn.hpp>

#include <exception>
#include <optional>
#include <utility>

namespace fathom::agents {
namespace {

asio::awaitable<Result<TurnReport>> one_turn(Session::Surroundings around, SessionOptions options,
                                             std::string task) {
  auto starting = Session::start(std::move(around), std::move(options));
  CO_TRY(const std::unique_ptr<Session> session, co_await std::move(starting));
  auto running = session->run_turn(std::move(task));
  Result<TurnReport> report = co_await std::move(running);
  const bool is_answered = report && report->end == TurnEnd::answered;
  auto closing = session->close(is_answered ? 0 : 1);
  const Result<> closed = co_await std::move(closing);
  if (report && !closed) co_return fail(closed.error());
  co_return report;
}

}  // namespace

Runtime::Runtime(std::unique_ptr<sandbox::ZygoteProcess> zygote, RuntimeOptions options)
    : zygote_(std::move(zygote)),
      env_(options.env),
      engines_({clock_, offload_, std::move(options.env), std::move(options.resolve_engine),
                std::move(options.keys)}) {}

Result<std::unique_ptr<Runtime>> Runtime::start(RuntimeOptions options) {
  auto zygote = TRY(sandbox::ZygoteProcess::start());
  return std::unique_ptr<Runtime>(new Runtime(std::move(zygote), std::move(options)));
}

Session::Surroundings Runtime::surroundings() {
  return {{*zygote_, clock_, offload_, io_.get_executor(), env_},
          [this](std::string_view spec) { return engines_.open(spec); }};
}

Result<TurnReport> Runtime::run(SessionOptions options, std::string task) {
  std::optional<Result<TurnReport>> report;
  std::exception_ptr failed;
  asio::co_spawn(io_, one_turn(surroundings(), std::move(options), std::move(task)),
                 [&](std::exception_ptr error, Result<TurnReport> ended) {
                   failed = error;
                   if (!error) report = std::move(ended);
                 });
  io_.restart();
  io_.run();
  if (failed) std::rethrow_exception(failed);
  return *std::move(report);
}

}  // namespace fathom::agents
