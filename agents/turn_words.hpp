// What the runtime says to a model in a user's or a tool's place. These words are part of prompts:
// a model that was asked once is asked with the same bytes again.
#pragma once

#include "agents/turn.hpp"
#include "engine/session/session_events.hpp"

#include <string>
#include <string_view>

namespace fathom::agents {

// Results of calls that have no other.
inline constexpr std::string_view kNotRun = "not run: the turn was interrupted before it";
inline constexpr std::string_view kMaybeDone = "interrupted: it may have done a part of its work";
inline constexpr std::string_view kMaybeRun =
    "interrupted: the program ended while this ran; it may have done all or a part of its work. "
    "Look before doing it again";
inline constexpr std::string_view kCancelled = "not run: the turn has come to its end";

inline constexpr std::string_view kGoOn = "You were interrupted. Go on with the task.";

[[nodiscard]] std::string_view text_of(Note note);
[[nodiscard]] std::string_view name_of(Note note);

/// As the log keeps it, under the name of the guard whose note it is.
[[nodiscard]] engine::UserSaid note_of(std::string name, std::string text);

}  // namespace fathom::agents
