#include "engine/text/chat.hpp"

#include "engine/text/json_value.hpp"
#include "engine/text/python_json.hpp"
#include "runtime/base/text.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

namespace fathom::engine {
namespace {

using Kind = JsonValue::Kind;

constexpr std::array<std::string_view, 6> kRoles = {"system",    "developer", "user",
                                                    "assistant", "tool",      "latest_reminder"};
constexpr std::array<std::string_view, 6> kTasks = {"action", "query", "authority",
                                                    "domain", "title", "read_url"};

std::unexpected<Error> bad(std::string_view where, std::string_view what) {
  return fail(ErrorCode::bad_data, std::string(where) + ": " + std::string(what));
}

bool is_absent(const JsonValue* value) { return !value || value->is(Kind::null); }

bool is_true(const JsonValue* value) { return value && value->is(Kind::boolean) && value->boolean; }

// The place of `value`'s text in `names`, which is also the enumerator's.
Result<std::size_t> choose(const JsonValue* value, std::string_view what,
                           std::span<const std::string_view> names) {
  const bool text = value && value->is(Kind::string);
  const auto found = text ? std::ranges::find(names, value->text) : names.end();
  if (found != names.end()) return static_cast<std::size_t>(found - names.begin());
  std::string message = text ? "unknown " + std::string(what) + " '" +
                                   to_printable(clip_prefix(value->text, 40)) + "' (choose "
                             : "expected a " + std::string(what) + " (choose ";
  for (std::size_t i = 0; i < names.size(); ++i)
    message.append(i == 0 ? "" : ", ").append(names[i]);
  return fail(ErrorCode::bad_data, message + ")");
}

// Content is text, nothing, or a list of parts, of which the template knows only text. A lone
// surrogate, which JSON can spell and UTF-8 cannot, becomes a replacement character.
Result<std::string> to_content(const JsonValue* value) {
  if (is_absent(value)) return std::string();
  if (value->is(Kind::string)) return to_valid_utf8(value->text);
  if (!value->is(Kind::array))
    return fail(ErrorCode::bad_data, "content: expected text, null or a list of parts");
  std::string content;
  for (std::size_t i = 0; i < value->items.size(); ++i) {
    const JsonValue* type = value->items[i].find("type");
    if (!type || !type->is(Kind::string))
      return bad("content[" + std::to_string(i) + "]", "expected a part with a type");
    if (i > 0) content += "\n\n";
    const JsonValue* text = value->items[i].find("text");
    if (type->text != "text") {
      content += "[Unsupported " + type->text + "]";
    } else if (text && text->is(Kind::string)) {
      content += text->text;
    } else if (!is_absent(text)) {
      return bad("content[" + std::to_string(i) + "].text", "expected text");
    }
  }
  return to_valid_utf8(content);
}

Result<std::string> to_text(const JsonValue* value, std::string_view key) {
  if (is_absent(value)) return std::string();
  if (!value->is(Kind::string)) return bad(key, "expected text");
  return to_valid_utf8(value->text);
}

Result<std::vector<std::string>> to_tools(const JsonValue* value) {
  std::vector<std::string> tools;
  if (is_absent(value)) return tools;
  if (!value->is(Kind::array)) return bad("tools", "expected a list");
  for (std::size_t i = 0; i < value->items.size(); ++i) {
    const JsonValue* function = value->items[i].find("function");
    if (!function || !function->is(Kind::object))
      return bad("tools[" + std::to_string(i) + "]", "expected an object with a 'function'");
    tools.push_back(to_python_json(*function));
  }
  return tools;
}

Result<ToolCall> to_call(const JsonValue& value) {
  ToolCall call;
  call.id = TRY(to_text(value.find("id"), "id"));
  const JsonValue* function = value.find("function");
  if (!function || !function->is(Kind::object))
    return fail(ErrorCode::bad_data, "expected an object with a 'function'");
  const JsonValue* name = function->find("name");
  if (!name || !name->is(Kind::string)) return bad("function.name", "expected text");
  call.name = name->text;
  const JsonValue* arguments = function->find("arguments");
  if (arguments && arguments->is(Kind::object)) {
    call.arguments = to_python_json(*arguments);
  } else {
    call.arguments = TRY(to_text(arguments, "function.arguments"));
  }
  return call;
}

Result<std::vector<ToolCall>> to_calls(const JsonValue* value) {
  std::vector<ToolCall> calls;
  if (is_absent(value)) return calls;
  if (!value->is(Kind::array)) return bad("tool_calls", "expected a list");
  for (std::size_t i = 0; i < value->items.size(); ++i) {
    auto call = to_call(value->items[i]);
    if (!call)
      return fail(context("tool_calls[" + std::to_string(i) + "]", std::move(call).error()));
    calls.push_back(*std::move(call));
  }
  return calls;
}

Result<std::string> to_reasoning(const JsonValue& message) {
  for (std::string_view key : {"reasoning_content", "reasoning", "reasoning_text"})
    if (const JsonValue* value = message.find(key); !is_absent(value)) return to_text(value, key);
  return std::string();
}

Result<ChatMessage> to_message(const JsonValue& value) {
  if (!value.is(Kind::object)) return fail(ErrorCode::bad_data, "expected an object");
  ChatMessage message;
  const auto role = choose(value.find("role"), "role", kRoles);
  if (!role) return bad("role", role.error().message);
  message.role = static_cast<ChatRole>(*role);
  message.content = TRY(to_content(value.find("content")));
  message.tools = TRY(to_tools(value.find("tools")));
  message.tool_call_id = TRY(to_text(value.find("tool_call_id"), "tool_call_id"));
  if (message.role == ChatRole::assistant) {
    message.reasoning = TRY(to_reasoning(value));
    message.calls = TRY(to_calls(value.find("tool_calls")));
  }
  if (const JsonValue* format = value.find("response_format"); !is_absent(format))
    message.response_format = to_python_json(*format);
  if (const JsonValue* task = value.find("task"); !is_absent(task)) {
    const auto which = choose(task, "task", kTasks);
    if (!which) return bad("task", which.error().message);
    message.task = static_cast<ChatTask>(*which);
  }
  message.open = is_true(value.find("wo_eos")) || is_true(value.find("prefix"));
  return message;
}

void give_tools(Chat& chat, std::vector<std::string> tools) {
  const auto is_system = [](const ChatMessage& one) { return one.role == ChatRole::system; };
  auto system = std::ranges::find_if(chat, is_system);
  if (system == chat.end()) {
    ChatMessage empty;
    empty.role = ChatRole::system;
    system = chat.insert(chat.begin(), std::move(empty));
  }
  system->tools = std::move(tools);
}

}  // namespace

Result<Chat> parse_chat(std::string_view json) {
  const JsonValue root = TRY(parse_json(json));
  const JsonValue* messages = root.is(Kind::object) ? root.find("messages") : &root;
  if (!messages || !messages->is(Kind::array)) return bad("messages", "expected a list");
  Chat chat;
  for (std::size_t i = 0; i < messages->items.size(); ++i) {
    auto message = to_message(messages->items[i]);
    if (!message) {
      Error error = std::move(message).error();
      const bool whole = error.message == "expected an object";
      error.message = "messages[" + std::to_string(i) + (whole ? "]: " : "].") + error.message;
      return fail(std::move(error));
    }
    chat.push_back(*std::move(message));
  }
  if (auto tools = TRY(to_tools(root.find("tools"))); !tools.empty())
    give_tools(chat, std::move(tools));
  return chat;
}

}  // namespace fathom::engine
