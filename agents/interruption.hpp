// What is under way until somebody says stop.
#pragma once

#include "agents/control.hpp"

#include <boost/asio/awaitable.hpp>

namespace fathom::agents {

namespace asio = boost::asio;

/// Runs `work` until it ends, `control` is interrupted, or `stop` is set and the control woken. It
/// is not begun when the control is interrupted already; whether it came to its end is the
/// caller's to note. What the work throws leaves this.
asio::awaitable<void> until_interrupted(Control& control, asio::awaitable<void> work,
                                        const bool* stop = nullptr);

/// `aside` as long as `work` takes.
asio::awaitable<void> alongside(asio::awaitable<void> work, asio::awaitable<void> aside);

}  // namespace fathom::agents
