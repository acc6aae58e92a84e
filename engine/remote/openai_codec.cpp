#include "engine/remote/openai_codec.hpp"

#include "engine/remote/openai_reader.hpp"
#include "engine/remote/wire_json.hpp"

#include <utility>

namespace fathom::engine {
namespace {

constexpr std::size_t kUserIdBytesMax = 512;  // DeepSeek's bound

void append_tools(std::string& body, const std::vector<ToolDeclaration>& tools) {
  if (tools.empty()) return;
  body += ",\"tools\":[";
  for (std::size_t i = 0; i < tools.size(); ++i) {
    if (i != 0) body += ',';
    body += R"({"type":"function","function":{)";
    append_json_field(body, "name", tools[i].name);
    body += ',';
    append_json_field(body, "description", tools[i].description);
    if (!tools[i].parameters.empty()) body += ",\"parameters\":" + tools[i].parameters;
    body += "}}";
  }
  body += ']';
}

void append_text_message(std::string& body, std::string_view role, std::string_view text) {
  body += '{';
  append_json_field(body, "role", role);
  body += ',';
  append_json_field(body, "content", text);
  body += '}';
}

// The API's names for the efforts; "" leaves the field out.
std::string_view effort_word(Vendor vendor, std::string_view effort) {
  if (vendor == Vendor::openai) return effort == "max" ? "xhigh" : effort;
  return effort == "none" ? "" : effort;
}

}  // namespace

OpenAiOptions openai_options(std::string model, Vendor vendor) {
  OpenAiOptions options;
  options.vendor = vendor;
  if (vendor == Vendor::deepseek) options.schema = OpenAiOptions::Schema::in_words;
  options.always_reasoning = vendor == Vendor::deepseek ||
                             (vendor == Vendor::other && model.contains("eepseek")) ||
                             (vendor == Vendor::other && model.contains("eepSeek"));
  options.model = std::move(model);
  return options;
}

void OpenAiCodec::append_effort(std::string& body, const std::string& effort) const {
  if (effort.empty()) return;
  // OpenAI answers 400 to fields it does not know, everybody else passes over them.
  if (options_.vendor != Vendor::openai)
    body += effort == "none" ? R"(,"thinking":{"type":"disabled"})"
                             : R"(,"thinking":{"type":"enabled"})";
  // vLLM and SGLang hand this to the chat template, which is where DeepSeek's models are told.
  if (options_.vendor == Vendor::other && options_.always_reasoning)
    body += effort == "none" ? R"(,"chat_template_kwargs":{"thinking":false})"
                             : R"(,"chat_template_kwargs":{"thinking":true})";
  const std::string_view word = effort_word(options_.vendor, effort);
  if (word.empty()) return;
  body += ',';
  append_json_field(body, "reasoning_effort", word);
}

std::string OpenAiCodec::begin(const SessionSetup& setup) const {
  std::string body = "{";
  if (!options_.model.empty()) {
    append_json_field(body, "model", options_.model);
    body += ',';
  }
  body += R"("stream":true,"stream_options":{"include_usage":true})";
  const SamplingSettings& sampling = setup.sampling;
  append_effort(body, sampling.effort);
  if (sampling.temperature) body += ",\"temperature\":" + json_number(*sampling.temperature);
  if (sampling.top_p) body += ",\"top_p\":" + json_number(*sampling.top_p);
  if (!setup.cache_key.empty()) {
    const bool by_user = options_.vendor == Vendor::deepseek;
    const std::string_view key = setup.cache_key;
    body += ',';
    append_json_field(body, by_user ? "user_id" : "prompt_cache_key",
                      key.substr(0, kUserIdBytesMax));
  }
  append_tools(body, setup.tools);
  std::string system = setup.system;
  if (!setup.answer_schema.empty()) {
    // With tools, most servers would force the schema where a call is to come.
    const bool alone = setup.tools.empty();
    if (options_.schema == OpenAiOptions::Schema::json_schema &&
        (alone || options_.vendor == Vendor::openai)) {
      body += R"(,"response_format":{"type":"json_schema","json_schema":{"name":"answer",)";
      body += R"("strict":true,"schema":)" + setup.answer_schema + "}}";
    } else {
      system += schema_request(setup.answer_schema);
      if (alone) body += R"(,"response_format":{"type":"json_object"})";
    }
  }
  body += ",\"messages\":[";
  if (!system.empty()) append_text_message(body, "system", system);
  return body;
}

void OpenAiCodec::append_assistant(RenderedBody& body, const Message& message) const {
  std::string& out = body.bytes;
  out += R"({"role":"assistant",)";
  append_json_field(out, "content", message.text);
  if (!message.reasoning.empty()) body.reasoning_seen = true;
  if (options_.vendor != Vendor::openai && (options_.always_reasoning || body.reasoning_seen)) {
    out += ',';
    append_json_field(out, "reasoning_content", message.reasoning);
  }
  if (!message.calls.empty()) {
    out += ",\"tool_calls\":[";
    for (std::size_t i = 0; i < message.calls.size(); ++i) {
      const ToolCall& call = message.calls[i];
      out += i == 0 ? "{" : ",{";
      append_json_field(out, "id", call.id);
      out += R"(,"type":"function","function":{)";
      append_json_field(out, "name", call.name);
      out += ',';
      append_json_field(out, "arguments", call.arguments);
      out += "}}";
    }
    out += ']';
  }
  out += '}';
}

void OpenAiCodec::append(RenderedBody& body, const Message& message,
                         const SampledContent& /*sampled*/) const {
  // The system message, if any, stands there already.
  const auto separate = [&body] {
    if (body.bytes.back() != '[') body.bytes += ',';
    body.first = false;
  };
  switch (message.role) {
    case Role::system:
    case Role::user:
      separate();
      return append_text_message(body.bytes, message.role == Role::user ? "user" : "system",
                                 message.text);
    case Role::assistant:
      separate();
      return append_assistant(body, message);
    case Role::tool:
      for (const ToolResult& result : message.results) {
        separate();
        body.bytes += R"({"role":"tool",)";
        append_json_field(body.bytes, "tool_call_id", result.call_id);
        body.bytes += ',';
        append_json_field(body.bytes, "content", result.content);
        body.bytes += '}';
      }
      return;
  }
}

std::string OpenAiCodec::end(const SessionSetup& setup, const RequestLimits& limits) const {
  std::string close = "]";
  if (const std::uint64_t tokens = answer_tokens_max(setup, limits); tokens != 0) {
    // Reasoning models of OpenAI refuse the old name, other servers know it best.
    close += options_.vendor == Vendor::openai ? ",\"max_completion_tokens\":" : ",\"max_tokens\":";
    close += std::to_string(tokens);
  }
  const auto& seed = limits.seed ? limits.seed : setup.sampling.seed;
  if (seed) close += ",\"seed\":" + std::to_string(*seed);
  if (!limits.may_call && !setup.tools.empty()) close += R"(,"tool_choice":"none")";
  return close + "}";
}

std::unique_ptr<AnswerReader> OpenAiCodec::reader(const AnswerContext& context) const {
  return std::make_unique<OpenAiReader>(context);
}

}  // namespace fathom::engine
