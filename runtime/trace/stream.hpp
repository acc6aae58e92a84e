// Stream: a journal's events as they happen, for any number of subscribers.
//
// A subscriber reads the journal's own file, so replay and live are the same reader and join
// without gap or duplicate, and a subscriber that is slow or never reads costs the writer nothing:
// it only falls behind on disk. What the writer does per batch is to check one flag. Subscribers at
// the same place share one read of the file, so a hundred watchers of a live run cost little more
// than one. Ephemeral events are not in the file; the latest of them wait in one ring shared by all
// subscribers, and who is too slow for the ring misses some and is told how many.
#pragma once

#include "runtime/async/signal.hpp"
#include "runtime/base/result.hpp"
#include "runtime/base/unique_fd.hpp"
#include "runtime/trace/journal.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace fathom::trace {

/// Some whole lines in order. Either durable events (from..to, contiguous) or ephemeral ones (from
/// == to, the seq they stand behind).
struct Batch {
  std::shared_ptr<const std::string>
      bytes;  ///< shared with other subscribers; null only when `ended`
  std::uint64_t from = 0;
  std::uint64_t to = 0;
  bool durable = true;
  std::uint64_t ephemeral_dropped =
      0;  ///< ephemeral events this subscriber missed since the batch before
  bool live =
      false;  ///< nothing newer was in the file when this was read: replay has reached the present
  bool ended = false;  ///< the stream was closed and everything was delivered

  /// Encoded events, each with its newline.
  [[nodiscard]] std::string_view lines() const {
    return bytes ? std::string_view(*bytes) : std::string_view();
  }
};

/// How a subscription begins, as the trace protocol says it.
enum class Outcome : std::uint8_t {
  up_to_date,  ///< after_seq is the last event: only new ones will come
  replaying,   ///< events after after_seq come first
  unknown_seq  ///< after_seq lies in the future of this stream: the reader knows another, lost
               ///< history
};

class Stream;

/// One reader. Used on the stream's executor; it must not outlive its stream.
class Subscriber {
 public:
  /// The most a subscriber holds in memory: one batch. Constant, however far it is behind.
  static constexpr std::size_t kBatchBytesMax = kEventBytesMax;

  ~Subscriber();
  Subscriber(const Subscriber&) = delete;
  Subscriber& operator=(const Subscriber&) = delete;

  [[nodiscard]] Outcome outcome() const { return outcome_; }
  /// Waits for events and takes up to kBatchBytesMax bytes of them. After `ended` only that is
  /// repeated.
  asio::awaitable<Result<Batch>> next();

 private:
  friend class Stream;
  Subscriber(Stream& stream, Outcome outcome, JournalIndex::Mark cursor);

  /// Moves the cursor from a mark of the sparse index to just behind `seq`.
  Result<> seek(std::uint64_t seq);
  Result<Batch> next_durable(JournalIndex::Mark end);
  bool take_ephemeral(Batch& batch);

  Stream& stream_;
  Outcome outcome_;
  JournalIndex::Mark cursor_;
  /// Number of the next ephemeral event to look at; those of the past are of no use to a newcomer.
  std::uint64_t ring_cursor_;
  std::uint64_t dropped_ = 0;
};

class Stream {
 public:
  /// Ephemeral events kept for subscribers that are a moment behind.
  static constexpr std::size_t kRingBytesMax = 256 * 1024;
  static constexpr std::size_t kSubscribersMax = 1024;

  /// Becomes the journal's listener. `executor` runs the subscribers; it may belong to another
  /// thread than the journal's. The journal must outlive the stream, or be ended by close() first.
  Stream(asio::any_io_executor executor, Journal& journal);
  /// Where the journal lives on another thread, close() comes first.
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  /// Delivers what comes after `after_seq` (0: everything). `too_large` at kSubscribersMax.
  Result<std::unique_ptr<Subscriber>> subscribe(std::uint64_t after_seq);

  /// No more events will come: subscribers get what is there and then `ended`. Called on the
  /// journal's thread, after its last flush.
  void close();

 private:
  friend class Subscriber;
  struct Ephemeral {
    Position at;
    std::string line;
  };
  /// Whole lines of the file from `offset` on, read once for all who stand there.
  struct Chunk {
    std::uint64_t offset = 0;
    std::uint64_t events = 0;
    std::shared_ptr<const std::string> bytes;
  };
  static constexpr std::size_t kChunksKept = 8;

  Result<Chunk> chunk_at(std::uint64_t offset, std::uint64_t end);

  void add_ephemeral(Position at, std::string_view line);
  std::uint64_t ring_end();
  void wake();

  asio::any_io_executor executor_;
  Journal& journal_;
  std::filesystem::path path_;
  std::shared_ptr<const JournalIndex> index_;
  Signal news_;
  UniqueFd fd_;  ///< opened for the first subscriber
  std::array<Chunk, kChunksKept> chunks_;
  std::size_t next_chunk_ = 0;
  std::size_t subscribers_ = 0;
  std::shared_ptr<Stream*> self_;      ///< a wake-up posted before our end finds us gone
  std::atomic<bool> waiting_ = false;  ///< a subscriber waits and nobody has posted a wake-up yet
  std::atomic<bool> closed_ = false;

  std::mutex ring_mutex_;
  std::deque<Ephemeral> ring_;
  std::size_t ring_bytes_ = 0;
  std::uint64_t ring_end_ = 0;  ///< number of the ephemeral event after the last in the ring
};

}  // namespace fathom::trace
