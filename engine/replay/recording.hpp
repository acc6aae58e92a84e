// Recording: the answers of a session, and what each of them was asked with.
//
// It is read from a session's journal, or from a script that a person wrote (script.hpp).
#pragma once

#include "engine/session/engine.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::engine {

inline constexpr std::uint64_t kJournalBytesMax = 1ULL << 30;
inline constexpr std::size_t kScriptBytesMax = 64UL << 20;
inline constexpr std::size_t kRecordedAnswersMax = 100'000;

struct RecordedAnswer {
  /// The first `messages` of one of the recording's transcripts.
  struct Request {
    std::size_t transcript = 0;
    std::size_t messages = 0;

    friend bool operator==(const Request&, const Request&) = default;
  };

  std::optional<Request> request;  ///< absent: any will do
  std::string contains;            ///< what the request's last message must contain
  Answered answer;
};

struct Recording {
  std::string model;                    ///< as the recorded engine called it; may be ""
  std::vector<Transcript> transcripts;  ///< one for each epoch
  std::vector<RecordedAnswer> answers;
};

/// `FILE: line N: …` for a script; the errors of JournalReader and of decode() for a journal. Blobs
/// of a journal are looked for in FILE.blobs/, then in blobs/ beside the folder it lies in. An
/// answer that was interrupted comes back as one that was cut off: nobody will interrupt it again.
Result<Recording> load_recording(const std::filesystem::path& file);

}  // namespace fathom::engine
