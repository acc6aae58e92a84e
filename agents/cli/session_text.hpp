// Summaries of sessions as text for people and as JSON. Whatever a journal says is made printable.
#pragma once

#include "agents/cli/terminal.hpp"
#include "agents/session_summary.hpp"

#include <span>
#include <string>

namespace fathom::agents {

/// A line each.
[[nodiscard]] std::string sessions_text(std::span<const SessionSummary> sessions,
                                        const Terminal& terminal);
/// A list of objects.
[[nodiscard]] std::string sessions_json(std::span<const SessionSummary> sessions);

[[nodiscard]] std::string session_text(const SessionSummary& session, const Terminal& terminal);
[[nodiscard]] std::string session_json(const SessionSummary& session);

/// Call, tool, why the policy asks and what would allow it: two or three lines.
[[nodiscard]] std::string waiting_text(const WaitingCall& call);

}  // namespace fathom::agents
