// The values every layer exchanges: what a model said, what it asked for, what came back, what it
// cost.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fathom {

enum class Role : std::uint8_t { system, user, assistant, tool };

/// One request of the model for a tool.
struct ToolCall {
  std::string id;         ///< unique inside its session; results refer to it
  std::string name;       ///< as the model wrote it; not yet known to exist
  std::string arguments;  ///< JSON text as the model wrote it; not yet validated
  /// The sampled bytes of the whole call, when the engine has them. Replay sends these, never a
  /// re-rendering: spelling of numbers, key order and blank lines differ, and one different byte
  /// loses the resident prefix.
  std::string raw;

  friend bool operator==(const ToolCall&, const ToolCall&) = default;
};

enum class ToolStatus : std::uint8_t { ok, failed, denied, cancelled };

/// What the trace and --json call it.
constexpr std::string_view name_of(ToolStatus status) {
  switch (status) {
    case ToolStatus::ok:
      return "ok";
    case ToolStatus::failed:
      return "failed";
    case ToolStatus::denied:
      return "denied";
    case ToolStatus::cancelled:
      return "cancelled";
  }
  return "failed";
}

/// What came back for one ToolCall.
struct ToolResult {
  std::string call_id;
  ToolStatus status = ToolStatus::ok;
  std::string content;  ///< what the model sees: valid UTF-8, already clipped
  /// Name of the whole output in the blob store (`sha256:…`), empty when `content` is all of it.
  std::string blob;

  friend bool operator==(const ToolResult&, const ToolResult&) = default;
};

/// Token counts of one sample. `prompt` includes `reused`: the tokens whose KV was already
/// resident.
struct Usage {
  std::uint64_t prompt_tokens = 0;
  std::uint64_t reused_tokens = 0;
  std::uint64_t completion_tokens = 0;
  std::uint64_t reasoning_tokens = 0;  ///< part of completion_tokens

  friend bool operator==(const Usage&, const Usage&) = default;
  Usage& operator+=(const Usage& other) {
    prompt_tokens += other.prompt_tokens;
    reused_tokens += other.reused_tokens;
    completion_tokens += other.completion_tokens;
    reasoning_tokens += other.reasoning_tokens;
    return *this;
  }
};

struct Message {
  Role role = Role::user;
  std::string text;
  std::string reasoning;  ///< assistant only; replayed byte for byte, empty is "" and never absent
  std::vector<ToolCall> calls;      ///< assistant only
  std::vector<ToolResult> results;  ///< tool only, in call order

  friend bool operator==(const Message&, const Message&) = default;
};

}  // namespace fathom
