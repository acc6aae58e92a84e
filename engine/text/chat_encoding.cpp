#include "engine/text/chat_encoding.hpp"

#include "engine/text/chat_merge.hpp"
#include "engine/text/chat_text.hpp"
#include "engine/text/json_value.hpp"
#include "engine/text/python_json.hpp"
#include "engine/text/special_token.hpp"
#include "runtime/base/text.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace fathom::engine {
namespace {

constexpr std::array<std::string_view, 6> kTaskTokens = {special::kAction,    special::kQuery,
                                                         special::kAuthority, special::kDomain,
                                                         special::kTitle,     special::kReadUrl};

Result<std::string_view> effort_text(ChatProfile profile, std::string_view effort) {
  const bool preview = profile == ChatProfile::preview;
  if (effort.empty() || effort == "none") return std::string_view();
  if (effort == "max") return preview ? chat_text::kEffortFirst : chat_text::kEffortSecond;
  if (effort == "high") return preview ? std::string_view() : chat_text::kEffortFirst;
  if (effort == "low" && !preview) return std::string_view();
  return fail(ErrorCode::bad_data, "reasoning effort: unknown '" +
                                       to_printable(clip_prefix(effort, 40)) + "' (choose none, " +
                                       (preview ? "" : "low, ") + "high or max)");
}

class Renderer {
 public:
  Renderer(const ChatOptions& options, std::vector<MergedMessage> messages)
      : thinking_(options.mode == ThinkingMode::thinking),
        drop_thinking_(options.drop_thinking),
        messages_(std::move(messages)) {
    for (const MergedMessage& one : messages_)
      if (!one.message.tools.empty()) drop_thinking_ = false;
    find_last_user();
    if (!thinking_ || !drop_thinking_) return;
    std::size_t i = 0;
    std::erase_if(messages_, [&](const MergedMessage& one) {
      return static_cast<long>(i++) < last_user_ && one.message.role == ChatRole::developer;
    });
    find_last_user();
  }

  Result<ChatPrompt> run(std::string_view effort) {
    form(special::kBos);
    if (thinking_ && !messages_.empty()) form(effort);
    for (std::size_t i = 0; i < messages_.size(); ++i) {
      if (auto ok = render(i); !ok) return fail(std::move(ok).error());
      open_answer(i);
    }
    return std::move(prompt_);
  }

 private:
  void add(TextOrigin origin, std::string_view text) {
    if (text.empty()) return;
    if (prompt_.pieces.empty() || prompt_.pieces.back().origin != origin)
      prompt_.pieces.push_back({origin, ""});
    prompt_.pieces.back().text += text;
    size_ += text.size();
  }
  void form(std::string_view text) { add(TextOrigin::chat_template, text); }
  void given(std::string_view text) { add(TextOrigin::user, text); }

  void find_last_user() {
    last_user_ = -1;
    for (std::size_t i = 0; i < messages_.size(); ++i)
      if (asks(messages_[i].message.role)) last_user_ = static_cast<long>(i);
  }
  static bool asks(ChatRole role) { return role == ChatRole::user || role == ChatRole::developer; }

  Result<> render(std::size_t i) {
    const ChatMessage& message = messages_[i].message;
    switch (message.role) {
      case ChatRole::developer:
        if (message.content.empty())
          return fail(ErrorCode::bad_data, "a developer message has no content: give it a text");
        form(special::kUser);
        [[fallthrough]];
      case ChatRole::system:
        given(message.content);
        render_tools(message);
        break;
      case ChatRole::user:
        form(special::kUser);
        render_blocks(messages_[i].blocks);
        break;
      case ChatRole::latest_reminder:
        form(special::kLatestReminder);
        given(message.content);
        break;
      case ChatRole::assistant:
        render_assistant(i);
        break;
      case ChatRole::tool:
        break;  // merge_messages leaves none
    }
    return {};
  }

  void render_tools(const ChatMessage& message) {
    if (!message.tools.empty()) {
      form("\n\n");
      form(chat_text::kToolsHead);
      for (std::size_t i = 0; i < message.tools.size(); ++i) {
        if (i > 0) form("\n");
        given(message.tools[i]);
      }
      form(chat_text::kToolsTail);
    }
    if (message.response_format.empty()) return;
    form("\n\n");
    form(chat_text::kResponseFormat);
    given(message.response_format);
  }

  void render_blocks(const std::vector<UserBlock>& blocks) {
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      const bool result = blocks[i].kind == UserBlock::Kind::tool_result;
      if (i > 0) form("\n\n");
      if (result) form("<tool_result>");
      given(blocks[i].text);
      if (result) form("</tool_result>");
    }
  }

