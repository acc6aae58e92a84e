#include "engine/replay/replay_engine.hpp"

#include "engine/replay/request_text.hpp"
#include "runtime/base/ensure.hpp"
#include "runtime/base/text.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <string_view>
#include <utility>

namespace fathom::engine {
namespace {

constexpr std::string_view kLoose = "loose";
constexpr std::size_t kPieceBytes = 48;  // of a delta: about what a model says in a step or two

bool contains(const Message& message, std::string_view text) {
  if (message.text.find(text) != std::string::npos) return true;
  return std::ranges::any_of(message.results, [text](const ToolResult& result) {
    return result.content.find(text) != std::string::npos;
  });
}

/// The answer as a model would have said it.
std::vector<SampleDelta> deltas_of(const Message& message) {
  std::vector<SampleDelta> out;
  const auto add = [&out](SampleDelta::Kind kind, std::size_t call, std::string_view text) {
    while (!text.empty()) {
      const std::string_view piece = clip_prefix(text, kPieceBytes);
      out.push_back({kind, call, std::string(piece)});
      text.remove_prefix(piece.size());
    }
  };
  add(SampleDelta::Kind::reasoning, 0, message.reasoning);
  add(SampleDelta::Kind::content, 0, message.text);
  for (std::size_t i = 0; i < message.calls.size(); ++i) {
    out.push_back({SampleDelta::Kind::call_started, i, message.calls[i].name});
    add(SampleDelta::Kind::call_arguments, i, message.calls[i].arguments);
    out.push_back({SampleDelta::Kind::call_finished, i, ""});
  }
  return out;
}

bool is_said(const Message& recorded, const Message& now) {
  const auto same_call = [](const ToolCall& one, const ToolCall& other) {
    return one.name == other.name && one.arguments == other.arguments;
  };
  return now.role == Role::assistant && recorded.text == now.text &&
         recorded.reasoning == now.reasoning &&
         std::ranges::equal(recorded.calls, now.calls, same_call);
}

bool is_begun(const Message& recorded, const Message& now) {
  return now.role == Role::assistant && recorded.text.starts_with(now.text) &&
         recorded.reasoning.starts_with(now.reasoning);
}

/// How many answers of the recording a session was given whose transcript this is; others may stand
/// between them, of other engines. Nothing when that cannot be told. A script does not say what its
/// answers were asked with, so one of them at least must be there, and the whole transcript; what
/// is wrong with a journal's is found when its request is compared.
std::optional<std::size_t> find_place(const Recording& recording, const Transcript& transcript) {
  const std::vector<RecordedAnswer>& answers = recording.answers;
  const bool is_script = answers.empty() || !answers.front().request;
  if (is_script && transcript.epoch != 0) return std::nullopt;
  std::size_t given = 0;
  if (!is_script)
    while (given < answers.size() &&
           recording.transcripts[answers[given].request->transcript].epoch < transcript.epoch)
      ++given;
  bool is_known = true;
  for (const Message& message : transcript.messages) {
    if (message.role != Role::assistant || given == answers.size()) continue;
    const Message& recorded = answers[given].answer.sample.message;
    const bool is_whole = is_said(recorded, message);
    if (is_script && given == 0) is_known = is_whole || is_begun(recorded, message);
    if (is_whole) ++given;
  }
  if (!is_known) return std::nullopt;
  return given;
}

class ReplaySession : public Session {
 public:
  ReplaySession(std::shared_ptr<const Recording> recording, std::string name, Matching matching,
                const SessionSetup& setup)
      : recording_(std::move(recording)),
        name_(std::move(name)),
        matching_(matching),
        text_(setup),
        goes_on_(setup.goes_on) {}

  std::expected<PreparedRequest, Fault> prepare(const Transcript& transcript,
                                                const RequestLimits& limits) override {
    if (goes_on_) {
      const std::optional<std::size_t> place = find_place(*recording_, transcript);
      if (!place)
        return std::unexpected(
            refuse("the answers of this session are not those of the recording, so where it goes "
                   "on cannot be told: name what is to answer with --engine"));
      next_ = *place;
      goes_on_ = false;
    }
    if (auto fault = check(transcript)) return std::unexpected(*std::move(fault));
    prepared_ = true;
    return text_.write(transcript, limits);
  }

