// From a chat to the model's prompt, byte for byte as DeepSeek's encoder writes it. V4 ships no
// Jinja template; its Python code is the specification, so the odd corners here are meant: old
// turns in thinking mode are rendered as if they had not thought, empty reasoning still opens and
// closes, a chat that ends with a system message gets no place for an answer. Nothing is trimmed
// anywhere.
#pragma once

#include "engine/text/chat.hpp"
#include "engine/text/chat_profile.hpp"
#include "engine/text/text_piece.hpp"
#include "runtime/base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::engine {

/// "preview" or "0731".
Result<ChatProfile> parse_profile(std::string_view name);

enum class ThinkingMode : std::uint8_t { chat, thinking };

struct ChatOptions {
  ChatProfile profile = ChatProfile::preview;
  ThinkingMode mode = ThinkingMode::thinking;
  /// preview: none, high, max. 0731: none, low, high, max. Empty is none.
  std::string reasoning_effort = "none";
  /// Leave out reasoning of turns before the last user message. Never with tools: the model needs
  /// to see what it thought between calls.
  bool drop_thinking = true;
};

struct ChatPrompt {
  /// Bytes of text(): what an assistant message says, from behind the opened answer to its end of
  /// sentence, as a model would sample it.
  struct Answer {
    std::size_t begin = 0;
    std::size_t end = 0;
    friend bool operator==(const Answer&, const Answer&) = default;
  };

  std::vector<TextPiece> pieces;  ///< neighbours differ in origin
  std::vector<Answer> answers;    ///< one for each assistant message, in order

  [[nodiscard]] std::string text() const;
  /// Whether the prompt ends with an opened `<think>`, so that what the model says first is
  /// reasoning.
  [[nodiscard]] bool opens_reasoning() const;
};

/// Calls that carry the bytes they were sampled as (ToolCall::raw, on all of a message) are
/// rendered as those bytes. Errors: an effort the profile does not know, a developer message
/// without content.
Result<ChatPrompt> encode_chat(const Chat& chat, const ChatOptions& options);

}  // namespace fathom::engine
