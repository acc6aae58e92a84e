#include "agents/cli/interruptible.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/signal_set.hpp>

#include <csignal>
#include <exception>
#include <utility>

namespace fathom::agents {

std::optional<Result<ExitCode>> run_interruptible(asio::io_context& io,
                                                  asio::awaitable<Result<ExitCode>> task) {
  asio::cancellation_signal stop;
  std::optional<Result<ExitCode>> result;
  bool interrupted = false;
  asio::signal_set interrupts(io, SIGINT, SIGTERM);
  interrupts.async_wait([&](boost::system::error_code ec, int) {
    if (ec) return;
    interrupted = true;
    stop.emit(asio::cancellation_type::terminal);
  });
  asio::co_spawn(io, std::move(task),
                 asio::bind_cancellation_slot(
                     stop.slot(), [&](std::exception_ptr error, Result<ExitCode> ended) {
                       interrupts.cancel();
                       if (error && !interrupted) std::rethrow_exception(error);
                       if (!error) result = std::move(ended);
                     }));
  io.run();
  return result;
}

}  // namespace fathom::agents
