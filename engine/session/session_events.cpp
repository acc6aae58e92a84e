#include "engine/session/session_events.hpp"

#include "engine/session/session_event_words.hpp"
#include "runtime/base/text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace fathom::engine {
namespace {

using nlohmann::ordered_json;

constexpr std::array kStatuses = {ToolStatus::ok, ToolStatus::failed, ToolStatus::denied,
                                  ToolStatus::cancelled};
constexpr std::array kEnds = {AnswerEnd::stop, AnswerEnd::length, AnswerEnd::tool_calls,
                              AnswerEnd::interrupted};

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
    one.role = in.choice(message, at, "role", Role::user, kRoleNames);
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
