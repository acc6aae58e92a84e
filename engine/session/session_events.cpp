#include "engine/session/session_events.hpp"

#include "runtime/base/text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace fathom::engine {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t kTextBytesMax = 8UL << 10;  // of a text in an event, as JSON
constexpr std::size_t kNameBytesMax = 1UL << 10;  // of what is short in all sane sessions
constexpr std::size_t kPreviewBytes = 512;
constexpr std::size_t kReferenceBytesMax = 6 * kPreviewBytes + 256;  // \u0001 is a byte's longest
constexpr std::size_t kRestBytesMax = 4UL << 10;                     // envelope, keys, numbers
constexpr std::size_t kBlobTextBytesMax = 256UL << 20;  // a million tokens are some 4 MB
constexpr std::string_view kSetupName = "setup";

static_assert(4 * kTextBytesMax + 5 * std::max(kNameBytesMax, kReferenceBytesMax) + kRestBytesMax <=
                  trace::kEventBytesMax,
              "agent.started holds the most: four texts and five names");

constexpr std::array kRoles = {std::pair{Role::system, std::string_view("system")},
                               std::pair{Role::user, std::string_view("user")},
                               std::pair{Role::assistant, std::string_view("assistant")},
                               std::pair{Role::tool, std::string_view("tool")}};
constexpr std::array kStatuses = {ToolStatus::ok, ToolStatus::failed, ToolStatus::denied,
                                  ToolStatus::cancelled};
constexpr std::array kEnds = {AnswerEnd::stop, AnswerEnd::length, AnswerEnd::tool_calls,
                              AnswerEnd::interrupted};