  void render_assistant(std::size_t i) {
    const ChatMessage& message = messages_[i].message;
    const bool answers_task = i > 0 && messages_[i - 1].message.task.has_value();
    const std::size_t begin = size_;
    if (thinking_ && !answers_task && (!drop_thinking_ || static_cast<long>(i) > last_user_)) {
      given(message.reasoning);
      form(special::kThinkEnd);
    }
    given(message.content);
    render_calls(message.calls);
    if (!message.open) form(special::kEos);
    prompt_.answers.push_back({begin, size_});
  }

  void render_calls(const std::vector<ToolCall>& calls) {
    if (calls.empty()) return;
    if (std::ranges::none_of(calls, [](const ToolCall& call) { return call.raw.empty(); })) {
      for (const ToolCall& call : calls) render_sampled(call.raw);
      return;
    }
    tag("\n\n<", "tool_calls>\n");
    for (std::size_t i = 0; i < calls.size(); ++i) {
      if (i > 0) form("\n");
      render_call(calls[i]);
    }
    tag("\n</", "tool_calls>");
  }

  // Of what the model sampled only the marker in a tag is a special token again; an argument that
  // quotes `<｜User｜>` stays text.
  void render_sampled(std::string_view raw) {
    while (!raw.empty()) {
      const std::size_t at = raw.find(special::kDsml);
      given(raw.substr(0, at));
      if (at == std::string_view::npos) return;
      const bool in_tag = at > 0 && (raw[at - 1] == '<' || raw[at - 1] == '/');
      add(in_tag ? TextOrigin::chat_template : TextOrigin::user, special::kDsml);
      raw.remove_prefix(at + special::kDsml.size());
    }
  }

  void tag(std::string_view open, std::string_view rest) {
    form(open);
    form(special::kDsml);
    form(rest);
  }

  void render_call(const ToolCall& call) {
    tag("<", "invoke name=\"");
    given(call.name);
    form("\">\n");
    const auto arguments = parse_json(call.arguments, JsonDialect::python);
    if (!arguments || !arguments->is(JsonValue::Kind::object)) {
      JsonValue raw;
      raw.kind = JsonValue::Kind::string;
      raw.text = call.arguments;
      render_parameter("arguments", raw);
    } else {
      for (std::size_t i = 0; i < arguments->items.size(); ++i) {
        if (i > 0) form("\n");
        render_parameter(arguments->keys[i], arguments->items[i]);
      }
    }
    tag("\n</", "invoke>");
  }

  // No escaping of any kind, neither in names nor in values.
  void render_parameter(std::string_view name, const JsonValue& value) {
    const bool text = value.is(JsonValue::Kind::string);
    tag("<", "parameter name=\"");
    given(name);
    form(text ? "\" string=\"true\">" : "\" string=\"false\">");
    given(text ? to_valid_utf8(value.text) : to_python_json(value));
    tag("</", "parameter>");
  }

  // Where the model is to go on: behind what asks, and before an answer that is already there.
  void open_answer(std::size_t i) {
    if (i + 1 < messages_.size()) {
      const ChatRole next = messages_[i + 1].message.role;
      if (next != ChatRole::assistant && next != ChatRole::latest_reminder) return;
    }
    const ChatMessage& message = messages_[i].message;
    if (message.task) {
      if (message.task == ChatTask::action) {
        form(special::kAssistant);
        form(thinking_ ? special::kThink : special::kThinkEnd);
      }
      form(kTaskTokens[static_cast<std::size_t>(*message.task)]);
    } else if (asks(message.role)) {
      const bool thinks = thinking_ && (!drop_thinking_ || static_cast<long>(i) >= last_user_);
      form(special::kAssistant);
      form(thinks ? special::kThink : special::kThinkEnd);
    }
  }

  bool thinking_;
  bool drop_thinking_;
  std::vector<MergedMessage> messages_;
  long last_user_ = -1;  ///< the last message that asks; -1: none
  ChatPrompt prompt_;
  std::size_t size_ = 0;  ///< of the pieces together
};

}  // namespace

Result<ChatProfile> parse_profile(std::string_view name) {
  if (name == "preview") return ChatProfile::preview;
  if (name == "0731") return ChatProfile::july_2026;
  return fail(ErrorCode::usage, "unknown chat profile '" + to_printable(clip_prefix(name, 40)) +
                                    "' (choose preview or 0731)");
}

std::string ChatPrompt::text() const {
  std::string joined;
  for (const TextPiece& piece : pieces) joined += piece.text;
  return joined;
}

bool ChatPrompt::opens_reasoning() const {
  return !pieces.empty() && pieces.back().origin == TextOrigin::chat_template &&
         pieces.back().text.ends_with(special::kThink);
}

Result<ChatPrompt> encode_chat(const Chat& chat, const ChatOptions& options) {
  const std::string_view effort = TRY(effort_text(options.profile, options.reasoning_effort));
  return Renderer(options, merge_messages(chat)).run(effort);
}

}  // namespace fathom::engine
