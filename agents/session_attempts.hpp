// Verified attempts of a session: its agent's `attempts` and `accept`, wired to its toolbox.
#pragma once

#include "agents/attempts.hpp"
#include "agents/session.hpp"
#include "runtime/base/result.hpp"

#include <boost/asio/awaitable.hpp>

#include <string>

namespace fathom::agents {

/// For an agent with an `accept` check, whose command is run as the agent's own are: the policy is
/// asked about it, once, and it runs in the sandbox. `permission` when it says no, `unsupported`
/// where edits are kept apart and so cannot be taken back. A verdict of `refused` is exit code
/// no_fix, whatever the turn's end; an unproven one is that of the turn.
asio::awaitable<Result<AttemptsReport>> run_attempts(Session& session, std::string text,
                                                     std::string key = "");
/// Those that a resumed session was in the middle of: it has `state().attempts()->open`.
asio::awaitable<Result<AttemptsReport>> resume_attempts(Session& session);

}  // namespace fathom::agents