std::string dump(const ordered_json& value) {
  return value.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

std::string_view name_of(Role role) {
  for (const auto& [known, name] : kRoles)
    if (known == role) return name;
  return "user";
}

// --- writing -------------------------------------------------------------------------------------

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

// --- reading -------------------------------------------------------------------------------------

/// Reads an object's keys. The first thing that is wrong stays; what is read after it is empty.
class Reader {
 public:
  explicit Reader(const ReadBlob& blobs) : blobs_(blobs) {}

  [[nodiscard]] const std::optional<Error>& error() const { return error_; }
  void wrong(const std::string& key, const std::string& what) {
    if (!error_) error_ = Error{ErrorCode::bad_data, "key '" + key + "' " + what};
  }

  const ordered_json* find(const ordered_json& object, const std::string& path,
                           std::string_view key) {
    const auto found = object.find(key);
    if (found != object.end()) return &*found;
    wrong(path + std::string(key), "is missing");
    return nullptr;
  }

  std::string text(const ordered_json& object, const std::string& path, std::string_view key) {
    const ordered_json* value = find(object, path, key);
    if (value == nullptr) return {};
    if (value->is_string()) return value->get<std::string>();
    if (value->is_object()) return referred(*value, path + std::string(key));
    wrong(path + std::string(key), "is no text");
    return {};
  }

  std::uint64_t count(const ordered_json& object, const std::string& path, std::string_view key) {
    const ordered_json* value = find(object, path, key);
    if (value == nullptr) return 0;
    if (value->is_number_unsigned()) return value->get<std::uint64_t>();
    wrong(path + std::string(key), "is no count");
    return 0;
  }

  bool flag(const ordered_json& object, const std::string& path, std::string_view key) {
    const ordered_json* value = find(object, path, key);
    if (value == nullptr) return false;
    if (value->is_boolean()) return value->get<bool>();
    wrong(path + std::string(key), "is neither true nor false");
    return false;
  }

  std::optional<double> number(const ordered_json& object, const std::string& path,
                               std::string_view key) {
    if (!object.contains(key)) return std::nullopt;
    const ordered_json& value = object.at(std::string(key));
    if (value.is_number()) return value.get<double>();
    wrong(path + std::string(key), "is no number");
    return std::nullopt;
  }

  ordered_json object(const ordered_json& from, const std::string& path, std::string_view key) {
    const ordered_json* value = find(from, path, key);
    if (value != nullptr && value->is_object()) return *value;
    if (value != nullptr) wrong(path + std::string(key), "is no object");
    return ordered_json::object();
  }

  /// Calls `each` with every element, an object, and the path before its keys.
  template <class Each>
  void list(const ordered_json& object, const std::string& path, std::string_view key, Each each) {
    const ordered_json* value = find(object, path, key);
    if (value == nullptr) return;
    const std::string name = path + std::string(key);
    ordered_json fetched;
    if (value->is_object()) {
      fetched = ordered_json::parse(referred(*value, name), nullptr, false);
      if (error_) return;
      value = &fetched;
    }
    if (!value->is_array()) return wrong(name, "is no list");
    for (std::size_t i = 0; i < value->size() && !error_; ++i) {
      const std::string element = name + "[" + std::to_string(i) + "]";
      if (!value->at(i).is_object()) return wrong(element, "is no object");
      each(value->at(i), element + ".");
    }
  }

  template <class Known, class Names>
  Known choice(const ordered_json& object, const std::string& path, std::string_view key,
               const Known& fallback, const Names& all) {
    const std::string said = text(object, path, key);
    for (const auto& [value, name] : all)
      if (name == said) return value;
    wrong(path + std::string(key),
          "has the unknown value '" + to_printable(clip_prefix(said, 40)) + "'");
    return fallback;
  }

 private:
  std::string referred(const ordered_json& reference, const std::string& key) {
    if (reference.contains("lost")) {
      if (!error_)
        error_ = Error{ErrorCode::not_found, "key '" + key + "': its text could not be kept then"};
      return {};
    }
    const auto ref = reference.find("ref");
    const auto size = reference.find("size");
    if (ref == reference.end() || !ref->is_string() || size == reference.end() ||
        !size->is_number_unsigned()) {
      wrong(key, "refers to no blob: 'ref' and 'size' name one");
      return {};
    }
    const auto bytes = size->get<std::uint64_t>();
    if (bytes > kBlobTextBytesMax) {
      wrong(key, "refers to " + format_bytes(bytes) + ": at most " +
                     format_bytes(kBlobTextBytesMax) + " are read");
      return {};
    }
    auto text = blobs_(ref->get<std::string>(), bytes + 1);
    if (!text) {
      Error why = context("key '" + key + "'", text.error());
      // A name that is none is the journal's mistake, not a person's.
      if (why.code == ErrorCode::usage) why.code = ErrorCode::bad_data;
      if (!error_) error_ = std::move(why);
      return {};
    }
    if (text->size() != bytes)
      wrong(key, "refers to a blob of another size than its " + std::to_string(bytes) + " bytes");
    if (find_invalid_utf8(*text) < text->size()) return to_valid_utf8(*text);
    return *std::move(text);
  }

  const ReadBlob& blobs_;
  std::optional<Error> error_;
};

using Data = ordered_json;

Usage read_usage(Reader& in, const Data& data) {
  const Data usage = in.object(data, "", "usage");
  constexpr const char* kPath = "usage.";
  return {.prompt_tokens = in.count(usage, kPath, "prompt_tokens"),
          .reused_tokens = in.count(usage, kPath, "reused_tokens"),
          .completion_tokens = in.count(usage, kPath, "completion_tokens"),
          .reasoning_tokens = in.count(usage, kPath, "reasoning_tokens")};
}

std::vector<ToolCall> read_calls(Reader& in, const Data& data, const std::string& path) {
  std::vector<ToolCall> calls;
  in.list(data, path, "calls", [&](const Data& call, const std::string& at) {
    calls.push_back({.id = in.text(call, at, "id"),
                     .name = in.text(call, at, "name"),
                     .arguments = in.text(call, at, "arguments"),
                     .raw = in.text(call, at, "raw")});
  });
  return calls;
}

ToolStatus read_status(Reader& in, const Data& data, const std::string& path) {
  std::array<std::pair<ToolStatus, std::string_view>, kStatuses.size()> names;
  std::ranges::transform(kStatuses, names.begin(),
                         [](ToolStatus one) { return std::pair(one, fathom::name_of(one)); });
  return in.choice(data, path, "status", ToolStatus::failed, names);
}

SessionEvent read_agent(Reader& in, const Data& data) {
  AgentStarted event;
  event.agent = in.text(data, "", "agent");
  event.engine = in.text(data, "", "engine");
  event.model = in.text(data, "", "model");
  event.document = in.text(data, "", "document");
  event.setup.system = in.text(data, "", "system");
  in.list(data, "", "tools", [&](const Data& tool, const std::string& at) {
    event.setup.tools.push_back({.name = in.text(tool, at, "name"),
                                 .description = in.text(tool, at, "description"),
                                 .parameters = in.text(tool, at, "parameters")});
  });
  const Data sampling = in.object(data, "", "sampling");
  const std::string at = "sampling.";
  event.setup.sampling.effort = in.text(sampling, at, "effort");
  event.setup.sampling.answer_tokens_max = in.count(sampling, at, "answer_tokens_max");
  event.setup.sampling.temperature = in.number(sampling, at, "temperature");
  event.setup.sampling.top_p = in.number(sampling, at, "top_p");
  if (sampling.contains("seed")) event.setup.sampling.seed = in.count(sampling, at, "seed");
  event.setup.answer_schema = in.text(data, "", "answer_schema");
  event.setup.cache_key = in.text(data, "", "cache_key");
  event.setup.tools_in_prompt = in.flag(data, "", "tools_in_prompt");
  return event;
}

SessionEvent read_turn(Reader& in, const Data& data) {
  return UserSaid{.how = UserSaid::How::turn,
                  .text = in.text(data, "", "text"),
                  .key = in.text(data, "", "key"),
                  .turn = in.count(data, "", "turn"),
                  .repeated = data.contains("repeated") && in.flag(data, "", "repeated")};
}

SessionEvent read_steer(Reader& in, const Data& data) {
  return UserSaid{.how = UserSaid::How::steer,
                  .text = in.text(data, "", "text"),
                  .key = in.text(data, "", "key")};
}

SessionEvent read_guard(Reader& in, const Data& data) {
  return UserSaid{.how = UserSaid::How::guard,
                  .text = in.text(data, "", "text"),
                  .key = in.text(data, "", "guard")};
}

SessionEvent read_request(Reader& in, const Data& data) {
  RequestSent event{.request = in.count(data, "", "request"),
                    .attempt = in.count(data, "", "attempt"),
                    .epoch = in.count(data, "", "epoch"),
                    .messages = in.count(data, "", "messages"),
                    .bytes = in.count(data, "", "bytes"),
                    .stable_bytes = in.count(data, "", "stable_bytes"),
                    .sha256 = in.text(data, "", "sha256"),
                    .prompt_tokens = in.count(data, "", "prompt_tokens"),
                    .reused_tokens = in.count(data, "", "reused_tokens"),
                    .divergence = {}};
  if (!data.contains("divergence")) return event;
  const Data divergence = in.object(data, "", "divergence");
  const std::string at = "divergence.";
  event.divergence.emplace().byte = in.count(divergence, at, "byte");
  const auto message = divergence.find("message");
  const bool setup = message != divergence.end() && message->is_string() && *message == kSetupName;
  event.divergence->message = setup ? Divergence::kSetup : in.count(divergence, at, "message");
  return event;
}

SessionEvent read_answer(Reader& in, const Data& data) {
  ModelAnswered event;
  event.request = in.count(data, "", "request");
  event.message.role = Role::assistant;
  event.message.text = in.text(data, "", "text");
  event.message.reasoning = in.text(data, "", "reasoning");
  event.message.calls = read_calls(in, data, "");
  std::array<std::pair<AnswerEnd, std::string_view>, kEnds.size()> ends;
  std::ranges::transform(kEnds, ends.begin(),
                         [](AnswerEnd one) { return std::pair(one, engine::name_of(one)); });
  event.end = in.choice(data, "", "finish", AnswerEnd::stop, ends);
  event.usage = read_usage(in, data);
  event.model = in.text(data, "", "model");
  event.cost_usd = in.number(data, "", "cost_usd");
  event.repaired = in.text(data, "", "repaired");
  return event;
}

SessionEvent read_result(Reader& in, const Data& data) {
  CallFinished event;
  event.result.call_id = in.text(data, "", "call");
  event.result.status = read_status(in, data, "");
  // The dispatcher writes only these two of a call that is cancelled while it unwinds.
  if (event.result.status == ToolStatus::cancelled && !data.contains("content")) return event;
  event.result.blob = in.text(data, "", "blob");
  event.result.content = in.text(data, "", "content");
  return event;
}

SessionEvent read_compaction(Reader& in, const Data& data) {
  Compacted event;
  event.transcript.epoch = in.count(data, "", "epoch");
  in.list(data, "", "messages", [&](const Data& message, const std::string& at) {
    Message& one = event.transcript.messages.emplace_back();
    one.role = in.choice(message, at, "role", Role::user, kRoles);
    one.text = in.text(message, at, "text");
    one.reasoning = in.text(message, at, "reasoning");
    one.calls = read_calls(in, message, at);
    in.list(message, at, "results", [&](const Data& result, const std::string& of) {
      one.results.push_back({.call_id = in.text(result, of, "call"),
                             .status = read_status(in, result, of),
                             .content = in.text(result, of, "content"),
                             .blob = in.text(result, of, "blob")});
    });
  });
  return event;
}

SessionEvent read_turn_end(Reader& in, const Data& data) {
  return TurnEnded{.turn = in.count(data, "", "turn"),
                   .reason = in.text(data, "", "reason"),
                   .steps = in.count(data, "", "steps"),
                   .usage = read_usage(in, data),
                   .cost_usd = in.number(data, "", "cost_usd")};
}

struct Type {
  std::string_view name;
  SessionEvent (*read)(Reader& in, const Data& data);
};
constexpr std::array kTypes = {
    Type{"agent.started", read_agent},    Type{"turn.started", read_turn},
    Type{"steer.delivered", read_steer},  Type{"guard.noted", read_guard},
    Type{"model.request", read_request},  Type{"model.message", read_answer},
    Type{"tool.finished", read_result},   Type{"compaction.finished", read_compaction},
    Type{"turn.finished", read_turn_end},
};

}  // namespace

