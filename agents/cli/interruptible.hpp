// Runs one task of a command until it ends; Ctrl-C (or SIGTERM) cancels it, and what it does to end
// cleanly is waited for.
#pragma once

#include "agents/cli/exit_code.hpp"
#include "runtime/base/result.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

#include <optional>

namespace fathom::agents {

namespace asio = boost::asio;

/// Nothing when it was interrupted before it had an answer. Its own exceptions leave the call.
std::optional<Result<ExitCode>> run_interruptible(asio::io_context& io,
                                                  asio::awaitable<Result<ExitCode>> task);

}  // namespace fathom::agents
