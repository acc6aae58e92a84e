#include "agents/session_log.hpp"

#include "runtime/base/text.hpp"

#include <utility>
#include <variant>

namespace fathom::agents {
namespace {

void mend(std::string& text) {
  if (find_invalid_utf8(text) != std::string::npos) text = to_valid_utf8(text);
}

// As encode() does it: who reads the journal and who has written it have the same text.
void mend(engine::SessionEvent& event) {
  if (auto* said = std::get_if<engine::UserSaid>(&event)) {
    mend(said->text);
    mend(said->key);
  } else if (auto* answered = std::get_if<engine::ModelAnswered>(&event)) {
    mend(answered->message.text);
    mend(answered->message.reasoning);
    for (ToolCall& call : answered->message.calls) {
      mend(call.id);
      mend(call.name);
      mend(call.arguments);
      mend(call.raw);
    }
  } else if (auto* finished = std::get_if<engine::CallFinished>(&event)) {
    mend(finished->result.content);
  }
}

}  // namespace

asio::awaitable<Result<std::uint64_t>> SessionLog::add(engine::SessionEvent event) {
  mend(event);
  Result<trace::EventDraft> draft = fail(ErrorCode::io, "");
  if (engine::is_large(event)) {
    auto encoding = offload(offload_, [&] { return engine::encode(event, blobs_); });
    draft = co_await std::move(encoding);
  } else {
    draft = engine::encode(event, blobs_);
  }
  if (!draft) co_return fail(draft.error());
  CO_TRY(const trace::Position at, append_(*std::move(draft)));
  state_.apply(event, at.seq);
  co_return at.seq;
}

asio::awaitable<Result<std::string>> SessionLog::keep(std::string text) {
  auto putting = offload(offload_, [&] { return blobs_.put(text); });
  CO_TRY(trace::BlobRef kept, co_await std::move(putting));
  co_return std::move(kept.name);
}

Result<std::uint64_t> SessionLog::note(std::string_view type, std::string data) {
  trace::EventDraft draft;
  draft.type = type;
  draft.data = std::move(data);
  return TRY(append_(std::move(draft))).seq;
}

Result<trace::Position> SessionLog::write(trace::EventDraft draft) {
  trace::Event event;
  event.what = draft;
  event.at = TRY(append_(std::move(draft)));
  TRY(state_.apply_trace(event, blobs_));
  return event.at;
}

}  // namespace fathom::agents
