#include "engine/remote/openai_reader.hpp"

#include "engine/remote/fault_of.hpp"
#include "engine/remote/wire_json.hpp"
#include "engine/text/python_json.hpp"
#include "runtime/base/text.hpp"

#include <algorithm>
#include <utility>

namespace fathom::engine {
namespace {

constexpr std::string_view kDone = "[DONE]";
constexpr std::size_t kBytesShown = 120;

std::unexpected<Fault> unreadable(std::string why) {
  return std::unexpected(Fault{FaultClass::format, std::move(why), std::nullopt});
}

std::optional<Fault> fault_in(AnswerDraft::Step step) {
  if (step) return std::nullopt;
  return std::move(step).error();
}

// DeepSeek, vLLM and OpenRouter each have their own word.
std::string reasoning_of(const JsonValue& delta) {
  for (const std::string_view key : {"reasoning_content", "reasoning", "reasoning_text"})
    if (std::string text = text_of(delta.find(key)); !text.empty()) return text;
  return {};
}

}  // namespace

std::optional<Fault> OpenAiReader::on_event(const net::SseEvent& event,
                                            std::vector<SampleDelta>& deltas) {
  if (done_ || event.data.empty()) return std::nullopt;
  if (event.data == kDone) {
    done_ = true;
    return std::nullopt;
  }
  return fault_in(take_chunk(event.data, deltas));
}

std::optional<Fault> OpenAiReader::on_body(std::string_view json,
                                           std::vector<SampleDelta>& deltas) {
  auto fault = fault_in(take_chunk(json, deltas));
  done_ = !fault;
  return fault;
}

OpenAiReader::Step OpenAiReader::take_chunk(std::string_view json,
                                            std::vector<SampleDelta>& deltas) {
  const auto chunk = parse_json(json);
  if (!chunk || !chunk->is(JsonValue::Kind::object))
    return unreadable("an event is no JSON object: " +
                      to_printable(clip_prefix(json, kBytesShown)));
  if (const JsonValue* error = chunk->find("error"); error && !error->is(JsonValue::Kind::null))
    return std::unexpected(fault_in_answer(json));
  if (model_.empty()) model_ = text_of(chunk->find("model"));
  if (const JsonValue* usage = chunk->find("usage"); usage && usage->is(JsonValue::Kind::object))
    take_usage(*usage);
  const JsonValue* choices = chunk->find("choices");
  if (!choices || !choices->is(JsonValue::Kind::array) || choices->items.empty()) return {};
  choices_seen_ = true;
  const JsonValue& choice = choices->items.front();  // one was asked for
  if (std::string finish = text_of(choice.find("finish_reason")); !finish.empty())
    finish_ = std::move(finish);
  const JsonValue* delta = choice.find("delta");
  if (!delta) delta = choice.find("message");
  if (!delta || !delta->is(JsonValue::Kind::object)) return {};
  return take_delta(*delta, deltas);
}

OpenAiReader::Step OpenAiReader::take_delta(const JsonValue& delta,
                                            std::vector<SampleDelta>& deltas) {
  Step step = draft_.add_reasoning(reasoning_of(delta), deltas);
  if (step) step = draft_.add_content(text_of(delta.find("content")), deltas);
  if (step) step = draft_.add_content(text_of(delta.find("refusal")), deltas);
  const JsonValue* calls = delta.find("tool_calls");
  if (!calls || !calls->is(JsonValue::Kind::array)) return step;
  for (const JsonValue& piece : calls->items) {
    if (!step) return step;
    step = take_call(piece, deltas);
  }
  return step;
}

// Which call a piece belongs to: by its index; where a server leaves that out, a new id begins a
// new call.
std::expected<std::size_t, Fault> OpenAiReader::number_of(const JsonValue& piece,
                                                          const std::string& id) {
  const JsonValue* index = piece.find("index");
  const bool indexed = index && index->is(JsonValue::Kind::number);
  if (indexed) {
    const auto known = by_index_.find(count_of(index));
    if (known != by_index_.end()) return known->second;
  } else if (draft_.call_count() != 0) {
    const std::size_t last = draft_.call_count() - 1;
    const bool has_name = !text_of(find_path(piece, {"function", "name"})).empty();
    if (id.empty() ? !has_name : draft_.call(last).id == id) return last;
  }
  if (auto opened = draft_.open_call(id); !opened)
    return std::unexpected(std::move(opened).error());
  const std::size_t number = draft_.call_count() - 1;
  if (indexed) by_index_.emplace(count_of(index), number);
  return number;
}

OpenAiReader::Step OpenAiReader::take_call(const JsonValue& piece,
                                           std::vector<SampleDelta>& deltas) {
  if (!piece.is(JsonValue::Kind::object)) return unreadable("a tool call is no JSON object");
  std::string id = text_of(piece.find("id"));
  const auto number = number_of(piece, id);
  if (!number) return std::unexpected(number.error());
  draft_.set_id(*number, std::move(id));
  Step step = draft_.add_name(*number, text_of(find_path(piece, {"function", "name"})));
  if (!step) return step;
  const JsonValue* arguments = find_path(piece, {"function", "arguments"});
  // Some servers send the object itself.
  if (arguments && arguments->is(JsonValue::Kind::object))
    return draft_.add_arguments(*number, to_python_json(*arguments), deltas);
  return draft_.add_arguments(*number, text_of(arguments), deltas);
}

void OpenAiReader::take_usage(const JsonValue& usage) {
  usage_.prompt_tokens = count_of(usage.find("prompt_tokens"));
  usage_.completion_tokens = count_of(usage.find("completion_tokens"));
  const std::uint64_t reused =
      std::max(count_of(find_path(usage, {"prompt_tokens_details", "cached_tokens"})),
               count_of(usage.find("prompt_cache_hit_tokens")));
  usage_.reused_tokens = std::min(reused, usage_.prompt_tokens);
  const std::uint64_t reasoning =
      count_of(find_path(usage, {"completion_tokens_details", "reasoning_tokens"}));
  usage_.reasoning_tokens = std::min(reasoning, usage_.completion_tokens);
}

std::expected<AnswerReader::Whole, Fault> OpenAiReader::finish(std::vector<SampleDelta>& deltas) {
  const auto fail_as = [](FaultClass kind, std::string why) {
    return std::unexpected(Fault{kind, std::move(why), std::nullopt});
  };
  if (finish_ == "insufficient_system_resource")
    return fail_as(FaultClass::server, "the server ran out of resources and gave up the answer");
  if (finish_ == "content_filter")
    return fail_as(FaultClass::refused, "the server's content filter stopped the answer");
  if (!done_ && finish_.empty())
    return fail_as(FaultClass::transport,
                   "the answer broke off after " + format_bytes(draft_.bytes()));
  if (!choices_seen_) return unreadable("the answer has no choices");
  auto settled =
      draft_.settle(finish_ == "length" ? FinishReason::length : FinishReason::stop, deltas);
  if (!settled) return std::unexpected(std::move(settled).error());
  return Whole{{std::move(settled->sample), usage_, model_, std::move(settled->repaired)}, {}};
}

}  // namespace fathom::engine
