// The first step of the chat template: V4 has no tool role, so results become parts of user
// messages.
#pragma once

#include "engine/text/chat.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace fathom::engine {

/// What a user message is made of; rendered with a blank line between.
struct UserBlock {
  enum class Kind : std::uint8_t { text, tool_result };

  Kind kind = Kind::text;
  std::string text;
  std::string call_id;  ///< of a tool_result
};

/// A message whose role is not tool. A user message's text is in `blocks`, not in `content`.
struct MergedMessage {
  ChatMessage message;
  std::vector<UserBlock> blocks;
};

/// User texts and tool results that follow each other become one user message, and its results
/// stand in the order of the calls they answer.
[[nodiscard]] std::vector<MergedMessage> merge_messages(const Chat& chat);

}  // namespace fathom::engine