std::string_view name_of(AnswerEnd end) {
  switch (end) {
    case AnswerEnd::stop:
      return "stop";
    case AnswerEnd::length:
      return "length";
    case AnswerEnd::tool_calls:
      return "tool_calls";
    case AnswerEnd::interrupted:
      return "interrupted";
  }
  return "stop";
}

Result<trace::EventDraft> encode(const SessionEvent& event, const trace::BlobStore& blobs) {
  return Writer(&blobs).write(event);
}

bool is_large(const SessionEvent& event) {
  Writer writer(nullptr);
  // What fails here fails in encode() as well.
  (void)writer.write(event);
  return writer.used_blobs();
}

Result<std::optional<SessionEvent>> decode(const trace::Event& event,
                                           const trace::BlobStore& blobs) {
  return decode(event, [&blobs](std::string_view name, std::size_t bytes_max) {
    return blobs.read(name, 0, bytes_max);
  });
}

Result<std::optional<SessionEvent>> decode(const trace::Event& event, const ReadBlob& blobs) {
  const std::string& type = event.what.type;
  const auto known = std::ranges::find(kTypes, type, &Type::name);
  if (known == kTypes.end()) return std::nullopt;
  const ordered_json data = ordered_json::parse(event.what.data, nullptr, false);
  if (!data.is_object()) return fail(ErrorCode::bad_data, type + ": data is no JSON object");
  Reader in(blobs);
  SessionEvent read = known->read(in, data);
  if (in.error()) return fail(context(type, *in.error()));
  return read;
}

}  // namespace fathom::engine
