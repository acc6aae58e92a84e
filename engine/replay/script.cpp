#include "engine/replay/script.hpp"

#include "runtime/base/text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <initializer_list>
#include <utility>

namespace fathom::engine {
namespace {

using nlohmann::ordered_json;

constexpr std::array kFinishes = {
    std::pair{std::string_view("stop"), FinishReason::stop},
    std::pair{std::string_view("length"), FinishReason::length},
    std::pair{std::string_view("tool_calls"), FinishReason::tool_calls}};

using Keys = std::initializer_list<std::string_view>;

std::unexpected<Error> bad(std::string what) { return fail(ErrorCode::bad_data, std::move(what)); }

/// `where` is "" for the line itself, else as in "calls[0]: ".
Result<> check_object(const ordered_json& value, const std::string& where, Keys keys) {
  if (!value.is_object()) return bad(where + "expected a JSON object");
  for (const auto& [key, ignored] : value.items()) {
    if (std::ranges::find(keys, key) != keys.end()) continue;
    const std::string_view near = nearest(key, std::span(keys.begin(), keys.size()));
    std::string what = where + "unknown key '" + to_printable(clip_prefix(key, 40)) + "'";
    if (!near.empty()) what.append(" (did you mean '").append(near).append("'?)");
    return bad(std::move(what));
  }
  return {};
}

Result<std::string> text(const ordered_json& object, const std::string& where, const char* key) {
  if (!object.contains(key)) return std::string();
  if (!object[key].is_string()) return bad(where + "'" + key + "' must be a text");
  return object[key].get<std::string>();
}

Result<ToolCall> call_of(const ordered_json& value, const std::string& where) {
  TRY(check_object(value, where, {"name", "arguments", "id"}));
  ToolCall call;
  call.name = TRY(text(value, where, "name"));
  if (call.name.empty()) return bad(where + "'name' is missing");
  call.id = TRY(text(value, where, "id"));
  call.arguments = "{}";
  if (!value.contains("arguments")) return call;
  const ordered_json& arguments = value["arguments"];
  if (arguments.is_string())
    call.arguments = arguments.get<std::string>();
  else if (arguments.is_object())
    call.arguments = arguments.dump();
  else
    return bad(where + "'arguments' must be an object, or a text as the model wrote it");
  return call;
}

Result<std::vector<ToolCall>> calls_of(const ordered_json& line) {
  std::vector<ToolCall> calls;
  if (!line.contains("calls")) return calls;
  const ordered_json& list = line["calls"];
  if (!list.is_array()) return bad("'calls' must be a list");
  if (list.size() > kCallsPerSampleMax)
    return fail(ErrorCode::too_large, "'calls' has " + std::to_string(list.size()) +
                                          ": an answer has at most " +
                                          std::to_string(kCallsPerSampleMax));
  for (std::size_t i = 0; i < list.size(); ++i)
    calls.push_back(TRY(call_of(list[i], "calls[" + std::to_string(i) + "]: ")));
  return calls;
}

Result<Usage> usage_of(const ordered_json& line) {
  Usage usage;
  if (!line.contains("usage")) return usage;
  const std::array places = {std::pair{"prompt_tokens", &usage.prompt_tokens},
                             std::pair{"reused_tokens", &usage.reused_tokens},
                             std::pair{"completion_tokens", &usage.completion_tokens},
                             std::pair{"reasoning_tokens", &usage.reasoning_tokens}};
  TRY(check_object(line["usage"], "usage: ",
                   {"prompt_tokens", "reused_tokens", "completion_tokens", "reasoning_tokens"}));
  for (const auto& [key, place] : places) {
    const auto value = line["usage"].find(key);
    if (value == line["usage"].end()) continue;
    if (!value->is_number_unsigned())
      return bad(std::string("usage: '") + key + "' must be a count");
    *place = value->get<std::uint64_t>();
  }
  if (usage.reused_tokens > usage.prompt_tokens)
    return bad("usage: 'reused_tokens' are part of 'prompt_tokens', not more");
  return usage;
}

Result<FinishReason> finish_of(const ordered_json& line, bool calls) {
  const std::string said = TRY(text(line, "", "finish"));
  if (said.empty()) return calls ? FinishReason::tool_calls : FinishReason::stop;
  for (const auto& [name, reason] : kFinishes)
    if (name == said) return reason;
  return bad("'finish' is '" + to_printable(clip_prefix(said, 40)) +
             "' (choose stop, length or tool_calls)");
}

Result<RecordedAnswer> answer_of(std::string_view line) {
  const ordered_json value = ordered_json::parse(line, nullptr, false);
  if (value.is_discarded()) return bad("not JSON");
  TRY(check_object(value, "", {"say", "reasoning", "calls", "finish", "usage", "model", "expect"}));
  if (!value.contains("say") && !value.contains("calls"))
    return bad("neither 'say' nor 'calls': there is nothing to answer");
  RecordedAnswer out;
  Sample& sample = out.answer.sample;
  sample.message.role = Role::assistant;
  sample.message.text = TRY(text(value, "", "say"));
  sample.message.reasoning = TRY(text(value, "", "reasoning"));
  sample.message.calls = TRY(calls_of(value));
  sample.finish = TRY(finish_of(value, !sample.message.calls.empty()));
  out.answer.usage = TRY(usage_of(value));
  out.answer.model = TRY(text(value, "", "model"));
  if (value.contains("expect")) {
    TRY(check_object(value["expect"], "expect: ", {"contains"}));
    out.contains = TRY(text(value["expect"], "expect: ", "contains"));
  }
  return out;
}

}  // namespace

Result<Recording> parse_script(std::string_view text) {
  Recording out;
  std::size_t number = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.find_first_not_of(" \t") == std::string_view::npos || line.starts_with('#')) continue;
    auto answer = answer_of(line);
    if (!answer) return fail(context("line " + std::to_string(number), answer.error()));
    if (out.answers.size() == kRecordedAnswersMax)
      return fail(ErrorCode::too_large, "line " + std::to_string(number) + ": more than " +
                                            std::to_string(kRecordedAnswersMax) + " answers");
    out.answers.push_back(*std::move(answer));
  }
  if (out.answers.empty()) return bad("has no answers: write one JSON object a line");
  return out;
}

}  // namespace fathom::engine
