#include "engine/session/session_event_words.hpp"
#include "engine/session/session_events.hpp"
#include "runtime/base/text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <utility>

namespace fathom::engine {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t kTextBytesMax = 8UL << 10;  // of a text in an event, as JSON
constexpr std::size_t kNameBytesMax = 1UL << 10;  // of what is short in all sane sessions
constexpr std::size_t kPreviewBytes = 512;
constexpr std::size_t kReferenceBytesMax = 6 * kPreviewBytes + 256;  // \u0001 is a byte's longest
constexpr std::size_t kRestBytesMax = 4UL << 10;                     // envelope, keys, numbers

static_assert(4 * kTextBytesMax + 5 * std::max(kNameBytesMax, kReferenceBytesMax) + kRestBytesMax <=
                  trace::kEventBytesMax,
              "agent.started holds the most: four texts and five names");

std::string dump(const ordered_json& value) {
  return value.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

std::string_view name_of(Role role) {
  for (const auto& [known, name] : kRoleNames)
    if (known == role) return name;
  return "user";
}

ordered_json calls_json(const std::vector<ToolCall>& calls) {
  ordered_json out = ordered_json::array();
  for (const ToolCall& call : calls)
    out.push_back({{"id", to_valid_utf8(call.id)},
                   {"name", to_valid_utf8(call.name)},
                   {"arguments", to_valid_utf8(call.arguments)},
                   {"raw", to_valid_utf8(call.raw)}});
  return out;
}

ordered_json message_json(const Message& message) {
  ordered_json results = ordered_json::array();
  for (const ToolResult& result : message.results)
    results.push_back({{"call", to_valid_utf8(result.call_id)},
                       {"status", name_of(result.status)},
                       {"content", to_valid_utf8(result.content)},
                       {"blob", to_valid_utf8(result.blob)}});
  return {{"role", name_of(message.role)},
          {"text", to_valid_utf8(message.text)},
          {"reasoning", to_valid_utf8(message.reasoning)},
          {"calls", calls_json(message.calls)},
          {"results", std::move(results)}};
}

ordered_json tools_json(const std::vector<ToolDeclaration>& tools) {
  ordered_json out = ordered_json::array();
  for (const ToolDeclaration& tool : tools)
    out.push_back({{"name", to_valid_utf8(tool.name)},
                   {"description", to_valid_utf8(tool.description)},
                   {"parameters", to_valid_utf8(tool.parameters)}});
  return out;
}

ordered_json usage_json(const Usage& usage) {
  return {{"prompt_tokens", usage.prompt_tokens},
          {"reused_tokens", usage.reused_tokens},
          {"completion_tokens", usage.completion_tokens},
          {"reasoning_tokens", usage.reasoning_tokens}};
}

/// Writes one event's data. Without a store it only finds out whether one is needed.
class Writer {
 public:
  explicit Writer(const trace::BlobStore* blobs) : blobs_(blobs) {}

  Result<trace::EventDraft> write(const SessionEvent& event) {
    trace::EventDraft draft;
    draft.type = std::visit([this](const auto& one) { return add(one); }, event);
    if (error_) return fail(context("encode " + draft.type, *std::move(error_)));
    draft.data = dump(data_);
    return draft;
  }
  [[nodiscard]] bool used_blobs() const { return used_blobs_; }

 private:
  ordered_json reference(std::string_view text) {
    used_blobs_ = true;
    if (blobs_ == nullptr || error_) return nullptr;
    if (text.size() > kBlobTextBytesMax) {
      error_ = Error{ErrorCode::too_large, "a text of " + format_bytes(text.size()) +
                                               " is more than a session's event may refer to (" +
                                               format_bytes(kBlobTextBytesMax) + ")"};
      return nullptr;
    }
    const Result<trace::BlobRef> blob = blobs_->put(text);
    if (!blob) {
      error_ = blob.error();
      return nullptr;
    }
    return {
        {"ref", blob->name}, {"size", text.size()}, {"preview", clip_prefix(text, kPreviewBytes)}};
  }

  ordered_json text(std::string_view given, std::size_t inline_max = kTextBytesMax) {
    // JSON is never shorter than its text, and mending never shortens.
    if (given.size() > inline_max && blobs_ == nullptr) return reference({});
    std::string mended = to_valid_utf8(given);
    ordered_json value = mended;
    if (mended.size() <= inline_max && dump(value).size() <= inline_max) return value;
    return reference(mended);
  }
  ordered_json name(std::string_view given) { return text(given, kNameBytesMax); }

  ordered_json list(ordered_json value) {
    const std::string whole = dump(value);
    return whole.size() <= kTextBytesMax ? std::move(value) : reference(whole);
  }

  void add_number(const char* key, std::optional<double> value, ordered_json& to) {
    if (!value) return;
    if (!std::isfinite(*value))
      error_ = Error{ErrorCode::bad_data, "'" + std::string(key) + "' is no finite number"};
    to[key] = *value;
  }

  const char* add(const AgentStarted& event) {
    const SessionSetup& setup = event.setup;
    ordered_json sampling = {{"effort", name(setup.sampling.effort)},
                             {"answer_tokens_max", setup.sampling.answer_tokens_max}};
    add_number("temperature", setup.sampling.temperature, sampling);
    add_number("top_p", setup.sampling.top_p, sampling);
    if (setup.sampling.seed) sampling["seed"] = *setup.sampling.seed;
    data_ = {{"agent", name(event.agent)},         {"engine", name(event.engine)},
             {"model", name(event.model)},         {"document", text(event.document)},
             {"system", text(setup.system)},       {"tools", list(tools_json(setup.tools))},
             {"sampling", std::move(sampling)},    {"answer_schema", text(setup.answer_schema)},
             {"cache_key", name(setup.cache_key)}, {"tools_in_prompt", setup.tools_in_prompt}};
    return "agent.started";
  }

  const char* add(const UserSaid& event) {
    switch (event.how) {
      case UserSaid::How::turn:
        data_ = {{"turn", event.turn}, {"text", text(event.text)}, {"key", name(event.key)}};
        if (event.repeated) data_["repeated"] = true;
        return "turn.started";
      case UserSaid::How::steer:
        data_ = {{"key", name(event.key)}, {"text", text(event.text)}};
        return "steer.delivered";
      case UserSaid::How::guard:
        break;
    }
    data_ = {{"guard", name(event.key)}, {"text", text(event.text)}};
    return "guard.noted";
  }

  const char* add(const RequestSent& event) {
    data_ = {{"request", event.request},
             {"attempt", event.attempt},
             {"epoch", event.epoch},
             {"messages", event.messages},
             {"bytes", event.bytes},
             {"stable_bytes", event.stable_bytes},
             {"sha256", name(event.sha256)},
             {"prompt_tokens", event.prompt_tokens},
             {"reused_tokens", event.reused_tokens}};
    if (event.divergence) {
      ordered_json& divergence = data_["divergence"] = {{"byte", event.divergence->byte}};
      if (event.divergence->message == Divergence::kSetup)
        divergence["message"] = kSetupName;
      else
        divergence["message"] = event.divergence->message;
    }
    return "model.request";
  }

  const char* add(const ModelAnswered& event) {
    data_ = {{"request", event.request},
             {"text", text(event.message.text)},
             {"reasoning", text(event.message.reasoning)},
             {"calls", list(calls_json(event.message.calls))},
             {"finish", engine::name_of(event.end)},
             {"usage", usage_json(event.usage)},
             {"model", name(event.model)},
             {"repaired", text(event.repaired)}};
    add_number("cost_usd", event.cost_usd, data_);
    return "model.message";
  }

  const char* add(const CallFinished& event) {
    data_ = {{"call", name(event.result.call_id)},
             {"status", name_of(event.result.status)},
             {"blob", name(event.result.blob)},
             {"content", text(event.result.content)}};
    return "tool.finished";
  }

  const char* add(const Compacted& event) {
    ordered_json messages = ordered_json::array();
    for (const Message& message : event.transcript.messages)
      messages.push_back(message_json(message));
    data_ = {{"epoch", event.transcript.epoch}, {"messages", list(std::move(messages))}};
    return "compaction.finished";
  }

  const char* add(const TurnEnded& event) {
    data_ = {{"turn", event.turn},
             {"reason", name(event.reason)},
             {"steps", event.steps},
             {"usage", usage_json(event.usage)}};
    add_number("cost_usd", event.cost_usd, data_);
    return "turn.finished";
  }

  const trace::BlobStore* blobs_;
  bool used_blobs_ = false;
  std::optional<Error> error_;
  ordered_json data_;
};

}  // namespace

Result<trace::EventDraft> encode(const SessionEvent& event, const trace::BlobStore& blobs) {
  return Writer(&blobs).write(event);
}

bool is_large(const SessionEvent& event) {
  Writer writer(nullptr);
  // What fails here fails in encode() as well.
  (void)writer.write(event);
  return writer.used_blobs();
}

}  // namespace fathom::engine
