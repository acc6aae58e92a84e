#include "engine/session/transcript_fold.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace fathom::engine {

void TranscriptFold::add(const SessionEvent& event) {
  if (const auto* said = std::get_if<UserSaid>(&event)) {
    if (said->repeated) return;
    Message message;
    message.role = Role::user;
    message.text = said->text;
    transcript_.messages.push_back(std::move(message));
  } else if (const auto* answered = std::get_if<ModelAnswered>(&event)) {
    transcript_.messages.push_back(answered->message);
  } else if (const auto* finished = std::get_if<CallFinished>(&event)) {
    add_result(finished->result);
  } else if (const auto* compacted = std::get_if<Compacted>(&event)) {
    transcript_ = compacted->transcript;
  }
}

void TranscriptFold::add_result(const ToolResult& result) {
  std::vector<Message>& messages = transcript_.messages;
  const auto last = std::find_if(messages.rbegin(), messages.rend(), [](const Message& message) {
    return message.role == Role::assistant;
  });
  if (last == messages.rend()) return;
  const std::vector<ToolCall>& calls = last->calls;
  const auto place = [&calls](const std::string& id) {
    return std::ranges::find(calls, id, &ToolCall::id) - calls.begin();
  };
  if (place(result.call_id) == std::ssize(calls)) return;
  auto next = last.base();
  if (next == messages.end() || next->role != Role::tool) {
    Message message;
    message.role = Role::tool;
    message.results.push_back(result);
    messages.insert(next, std::move(message));
    return;
  }
  std::vector<ToolResult>& results = next->results;
  const auto behind = std::ranges::find_if(results, [&](const ToolResult& other) {
    return place(other.call_id) >= place(result.call_id);
  });
  // A call has one result: the first one is what the model was shown.
  if (behind != results.end() && behind->call_id == result.call_id) return;
  results.insert(behind, result);
}

}  // namespace fathom::engine
