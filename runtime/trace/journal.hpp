// Journal: the append-only file that holds everything a run did.
//
// An event is acknowledged at one of two levels, and the caller says which it needs:
//   flush()  it is in the file: it survives the death of this process (SIGKILL, a bug), not of the
//   machine sync()   it is on the disk: it survives loss of power. One fdatasync serves everybody
//   who waits (group commit).
// Until then an event is in a buffer of bounded size, which is written by itself when it is
// full, at the next turn of the event loop, and when the program dies of a failed ENSURE.
//
// Opening recovers what an interrupted write leaves: an unfinished last line, or zeros where pages
// never reached the disk, is cut off, after its bytes were kept in a file beside it. Everything
// else that is no event is damage and refused with its offset: events that were acknowledged stand
// there or behind it.
#pragma once

#include "runtime/async/clock.hpp"
#include "runtime/async/offload.hpp"
#include "runtime/async/signal.hpp"
#include "runtime/base/ensure.hpp"
#include "runtime/base/result.hpp"
#include "runtime/base/unique_fd.hpp"
#include "runtime/trace/event.hpp"
#include "runtime/trace/event_json.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::trace {

/// Where the events of a journal stand in its file: a sparse index and the end of what readers may
/// see. Shared between the journal's thread and its readers, hence the lock; it is taken once a
/// batch, never per event.
class JournalIndex {
 public:
  /// A byte offset, and the seq of the last event before it.
  struct Mark {
    std::uint64_t seq = 0;
    std::uint64_t offset = 0;
  };
  static constexpr std::uint64_t kStride = 256;  ///< events between two marks

  /// Says that the file now holds everything up to `end`.
  void publish(Mark end);
  /// Adds a mark; called in order, once for every kStride events.
  void add(Mark mark);

  [[nodiscard]] Mark end() const;
  /// The last mark with seq <= `seq`.
  [[nodiscard]] Mark floor(std::uint64_t seq) const;

 private:
  mutable std::mutex mutex_;
  Mark end_;
  std::vector<Mark> marks_{Mark{}};
};

/// What opening found behind the last good event and put aside.
struct RecoveredTail {
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
  std::filesystem::path saved_as;
  std::string reason;
};

/// What a journal needs from its surroundings. All of it outlives the journal.
struct JournalServices {
  asio::any_io_executor executor;  ///< of the one thread that appends
  Clock& clock;
  OffloadPool& pool;  ///< runs the syncs
};

class Journal {
 public:
  /// Bytes in memory that are written at once without being asked. When writing fails the buffer
  /// holds one event more than this and append refuses.
  static constexpr std::size_t kBatchBytes = 128 * 1024;

  /// Opens or creates the journal of `run` at `path`; its folder must exist. `in_use` when another
  /// process appends to it, `bad_data` with the offset when its middle is damaged or it belongs to
  /// another run or stream.
  static Result<std::unique_ptr<Journal>> open(JournalServices services,
                                               const std::filesystem::path& path, RunId run,
                                               std::string stream = "main");
  /// Flushes; an error of that flush can no longer be reported, so callers that care flush before.
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  /// Takes the event and gives its place. A known ephemeral type goes to the listener only,
  /// everything else into the file. `disk_full` or `io` when the last write failed and does so
  /// again now: nothing accepted is lost, and appending works again when writing does.
  Result<Position> append(EventDraft draft);

  /// Writes the buffer into the file. After an error what was not written stays buffered, to be
  /// tried again.
  Result<> flush();
  /// flush, then waits until the disk has everything appended before this call. A failed fdatasync
  /// is final: the kernel may have dropped the pages, so every later sync of this journal fails
  /// too.
  asio::awaitable<Result<>> sync();

  /// How many fdatasync calls it took so far.
  [[nodiscard]] std::uint64_t syncs() const { return syncs_; }
  [[nodiscard]] std::uint64_t last_seq() const { return at_.seq; }
  [[nodiscard]] const std::optional<RecoveredTail>& recovered() const { return recovered_; }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] const RunId& run() const { return run_; }
  [[nodiscard]] std::shared_ptr<const JournalIndex> index() const { return index_; }

  /// Who wants to know: `published` after the file grew, `ephemeral` with each encoded ephemeral
  /// event. Both are called on the journal's thread and must be quick; one listener, the
  /// trace::Stream.
  struct Listener {
    std::function<void()> published;
    std::function<void(Position, std::string_view line)> ephemeral;
  };
  void set_listener(Listener listener) { listener_ = std::move(listener); }

 private:
  Journal(JournalServices services, std::filesystem::path path, RunId run, std::string stream);
  Result<> open_file();
  Result<> recover();
  Result<> write_pending();
  Result<> cut_tail(std::uint64_t offset, std::string reason);
  Event stamp(EventDraft draft, Durability durability) const;
  void schedule_flush();
  void crash_flush() noexcept;

  JournalServices services_;
  std::filesystem::path path_;
  RunId run_;
  std::string stream_;
  UniqueFd fd_;
  EventCodec codec_;
  Position at_;
  std::string pending_;           ///< encoded, not yet in the file
  std::size_t written_ = 0;       ///< bytes of pending_ that a failed write still got into the file
  std::uint64_t file_bytes_ = 0;  ///< offset in the file of pending_[0]
  std::shared_ptr<JournalIndex> index_ = std::make_shared<JournalIndex>();
  std::optional<RecoveredTail> recovered_;
  Listener listener_;

  bool write_failed_ = false;  ///< the last write; the next append tries again before it accepts

  std::uint64_t synced_seq_ = 0;
  std::uint64_t syncs_ = 0;
  bool syncing_ = false;
  std::optional<Error> sync_failed_;
  Signal sync_done_;

  /// Alive as long as this journal: a scheduled flush that comes later finds it gone.
  std::shared_ptr<Journal*> self_;
  bool flush_scheduled_ = false;
  /// Held while pending_ changes, and for good by a crash flush. It keeps a thread that dies of a
  /// failed ENSURE from writing what another is just changing.
  std::atomic_flag busy_;
  CrashFlushRegistration crash_flush_;
};

}  // namespace fathom::trace
