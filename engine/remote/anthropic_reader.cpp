#include "engine/remote/anthropic_reader.hpp"

#include "engine/remote/anthropic_blocks.hpp"
#include "engine/remote/fault_of.hpp"
#include "engine/remote/wire_json.hpp"
#include "engine/text/python_json.hpp"
#include "runtime/base/text.hpp"

#include <algorithm>
#include <utility>

namespace fathom::engine {
namespace {

constexpr std::size_t kBytesShown = 120;

std::unexpected<Fault> unreadable(std::string why) {
  return std::unexpected(Fault{FaultClass::format, std::move(why), std::nullopt});
}

std::optional<Fault> fault_in(AnswerDraft::Step step) {
  if (step) return std::nullopt;
  return std::move(step).error();
}

// An event may repeat what an earlier one said of the tokens, or leave it out.
void update(std::uint64_t& count, const JsonValue* value) {
  if (value) count = std::max(count, count_of(value));
}

Result<JsonValue> parse_object(std::string_view json) {
  auto value = parse_json(json);
  if (value && value->is(JsonValue::Kind::object)) return value;
  return fail(ErrorCode::bad_data,
              "an event is no JSON object: " + to_printable(clip_prefix(json, kBytesShown)));
}

}  // namespace

std::optional<Fault> AnthropicReader::on_event(const net::SseEvent& event,
                                               std::vector<SampleDelta>& deltas) {
  if (done_ || event.data.empty() || event.type == "ping") return std::nullopt;
  if (event.data == "[DONE]") return std::nullopt;  // some copies of the API send OpenAI's end
  const auto data = parse_object(event.data);
  if (!data) return unreadable(data.error().message).error();
  std::string type = text_of(data->find("type"));
  if (type.empty()) type = event.type;
  if (type == "error") return fault_in_answer(event.data);
  return fault_in(take_event(type, *data, deltas));
}

std::optional<Fault> AnthropicReader::on_body(std::string_view json,
                                              std::vector<SampleDelta>& deltas) {
  const auto data = parse_object(json);
  if (!data) return unreadable(data.error().message).error();
  if (const JsonValue* error = data->find("error"); error && !error->is(JsonValue::Kind::null))
    return fault_in_answer(json);
  const JsonValue* content = data->find("content");
  if (!content || !content->is(JsonValue::Kind::array))
    return unreadable("the answer has no content").error();
  message_seen_ = true;
  model_ = text_of(data->find("model"));
  for (std::size_t i = 0; i < content->items.size(); ++i)
    if (auto step = start_block(i, content->items[i], deltas); !step) return step.error();
  take_stop(*data);
  take_usage(data->find("usage"));
  done_ = true;
  return std::nullopt;
}

AnthropicReader::Step AnthropicReader::take_event(std::string_view type, const JsonValue& data,
                                                  std::vector<SampleDelta>& deltas) {
  if (type == "message_start") {
    message_seen_ = true;
    model_ = text_of(find_path(data, {"message", "model"}));
    take_usage(find_path(data, {"message", "usage"}));
  } else if (type == "content_block_start") {
    const JsonValue* block = data.find("content_block");
    if (!block) return unreadable("content_block_start without a block");
    return start_block(count_of(data.find("index")), *block, deltas);
  } else if (type == "content_block_delta") {
    return take_delta(data, deltas);
  } else if (type == "message_delta") {
    if (const JsonValue* delta = data.find("delta")) take_stop(*delta);
    take_usage(data.find("usage"));
  } else if (type == "message_stop") {
    done_ = true;
  }
  return {};  // content_block_stop says nothing new; what is unknown is passed over, as asked for
}

AnthropicReader::Step AnthropicReader::start_block(std::uint64_t index, const JsonValue& content,
                                                   std::vector<SampleDelta>& deltas) {
  if (blocks_.size() >= kBlocksMax)
    return unreadable("more than " + std::to_string(kBlocksMax) + " blocks in one answer");
  const auto [at, is_new] = blocks_.try_emplace(index);
  if (!is_new) return unreadable("block " + std::to_string(index) + " begins twice");
  Block& block = at->second;
  const std::string type = text_of(content.find("type"));
  if (type == "text") {
    block.kind = Block::Kind::text;
    return add_to(block, text_of(content.find("text")), deltas);
  }
  if (type == "thinking") {
    block.kind = Block::Kind::thinking;
    block.signature = text_of(content.find("signature"));
    return add_to(block, text_of(content.find("thinking")), deltas);
  }
  if (type == "redacted_thinking") {
    block.kind = Block::Kind::redacted;
    block.text = text_of(content.find("data"));
  }
  if (type != "tool_use") return {};
  block.kind = Block::Kind::call;
  block.call = draft_.call_count();
  Step step = draft_.open_call(text_of(content.find("id")));
  if (step) step = draft_.add_name(block.call, text_of(content.find("name")));
  const JsonValue* input = content.find("input");
  // A stream begins with an empty object and sends the arguments after it.
  if (!step || !input || !input->is(JsonValue::Kind::object) || input->items.empty()) return step;
  return add_to(block, to_python_json(*input), deltas);
}

AnthropicReader::Step AnthropicReader::add_to(Block& block, std::string text,
                                              std::vector<SampleDelta>& deltas) {
  switch (block.kind) {
    case Block::Kind::text:
      block.text += text;
      return draft_.add_content(std::move(text), deltas);
    case Block::Kind::thinking:
      block.text += text;
      return draft_.add_reasoning(std::move(text), deltas);
    case Block::Kind::call:
      return draft_.add_arguments(block.call, std::move(text), deltas);
    case Block::Kind::redacted:
    case Block::Kind::unknown:
      return {};
  }
  return {};
}

AnthropicReader::Step AnthropicReader::take_delta(const JsonValue& data,
                                                  std::vector<SampleDelta>& deltas) {
  const auto at = blocks_.find(count_of(data.find("index")));
  const JsonValue* delta = data.find("delta");
  if (at == blocks_.end() || !delta) return unreadable("a delta of a block that has not begun");
  Block& block = at->second;
  const std::string type = text_of(delta->find("type"));
  if (type == "signature_delta") {
    block.signature += text_of(delta->find("signature"));
    if (block.signature.size() > kAnswerBytesMax) return unreadable("a signature without an end");
    return {};
  }
  using Kind = Block::Kind;
  if (type == "text_delta" && block.kind == Kind::text)
    return add_to(block, text_of(delta->find("text")), deltas);
  if (type == "thinking_delta" && block.kind == Kind::thinking)
    return add_to(block, text_of(delta->find("thinking")), deltas);
  if (type == "input_json_delta" && block.kind == Kind::call)
    return add_to(block, text_of(delta->find("partial_json")), deltas);
  return {};
}

void AnthropicReader::take_usage(const JsonValue* usage) {
  if (!usage || !usage->is(JsonValue::Kind::object)) return;
  update(fresh_tokens_, usage->find("input_tokens"));
  update(written_tokens_, usage->find("cache_creation_input_tokens"));
  update(reused_tokens_, usage->find("cache_read_input_tokens"));
  update(output_tokens_, usage->find("output_tokens"));
}

void AnthropicReader::take_stop(const JsonValue& message) {
  if (std::string reason = text_of(message.find("stop_reason")); !reason.empty())
    stop_reason_ = std::move(reason);
}

// The content as it is to come back. Calls are written as they were settled.
std::string AnthropicReader::wire_content(const AnswerDraft::Settled& settled) const {
  std::string out;
  for (const auto& [index, block] : blocks_) {
    const std::size_t begin = out.size();
    if (begin != 0) out += ',';
    const std::size_t bare = out.size();
    if (block.kind == Block::Kind::thinking)
      append_thinking_block(out, block.text, block.signature);
    if (block.kind == Block::Kind::redacted) {
      out += R"({"type":"redacted_thinking",)";
      append_json_field(out, "data", block.text);
      out += '}';
    }
    // Anthropic refuses a text of blanks, even one that it has sent.
    const bool blank = block.text.find_first_not_of(" \t\r\n") == std::string::npos;
    if (block.kind == Block::Kind::text && !blank) append_text_block(out, block.text);
    if (block.kind == Block::Kind::call) {
      const auto kept = std::ranges::find(settled.kept, block.call);
      if (kept != settled.kept.end())
        append_tool_use_block(
            out,
            settled.sample.message.calls[static_cast<std::size_t>(kept - settled.kept.begin())]);
    }
    if (out.size() == bare) out.resize(begin);
  }
  return out;
}

std::expected<AnswerReader::Whole, Fault> AnthropicReader::finish(
    std::vector<SampleDelta>& deltas) {
  const auto fail_as = [](FaultClass kind, std::string why) {
    return std::unexpected(Fault{kind, std::move(why), std::nullopt});
  };
  if (stop_reason_ == "refusal")
    return fail_as(FaultClass::refused, "the model refuses to answer this");
  if (stop_reason_ == "model_context_window_exceeded")
    return fail_as(FaultClass::overflow, "the answer does not fit into the model's context");
  if (!done_ && stop_reason_.empty())
    return fail_as(FaultClass::transport,
                   "the answer broke off after " + format_bytes(draft_.bytes()));
  if (!message_seen_) return unreadable("the answer has no message");
  auto settled = draft_.settle(
      stop_reason_ == "max_tokens" ? FinishReason::length : FinishReason::stop, deltas);
  if (!settled) return std::unexpected(std::move(settled).error());
  std::string wire;
  // Calls that came as text have no blocks to return.
  const std::size_t calls = settled->sample.message.calls.size();
  if (calls == settled->kept.size()) wire = wire_content(*settled);
  Usage usage;
  usage.reused_tokens = reused_tokens_;
  usage.prompt_tokens = fresh_tokens_ + written_tokens_ + reused_tokens_;
  usage.completion_tokens = output_tokens_;
  return Whole{{std::move(settled->sample), usage, model_, std::move(settled->repaired)},
               std::move(wire)};
}

}  // namespace fathom::engine
