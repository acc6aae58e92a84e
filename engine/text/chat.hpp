// A chat as the template takes it: messages in the form of the OpenAI API, with V4's own additions.
#pragma once

#include "runtime/base/message.hpp"
#include "runtime/base/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::engine {

enum class ChatRole : std::uint8_t { system, developer, user, assistant, tool, latest_reminder };

/// A quick instruction: the model answers it in a word or two, without reasoning.
enum class ChatTask : std::uint8_t { action, query, authority, domain, title, read_url };

struct ChatMessage {
  ChatRole role = ChatRole::user;
  std::string content;             ///< "" for null; the parts of a list joined by blank lines
  std::string reasoning;           ///< assistant only
  std::vector<ToolCall> calls;     ///< assistant only
  std::string tool_call_id;        ///< tool only; "" when the client sent none
  std::vector<std::string> tools;  ///< each the JSON of a `function`, printed as Python does
  std::string response_format;     ///< likewise; empty for none
  std::optional<ChatTask> task;
  bool open = false;  ///< `wo_eos` or `prefix`: the message goes on where its text ends

  friend bool operator==(const ChatMessage&, const ChatMessage&) = default;
};

using Chat = std::vector<ChatMessage>;

/// Reads a list of messages, or an object with `messages` and perhaps `tools`, which then go to the
/// first system message (a new empty one when there is none). Unknown keys are ignored, as clients
/// send many; a known key of the wrong form is an error such as
/// `messages[2].role: unknown role 'bot' (choose system, developer, …)`.
Result<Chat> parse_chat(std::string_view json);

}  // namespace fathom::engine
