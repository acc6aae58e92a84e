#include "engine/replay/recording.hpp"

#include "engine/replay/script.hpp"
#include "engine/session/session_events.hpp"
#include "engine/session/transcript_fold.hpp"
#include "runtime/base/file.hpp"
#include "runtime/base/text.hpp"
#include "runtime/trace/blob_store.hpp"
#include "runtime/trace/journal_reader.hpp"

#include <nlohmann/json.hpp>

#include <system_error>
#include <utility>

namespace fathom::engine {
namespace {

namespace fs = std::filesystem;

FinishReason finish_of(AnswerEnd end) {
  switch (end) {
    case AnswerEnd::stop:
      return FinishReason::stop;
    case AnswerEnd::length:
    case AnswerEnd::interrupted:
      return FinishReason::length;
    case AnswerEnd::tool_calls:
      return FinishReason::tool_calls;
  }
  return FinishReason::stop;
}

/// An event's envelope is what tells a journal from a script. A line that is too long for an event,
/// or has no end, is none.
Result<bool> is_journal(const fs::path& file) {
  auto lines = TRY(trace::LineReader::open(file));
  const auto line = lines.next();
  if (!line || !*line) return false;
  const auto value = nlohmann::json::parse((*line)->text, nullptr, false);
  return value.is_object() && value.contains("v") && value.contains("type");
}

/// A store is opened only where it is: opening makes the folder.
Result<ReadBlob> blobs_of(const fs::path& journal) {
  fs::path beside = journal;
  beside += ".blobs";
  const fs::path state = fs::absolute(journal).parent_path().parent_path() / "blobs";
  std::error_code ignored;
  for (const fs::path& place : {beside, state}) {
    if (!fs::is_directory(place, ignored)) continue;
    return ReadBlob(
        [store = TRY(trace::BlobStore::open(place))](std::string_view name, std::size_t bytes_max) {
          return store.read(name, 0, bytes_max);
        });
  }
  return ReadBlob([places = "neither " + beside.string() + " nor " + state.string() + " exists"](
                      std::string_view name, std::size_t) -> Result<std::string> {
    return fail(ErrorCode::not_found, "blob " + std::string(name) + ": " + places);
  });
}

class JournalFold {
 public:
  Result<> add(const SessionEvent& event) {
    if (const auto* agent = std::get_if<AgentStarted>(&event)) recording_.model = agent->model;
    if (const auto* answered = std::get_if<ModelAnswered>(&event)) TRY(add_answer(*answered));
    if (std::holds_alternative<Compacted>(event)) close_epoch();
    fold_.add(event);
    return {};
  }

  Recording finish() && {
    close_epoch();
    return std::move(recording_);
  }

 private:
  Result<> add_answer(const ModelAnswered& answered) {
    if (recording_.answers.size() == kRecordedAnswersMax)
      return fail(ErrorCode::too_large,
                  "has more than " + std::to_string(kRecordedAnswersMax) + " answers");
    RecordedAnswer& out = recording_.answers.emplace_back();
    out.request = {recording_.transcripts.size(), fold_.transcript().messages.size()};
    out.answer = {.sample = {answered.message, finish_of(answered.end)},
                  .usage = answered.usage,
                  .model = answered.model,
                  .repaired = answered.repaired};
    return {};
  }
  void close_epoch() { recording_.transcripts.push_back(fold_.transcript()); }

  TranscriptFold fold_;
  Recording recording_;
};

Result<Recording> load_journal(const fs::path& file) {
  const ReadBlob blobs = TRY(blobs_of(file));
  auto reader = TRY(trace::JournalReader::open(file));
  JournalFold fold;
  for (;;) {
    const std::optional<trace::Event> event = TRY(reader.next());
    if (!event) break;
    auto read = decode(*event, blobs);
    if (!read) return fail(context("seq " + std::to_string(event->at.seq), read.error()));
    if (*read) TRY(fold.add(**read));
  }
  Recording recording = std::move(fold).finish();
  if (recording.answers.empty()) return fail(ErrorCode::bad_data, "holds no answer of a model");
  return recording;
}

Result<Recording> load(const fs::path& file) {
  if (!TRY(is_journal(file))) return parse_script(TRY(read_file(file, kScriptBytesMax)));
  std::error_code failed;
  const std::uint64_t size = fs::file_size(file, failed);
  if (failed) return fail(system_error("size", failed.value()));
  if (size > kJournalBytesMax)
    return fail(ErrorCode::too_large, "has " + format_bytes(size) + ": a recording has at most " +
                                          format_bytes(kJournalBytesMax));
  return load_journal(file);
}

}  // namespace

Result<Recording> load_recording(const fs::path& file) {
  auto recording = load(file);
  if (!recording) return fail(context(file.string(), recording.error()));
  return recording;
}

}  // namespace fathom::engine
