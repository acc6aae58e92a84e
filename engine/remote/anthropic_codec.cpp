#include "engine/remote/anthropic_codec.hpp"

#include "engine/remote/anthropic_blocks.hpp"
#include "engine/remote/anthropic_reader.hpp"
#include "engine/remote/wire_json.hpp"

#include <algorithm>
#include <utility>

namespace fathom::engine {
namespace {

// Anthropic refuses an empty message and an empty text block.
constexpr std::string_view kNothingSaid = "(no text)";

std::string_view or_nothing_said(std::string_view text) {
  return text.find_first_not_of(" \t\r\n") == std::string_view::npos ? kNothingSaid : text;
}

void append_tools(std::string& body, const std::vector<ToolDeclaration>& tools) {
  if (tools.empty()) return;
  body += ",\"tools\":[";
  for (std::size_t i = 0; i < tools.size(); ++i) {
    body += i == 0 ? "{" : ",{";
    append_json_field(body, "name", tools[i].name);
    body += ',';
    append_json_field(body, "description", tools[i].description);
    body += ",\"input_schema\":";
    body += tools[i].parameters.empty() ? R"({"type":"object"})" : tools[i].parameters;
    body += '}';
  }
  body += ']';
}

void append_tool_results(std::string& out, const Message& message) {
  for (std::size_t i = 0; i < message.results.size(); ++i) {
    const ToolResult& result = message.results[i];
    out += i == 0 ? R"({"type":"tool_result",)" : R"(,{"type":"tool_result",)";
    append_json_field(out, "tool_use_id", result.call_id);
    out += ',';
    append_json_field(out, "content", result.content);
    if (result.status != ToolStatus::ok) out += ",\"is_error\":true";
    out += '}';
  }
}

bool is_sampled(const Message& message, const SampledContent& sampled) {
  const auto same_call = [](const ToolCall& a, const ToolCall& b) {
    return a.id == b.id && a.name == b.name && a.arguments == b.arguments;
  };
  return !sampled.wire.empty() && message.text == sampled.message.text &&
         message.reasoning == sampled.message.reasoning &&
         std::ranges::equal(message.calls, sampled.message.calls, same_call);
}

}  // namespace

void AnthropicCodec::append_thinking_settings(std::string& body, const SessionSetup& setup) const {
  const std::string& effort = setup.sampling.effort;
  const bool with_format = !setup.answer_schema.empty() && options_.vendor == Vendor::anthropic;
  if (effort == "none") {
    body += R"(,"thinking":{"type":"disabled"})";
  } else if (!effort.empty()) {
    // Anthropic's present models decide by themselves how long to think; DeepSeek documents
    // "enabled", with which Anthropic would want a budget.
    body += options_.vendor == Vendor::deepseek ? R"(,"thinking":{"type":"enabled"})"
                                                : R"(,"thinking":{"type":"adaptive"})";
  }
  const bool with_effort = !effort.empty() && effort != "none";
  if (!with_effort && !with_format) return;
  body += ",\"output_config\":{";
  if (with_effort) append_json_field(body, "effort", effort);
  if (with_effort && with_format) body += ',';
  if (with_format)
    body += R"("format":{"type":"json_schema","schema":)" + setup.answer_schema + "}";
  body += '}';
}

std::string AnthropicCodec::begin(const SessionSetup& setup) const {
  std::string body = "{";
  if (!options_.model.empty()) {
    append_json_field(body, "model", options_.model);
    body += ',';
  }
  body += "\"stream\":true";
  if (options_.vendor == Vendor::anthropic) body += R"(,"cache_control":{"type":"ephemeral"})";
  append_thinking_settings(body, setup);
  const SamplingSettings& sampling = setup.sampling;
  if (sampling.temperature) body += ",\"temperature\":" + json_number(*sampling.temperature);
  if (sampling.top_p) body += ",\"top_p\":" + json_number(*sampling.top_p);
  if (!setup.cache_key.empty()) {
    body += ",\"metadata\":{";
    append_json_field(body, "user_id", setup.cache_key);
    body += '}';
  }
  append_tools(body, setup.tools);
  std::string system = setup.system;
  if (!setup.answer_schema.empty() && options_.vendor != Vendor::anthropic)
    system += schema_request(setup.answer_schema);
  if (!system.empty()) {
    body += ",\"system\":[";
    append_text_block(body, system);
    body += ']';
  }
  return body + ",\"messages\":[";
}

void AnthropicCodec::append_assistant(std::string& out, const Message& message,
                                      const SampledContent& sampled) const {
  out += R"({"role":"assistant","content":[)";
  if (is_sampled(message, sampled)) {
    out += sampled.wire + "]}";
    return;
  }
  const std::size_t begin = out.size();
  const auto separate = [&out, begin] {
    if (out.size() != begin) out += ',';
  };
  if (!message.reasoning.empty() && options_.vendor != Vendor::anthropic)
    append_thinking_block(out, message.reasoning, "");
  if (!message.text.empty()) {
    separate();
    append_text_block(out, or_nothing_said(message.text));
  }
  for (const ToolCall& call : message.calls) {
    separate();
    append_tool_use_block(out, call);
  }
  if (out.size() == begin) append_text_block(out, kNothingSaid);
  out += "]}";
}

void AnthropicCodec::append(RenderedBody& body, const Message& message,
                            const SampledContent& sampled) const {
  std::string& out = body.bytes;
  if (!body.first) out += ',';
  body.first = false;
  if (message.role == Role::assistant) return append_assistant(out, message, sampled);
  out += R"({"role":"user","content":[)";
  if (message.role == Role::tool) {
    append_tool_results(out, message);
  } else {
    append_text_block(out, or_nothing_said(message.text));
  }
  out += "]}";
}

std::string AnthropicCodec::end(const SessionSetup& setup, const RequestLimits& limits) const {
  const std::uint64_t tokens = answer_tokens_max(setup, limits);
  std::string close = "],\"max_tokens\":";
  close += std::to_string(tokens == 0 ? kAnthropicAnswerTokens : tokens);
  if (!limits.may_call && !setup.tools.empty()) close += R"(,"tool_choice":{"type":"none"})";
  return close + "}";
}

std::unique_ptr<AnswerReader> AnthropicCodec::reader(const AnswerContext& context) const {
  return std::make_unique<AnthropicReader>(context);
}

}  // namespace fathom::engine
