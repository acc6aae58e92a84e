// Reads answers in pieces, and what holds for every answer whatever bytes it was made of.
#pragma once

#include "engine/remote/wire_codec.hpp"
#include "engine/remote/wire_json.hpp"
#include "runtime/base/ensure.hpp"
#include "runtime/base/text.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fathom::test {

/// What a reader makes of a stream; deltas of one kind and call that follow each other are joined.
struct ReadAnswer {
  std::vector<engine::SampleDelta> deltas;
  std::optional<engine::Fault> fault;
  Message message;
  engine::FinishReason finish{};
  Usage usage;
  std::string model;
  std::string repaired;
  std::string wire_content;

  friend bool operator==(const ReadAnswer&, const ReadAnswer&) = default;
};

inline std::vector<engine::SampleDelta> join(const std::vector<engine::SampleDelta>& deltas) {
  using Kind = engine::SampleDelta::Kind;
  std::vector<engine::SampleDelta> joined;
  for (const engine::SampleDelta& delta : deltas) {
    const bool text = delta.kind != Kind::call_started && delta.kind != Kind::call_finished;
    if (text && !joined.empty() && joined.back().kind == delta.kind &&
        joined.back().call == delta.call) {
      joined.back().text += delta.text;
    } else {
      joined.push_back(delta);
    }
  }
  return joined;
}

/// Ends the answer; with `fault` it has ended already.
inline ReadAnswer end_answer(engine::AnswerReader& reader, std::vector<engine::SampleDelta> deltas,
                             std::optional<engine::Fault> fault) {
  ReadAnswer answer;
  if (!fault) {
    auto whole = reader.finish(deltas);
    if (whole) {
      answer.message = std::move(whole->answered.sample.message);
      answer.finish = whole->answered.sample.finish;
      answer.usage = whole->answered.usage;
      answer.model = std::move(whole->answered.model);
      answer.repaired = std::move(whole->answered.repaired);
      answer.wire_content = std::move(whole->wire_content);
    } else {
      fault = std::move(whole).error();
    }
  }
  answer.fault = std::move(fault);
  answer.deltas = join(deltas);
  return answer;
}

/// Feeds `bytes` as an event stream, cut where `ends` say; the last is its size.
inline ReadAnswer read_stream(const engine::WireCodec& codec, const engine::AnswerContext& context,
                              std::string_view bytes, const std::vector<std::size_t>& ends) {
  const auto reader = codec.reader(context);
  net::SseParser parser;
  std::vector<engine::SampleDelta> deltas;
  std::optional<engine::Fault> fault;
  std::size_t at = 0;
  for (const std::size_t end : ends) {
    std::vector<net::SseEvent> events;
    if (!parser.feed(bytes.substr(at, end - at), events)) break;
    at = end;
    for (const net::SseEvent& event : events)
      if (!fault) fault = reader->on_event(event, deltas);
  }
  return end_answer(*reader, std::move(deltas), std::move(fault));
}

inline ReadAnswer read_stream(const engine::WireCodec& codec, const engine::AnswerContext& context,
                              std::string_view bytes) {
  return read_stream(codec, context, bytes, {bytes.size()});
}

inline ReadAnswer read_body(const engine::WireCodec& codec, const engine::AnswerContext& context,
                            std::string_view json) {
  const auto reader = codec.reader(context);
  std::vector<engine::SampleDelta> deltas;
  auto fault = reader->on_body(json, deltas);
  return end_answer(*reader, std::move(deltas), std::move(fault));
}

inline void check_answer(const engine::AnswerContext& context, const ReadAnswer& answer) {
  const Message& message = answer.message;
  ENSURE(message.calls.size() <= engine::kCallsPerSampleMax, "calls are bounded");
  ENSURE(context.may_call || message.calls.empty(), "no calls where none are allowed");
  ENSURE(answer.usage.reused_tokens <= answer.usage.prompt_tokens, "what was reused was there");
  std::string all = message.text + message.reasoning + answer.model + answer.repaired;
  for (const ToolCall& call : message.calls) {
    all += call.id + call.name + call.arguments;
    ENSURE(!call.name.empty(), "a call has a name");
    ENSURE(answer.finish != engine::FinishReason::length || engine::is_json_object(call.arguments),
           "a call that was cut is never run");
  }
  if (answer.fault) all += answer.fault->message;
  ENSURE(find_invalid_utf8(all) == std::string::npos, "texts are valid UTF-8");
  ENSURE(!answer.fault || !answer.fault->message.empty(), "a fault says what it is");
  ENSURE(answer.wire_content.empty() ||
             engine::parse_json("[" + answer.wire_content + "]").has_value(),
         "what goes back is JSON");
}

}  // namespace fathom::test
