#include "engine/session/local_prompt.hpp"

#include "engine/text/json_value.hpp"
#include "engine/text/python_json.hpp"
#include "engine/text/special_token.hpp"
#include "runtime/base/ensure.hpp"
#include "runtime/base/text.hpp"

#include <algorithm>
#include <utility>

namespace fathom::engine {
namespace {

constexpr std::string_view kDefaultEffort = "high";

JsonValue json_text(std::string text) {
  JsonValue out;
  out.kind = JsonValue::Kind::string;
  out.text = std::move(text);
  return out;
}

Result<std::string> to_function(const ToolDeclaration& tool) {
  auto parameters = parse_json(tool.parameters, JsonDialect::python);
  if (!parameters)
    return fail(context("tool '" + to_printable(clip_prefix(tool.name, 80)) + "': parameters",
                        parameters.error()));
  JsonValue function;
  function.kind = JsonValue::Kind::object;
  function.keys = {"name", "description", "parameters"};
  function.items = {json_text(tool.name), json_text(tool.description), *std::move(parameters)};
  return to_python_json(function);
}

void append(const Message& message, Chat& chat) {
  ChatMessage out;
  switch (message.role) {
    case Role::system:
      out.role = ChatRole::system;
      break;
    case Role::user:
      out.role = ChatRole::user;
      break;
    case Role::assistant:
      out.role = ChatRole::assistant;
      out.reasoning = message.reasoning;
      out.calls = message.calls;
      break;
    case Role::tool:
      for (const ToolResult& result : message.results) {
        ChatMessage one;
        one.role = ChatRole::tool;
        one.content = result.content;
        one.tool_call_id = result.call_id;
        chat.push_back(std::move(one));
      }
      return;
  }
  out.content = message.text;
  chat.push_back(std::move(out));
}

/// What opens the answer, at the end of a prompt that asks for one.
std::string_view closing_of(const ChatPrompt& prompt) {
  if (prompt.pieces.empty() || prompt.pieces.back().origin != TextOrigin::chat_template) return {};
  const std::string_view last = prompt.pieces.back().text;
  const std::size_t at = last.rfind(special::kAssistant);
  if (at == std::string_view::npos) return {};
  const std::string_view closing = last.substr(at);
  const std::string_view behind = closing.substr(special::kAssistant.size());
  return behind == special::kThink || behind == special::kThinkEnd ? closing : std::string_view();
}

std::vector<TextPiece> pieces_from(const ChatPrompt& prompt, std::size_t at) {
  std::vector<TextPiece> out;
  for (const TextPiece& piece : prompt.pieces) {
    if (at < piece.text.size()) out.push_back({piece.origin, piece.text.substr(at)});
    at -= std::min(at, piece.text.size());
  }
  return out;
}

}  // namespace

Result<LocalPrompt> LocalPrompt::create(const SessionSetup& setup, ChatProfile profile,
                                        const Tokenizer& tokenizer) {
  LocalPrompt out(tokenizer);
  const std::string& effort = setup.sampling.effort;
  out.options_.profile = profile;
  out.options_.mode = effort == "none" ? ThinkingMode::chat : ThinkingMode::thinking;
  out.options_.reasoning_effort = effort.empty() ? kDefaultEffort : effort;
  // Leaving earlier thoughts out would change what is resident already.
  out.options_.drop_thinking = false;
  for (const ToolDeclaration& tool : setup.tools) out.functions_.push_back(TRY(to_function(tool)));
  out.system_.role = ChatRole::system;
  out.system_.content = setup.system;
  if (setup.tools_in_prompt) out.system_.tools = out.functions_;
  if (!setup.answer_schema.empty()) {
    const auto schema = parse_json(setup.answer_schema, JsonDialect::python);
    if (!schema) return fail(context("answer schema", schema.error()));
    out.system_.response_format = to_python_json(*schema);
  }
  TRY(encode_chat({out.system_}, out.options_));
  return out;
}

Result<> LocalPrompt::render(const Transcript& transcript) {
  const std::vector<Message>& messages = transcript.messages;
  if (messages.empty() || messages.back().role == Role::assistant ||
      messages.back().role == Role::system)
    return fail(ErrorCode::usage, "the transcript does not end with anything to answer");
  Chat chat = {system_};
  std::vector<std::size_t> ends;
  for (const Message& message : messages) {
    append(message, chat);
    ends.push_back(chat.size());
  }
  const ChatPrompt prompt = TRY(encode_chat(chat, options_));
  std::string text = prompt.text();
  const std::string_view closing = closing_of(prompt);
  const bool grown =
      std::string_view(text).starts_with(std::string_view(text_).substr(0, stable_bytes_));
  TRY(find_starts(chat, ends, grown));
  tokenize(prompt, text);
  text_ = std::move(text);
  stable_bytes_ = text_.size() - closing.size();
  stable_tokens_ = tokens_.size() - tokenizer_->encode_template(closing).size();
  opens_reasoning_ = prompt.opens_reasoning();
  sampled_.clear();
  epoch_ = transcript.epoch;
  return {};
}

// How long a message is does not depend on more than the answer before it, from which on results
// and texts become one message of the user.
Result<> LocalPrompt::find_starts(const Chat& chat, std::span<const std::size_t> ends, bool grown) {
  const auto bytes_of = [&](std::size_t from, std::size_t to) -> Result<std::size_t> {
    Chat window = {chat.front()};
    const auto begin = chat.begin();
    window.insert(window.end(), begin + static_cast<std::ptrdiff_t>(from),
                  begin + static_cast<std::ptrdiff_t>(to));
    const ChatPrompt prompt = TRY(encode_chat(window, options_));
    return prompt.text().size() - closing_of(prompt).size();
  };
  // The last known one may have begun in the closing that stands elsewhere now.
  if (!grown || starts_.size() > ends.size()) starts_.clear();
  if (starts_.empty()) starts_.push_back(TRY(bytes_of(1, 1)));
  std::size_t from = 1;  // the last answer before the message, or the first message
  for (std::size_t i = 0; i + 1 < ends.size(); ++i) {
    const std::size_t begin = i == 0 ? 1 : ends[i - 1];
    if (i + 1 >= starts_.size()) {
      const std::size_t before = TRY(bytes_of(from, begin));
      const std::size_t with = TRY(bytes_of(from, ends[i]));
      starts_.push_back(starts_.back() + with - before);
    }
    if (chat[begin].role == ChatRole::assistant) from = begin;
  }
  return {};
}

void LocalPrompt::tokenize(const ChatPrompt& prompt, std::string_view text) {
  const std::string_view before = text_;
  if (!before.empty() && text.starts_with(before)) {
    // It ends with a special token, so nothing behind it changes its tokens.
    fresh_bytes_ = before.size();
    const std::size_t sampled = sampled_prefix(text.substr(before.size()));
    for (std::size_t i = 0; i < sampled; ++i) {
      tokens_.push_back(sampled_[i]);
      fresh_bytes_ += tokenizer_->token_bytes(sampled_[i]).size();
    }
    fresh_tokens_ = tokens_.size();
  } else if (!text.starts_with(before.substr(0, fresh_bytes_))) {
    fresh_bytes_ = 0;
    fresh_tokens_ = 0;
  }
  tokens_.resize(fresh_tokens_);
  const std::vector<TokenId> fresh = tokenizer_->encode_pieces(pieces_from(prompt, fresh_bytes_));
  tokens_.insert(tokens_.end(), fresh.begin(), fresh.end());
}

// How many of the sampled tokens the rendering repeats, up to where a special token of the template
// follows: only there no other token could cross.
std::size_t LocalPrompt::sampled_prefix(std::string_view rest) const {
  std::size_t taken = 0;
  for (std::size_t i = 0; i < sampled_.size(); ++i) {
    const std::string_view bytes = tokenizer_->token_bytes(sampled_[i]);
    if (!rest.starts_with(bytes)) break;
    rest.remove_prefix(bytes.size());
    if (rest.starts_with(special::kEos) || rest.starts_with(special::kThinkEnd)) taken = i + 1;
  }
  return taken;
}

}  // namespace fathom::engine