  asio::awaitable<SampleOutcome> sample(const SampleObserver& observer) override {
    ENSURE(prepared_, "a request is prepared before it is asked");
    const Answered& answer = recording_->answers[next_].answer;
    const auto executor = co_await asio::this_coro::executor;
    for (const SampleDelta& delta : deltas_of(answer.sample.message)) {
      // Others have their turn between two pieces, and cancelling takes effect here.
      co_await asio::post(executor, asio::use_awaitable);
      if (observer.on_delta) observer.on_delta(delta);
    }
    prepared_ = false;
    ++next_;
    co_return answer;
  }

  [[nodiscard]] Result<std::unique_ptr<Session>> fork() const override {
    return std::unique_ptr<Session>(new ReplaySession(*this, Forked{}));
  }

 private:
  struct Forked {};
  ReplaySession(const ReplaySession& parent, Forked /*tag*/)
      : recording_(parent.recording_),
        name_(parent.name_),
        matching_(parent.matching_),
        text_(parent.text_),
        goes_on_(parent.goes_on_),
        next_(parent.next_),
        checked_(parent.checked_),
        checked_in_(parent.checked_in_),
        prepared_(parent.prepared_) {}

  std::optional<Fault> check(const Transcript& transcript) {
    const std::size_t all = recording_->answers.size();
    if (next_ >= all)
      return refuse("the recording ends after " + std::to_string(all) +
                    (all == 1 ? " answer" : " answers"));
    const RecordedAnswer& answer = recording_->answers[next_];
    const auto& messages = transcript.messages;
    const std::string request = "request " + std::to_string(next_ + 1) + ": ";
    if (!answer.contains.empty() &&
        (messages.empty() || !contains(messages.back(), answer.contains)))
      return refuse(request + "the last message does not contain '" +
                    to_printable(clip_prefix(answer.contains, 200)) + "'");
    if (!answer.request) return std::nullopt;
    const auto recorded = std::span(recording_->transcripts[answer.request->transcript].messages)
                              .first(answer.request->messages);
    // What the last request was held to was not changed since.
    const bool same = checked_in_ == answer.request->transcript;
    const std::size_t first = same ? std::min(checked_, messages.size()) : 0;
    if (auto found = find_difference(recorded, messages, first, matching_))
      return refuse(request + *found);
    checked_ = messages.size();
    checked_in_ = answer.request->transcript;
    return std::nullopt;
  }

  [[nodiscard]] Fault refuse(const std::string& why) const {
    return {.kind = FaultClass::refused, .message = name_ + ": " + why, .retry_after = {}};
  }

  std::shared_ptr<const Recording> recording_;
  std::string name_;
  Matching matching_;
  RequestText text_;
  bool goes_on_;                ///< until the first request tells where
  std::size_t next_ = 0;        ///< the answer to give
  std::size_t checked_ = 0;     ///< messages that were as recorded
  std::size_t checked_in_ = 0;  ///< of which transcript
  bool prepared_ = false;
};

}  // namespace

Result<std::unique_ptr<Engine>> ReplayEngine::open(const EngineSpec& spec) {
  if (!spec.model.empty() && spec.model != kLoose)
    return fail(ErrorCode::usage,
                "engine '" + to_printable(spec.to_string()) + "': write #loose or nothing");
  const Matching matching = spec.model.empty() ? Matching::strict : Matching::loose;
  auto recording = load_recording(spec.place);
  if (!recording) return fail(context("replay", recording.error()));
  return std::make_unique<ReplayEngine>(*std::move(recording), spec.to_string(), matching);
}

ReplayEngine::ReplayEngine(Recording recording, std::string name, Matching matching)
    : recording_(std::make_shared<const Recording>(std::move(recording))), matching_(matching) {
  info_.name = std::move(name);
  info_.model = recording_->model;
  info_.context_tokens = kContextTokens;
}

Result<std::unique_ptr<Session>> ReplayEngine::open(SessionSetup setup) {
  return std::make_unique<ReplaySession>(recording_, info_.name, matching_, setup);
}

}  // namespace fathom::engine
