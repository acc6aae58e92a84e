#include "engine/replay/request_text.hpp"

#include "runtime/base/ensure.hpp"
#include "runtime/base/text.hpp"

#include <nlohmann/json.hpp>

#include <array>
#include <string_view>

namespace fathom::engine {
namespace {

using nlohmann::ordered_json;

constexpr std::array<std::string_view, 4> kRoles = {"system", "user", "assistant", "tool"};

std::string dump(const ordered_json& value) {
  return value.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

ordered_json to_json(const SessionSetup& setup) {
  ordered_json tools = ordered_json::array();
  for (const ToolDeclaration& tool : setup.tools)
    tools.push_back(
        {{"name", tool.name}, {"description", tool.description}, {"parameters", tool.parameters}});
  return {{"system", setup.system},
          {"tools", std::move(tools)},
          {"effort", setup.sampling.effort},
          {"answer_schema", setup.answer_schema}};
}

ordered_json to_json(const Message& message) {
  ordered_json out = {{"role", kRoles.at(static_cast<std::size_t>(message.role))}};
  if (message.role != Role::tool) out["text"] = message.text;
  if (message.role == Role::assistant) {
    out["reasoning"] = message.reasoning;
    for (const ToolCall& call : message.calls)
      out["calls"].push_back({{"id", call.id}, {"name", call.name}, {"arguments", call.arguments}});
  }
  for (const ToolResult& result : message.results)
    out["results"].push_back({{"call", result.call_id},
                              {"status", name_of(result.status)},
                              {"content", result.content}});
  return out;
}

}  // namespace

RequestText::RequestText(const SessionSetup& setup)
    : body_(R"({"setup":)" + dump(to_json(setup)) + R"(,"messages":[)") {
  setup_bytes_ = stable_bytes_ = body_.size();
}

PreparedRequest RequestText::write(const Transcript& transcript, const RequestLimits& limits) {
  if (transcript.epoch != epoch_) {
    epoch_ = transcript.epoch;
    starts_.clear();
    stable_bytes_ = setup_bytes_;
  }
  ENSURE(starts_.size() <= transcript.messages.size(), "a transcript only grows within an epoch");
  body_.resize(stable_bytes_);
  for (std::size_t i = starts_.size(); i < transcript.messages.size(); ++i) {
    if (i > 0) body_ += ',';
    starts_.push_back(body_.size());
    body_ += dump(to_json(transcript.messages[i]));
  }
  stable_bytes_ = body_.size();
  body_ += R"(],"answer_tokens_max":)" + std::to_string(limits.answer_tokens_max) +
           (limits.may_call ? R"(,"may_call":true})" : R"(,"may_call":false})");
  return {.body = body_, .stable_bytes = stable_bytes_, .starts = starts_};
}

}  // namespace fathom::engine
