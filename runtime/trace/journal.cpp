// Measured: see the head of tests/bench/trace_bench.cpp.
#include "runtime/trace/journal.hpp"

#include "runtime/base/file.hpp"
#include "runtime/trace/journal_reader.hpp"

#include <boost/asio/post.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <utility>

namespace fathom::trace {

void JournalIndex::publish(Mark end) {
  const std::lock_guard lock(mutex_);
  end_ = end;
}

void JournalIndex::add(Mark mark) {
  const std::lock_guard lock(mutex_);
  marks_.push_back(mark);
}

JournalIndex::Mark JournalIndex::end() const {
  const std::lock_guard lock(mutex_);
  return end_;
}

JournalIndex::Mark JournalIndex::floor(std::uint64_t seq) const {
  const std::lock_guard lock(mutex_);
  const auto after = std::ranges::upper_bound(marks_, seq, {}, &Mark::seq);
  return *std::prev(after);  // the first mark is seq 0, so there is always one before
}

Journal::Journal(JournalServices services, std::filesystem::path path, RunId run,
                 std::string stream)
    : services_(std::move(services)),
      path_(std::move(path)),
      run_(run),
      stream_(std::move(stream)),
      sync_done_(services_.executor),
      self_(std::make_shared<Journal*>(this)),
      crash_flush_([](void* self) { static_cast<Journal*>(self)->crash_flush(); }, this) {}

Journal::~Journal() {
  // Nobody is left to hear a Result, and silence is not an option.
  if (const auto flushed = flush(); !flushed)
    static_cast<void>(std::fprintf(stderr, "fathom: %s: %zu bytes of the journal are lost\n",
                                   flushed.error().message.c_str(), pending_.size() - written_));
}

Result<std::unique_ptr<Journal>> Journal::open(JournalServices services,
                                               const std::filesystem::path& path, RunId run,
                                               std::string stream) {
  if (!is_stream_name(stream))
    return fail(ErrorCode::usage, "'" + stream + "' is not a stream name");
  // The constructor is private, so make_unique cannot reach it.
  auto journal =
      std::unique_ptr<Journal>(new Journal(std::move(services), path, run, std::move(stream)));
  TRY(journal->open_file());
  TRY(journal->recover());
  return journal;
}

Result<> Journal::open_file() {
  fd_.reset(::open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!fd_) return fail(system_error("open journal " + path_.string(), errno));
  if (::flock(fd_.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK)
      return fail(ErrorCode::in_use,
                  "journal " + path_.string() + ": another process is writing to it");
    return fail(system_error("lock journal " + path_.string(), errno));
  }
  // The name of a new file must survive a power loss too, or a synced event could lose its file.
  const off_t size = ::lseek(fd_.get(), 0, SEEK_END);
  return size > 0 ? Result<>{} : sync_dir(path_.parent_path());
}

namespace {

// Holds the journal's busy flag. Finding it taken means that a crash flush has it for good: the
// program is about to abort, and this thread waits for that.
class Busy {
 public:
  explicit Busy(std::atomic_flag& flag) : flag_(flag) {
    while (flag_.test_and_set()) flag_.wait(true);
  }
  ~Busy() { flag_.clear(); }
  Busy(const Busy&) = delete;
  Busy& operator=(const Busy&) = delete;

 private:
  std::atomic_flag& flag_;
};

Error refusal(Error damage, std::uint64_t good_end) {
  damage.message += "; move the file aside, or cut it to its first " + std::to_string(good_end) +
                    " bytes to keep what comes before";
  return damage;
}

}  // namespace

Result<> Journal::recover() {
  JournalReader reader = TRY(JournalReader::open(path_));
  std::string reason = "unfinished last line";
  for (;;) {
    Result<std::optional<Event>> event = reader.next();
    if (!event) {
      if (event.error().code != ErrorCode::bad_data || !TRY(reader.is_torn_tail()))
        return fail(refusal(event.error(), reader.offset()));
      reason = event.error().message;
      break;
    }
    if (!*event) break;
    if ((*event)->run != run_ || (*event)->stream != stream_)
      return fail(ErrorCode::bad_data, "journal " + path_.string() + ": belongs to run " +
                                           (*event)->run.to_string() + " stream " +
                                           (*event)->stream);
    if (reader.last_seq() % JournalIndex::kStride == 0)
      index_->add({reader.last_seq(), reader.offset()});
  }
  at_.seq = reader.last_seq();
  file_bytes_ = reader.offset();
  synced_seq_ = 0;  // whether the former process synced is not known
  TRY(cut_tail(reader.offset(), std::move(reason)));
  index_->publish({at_.seq, file_bytes_});
  return {};
}

Result<> Journal::cut_tail(std::uint64_t offset, std::string reason) {
  const off_t size = ::lseek(fd_.get(), 0, SEEK_END);
  if (size < 0) return fail(system_error("size of journal " + path_.string(), errno));
  const std::uint64_t bytes = static_cast<std::uint64_t>(size) - offset;
  if (bytes == 0) return {};
  // A torn tail is one unfinished batch; more than that is no torn tail but somebody else's file.
  constexpr std::uint64_t kTailBytesMax = 16 * 1024 * 1024;
  if (bytes > kTailBytesMax)
    return fail(ErrorCode::bad_data, "journal " + path_.string() + ": damaged at byte " +
                                         std::to_string(offset) + ": no event in the last " +
                                         std::to_string(bytes) + " bytes");
  std::string tail(bytes, '\0');
  tail.resize(TRY(read_at(fd_.get(), tail.data(), tail.size(), offset, path_.string())));
  // Never over what an earlier recovery saved, though the tear may stand at the same place again.
  std::filesystem::path saved;
  constexpr int kSavedMax = 1000;
  for (int i = 0; i < kSavedMax && (i == 0 || ::access(saved.c_str(), F_OK) == 0); ++i) {
    saved = path_;
    saved += ".torn-" + std::to_string(offset) + (i == 0 ? "" : "." + std::to_string(i));
  }
  TRY(write_file_atomic(saved, tail, Sync::yes));
  if (::ftruncate(fd_.get(), static_cast<off_t>(offset)) != 0)
    return fail(system_error("cut journal " + path_.string(), errno));
  recovered_ = RecoveredTail{offset, bytes, std::move(saved), std::move(reason)};
  return {};
}

Event Journal::stamp(EventDraft draft, Durability durability) const {
  Event event;
  event.run = run_;
  event.stream = stream_;
  event.ts = services_.clock.wall_now();
  event.mono_ns =
      std::chrono::duration_cast<std::chrono::nanoseconds>(services_.clock.now().time_since_epoch())
          .count();
  event.durability = durability;
  event.what = std::move(draft);
  return event;
}

Result<Position> Journal::append(EventDraft draft) {
  const auto durability = durability_of(draft.type);
  ENSURE(durability, "emitters use the types of event.cpp's catalogue");
  Event event = stamp(std::move(draft), *durability);
  if (*durability == Durability::ephemeral) {
    event.at = {at_.seq, at_.sub + 1};
    std::string line;
    TRY(codec_.append(line, event));
    at_ = event.at;
    if (listener_.ephemeral) listener_.ephemeral(at_, line);
    return at_;
  }
  // A write that failed in the background is told to whoever comes next, unless it works by now.
  if (write_failed_ || pending_.size() >= kBatchBytes) TRY(flush());
  event.at = {at_.seq + 1, 0};
  {
    const Busy busy(busy_);
    TRY(codec_.append(pending_, event));
    at_ = event.at;
  }
  if (at_.seq % JournalIndex::kStride == 0) index_->add({at_.seq, file_bytes_ + pending_.size()});
  schedule_flush();
  return at_;
}

void Journal::schedule_flush() {
  if (flush_scheduled_) return;
  flush_scheduled_ = true;
  asio::post(services_.executor, [weak = std::weak_ptr(self_)] {
    if (const auto self = weak.lock()) {
      (*self)->flush_scheduled_ = false;
      (void)(*self)->flush();  // its failure is remembered: the next append meets it
    }
  });
}

Result<> Journal::write_pending() {
  while (written_ < pending_.size()) {
    const ssize_t wrote =
        ::write(fd_.get(), pending_.data() + written_, pending_.size() - written_);
    if (wrote < 0 && errno == EINTR) continue;
    write_failed_ = wrote < 0;
    if (write_failed_) {
      Error error = system_error("write journal " + path_.string(), errno);
      if (error.code == ErrorCode::disk_full) error.message += " (free some; nothing is lost yet)";
      return fail(std::move(error));
    }
    written_ += static_cast<std::size_t>(wrote);
  }
  return {};
}

Result<> Journal::flush() {
  if (pending_.empty()) return {};
  {
    const Busy busy(busy_);
    TRY(write_pending());
    file_bytes_ += pending_.size();
    pending_.clear();
    written_ = 0;
  }
  index_->publish({at_.seq, file_bytes_});
  if (listener_.published) listener_.published();
  return {};
}

asio::awaitable<Result<>> Journal::sync() {
  const std::uint64_t wanted = at_.seq;
  while (synced_seq_ < wanted) {
    if (sync_failed_) co_return fail(*sync_failed_);
    if (syncing_) {
      // Somebody's fdatasync is under way and may have begun before our events were written: look
      // again after it.
      co_await sync_done_.wait();
      continue;
    }
    CO_TRY_VOID(flush());
    syncing_ = true;
    struct Done {
      Journal& journal;
      ~Done() {
        journal.syncing_ = false;
        journal.sync_done_.notify_all();
      }
    } const done{*this};
    const std::uint64_t covered = at_.seq;
    auto work = [fd = fd_.get()] { return ::fdatasync(fd) == 0 ? 0 : errno; };
    ++syncs_;
    const int error = co_await offload(services_.pool, work);
    if (error != 0) {
      sync_failed_ = system_error("sync journal " + path_.string(), error);
    } else {
      synced_seq_ = std::max(synced_seq_, covered);
    }
  }
  co_return Result<>{};
}

void Journal::crash_flush() noexcept {
  // The program is wrong and about to abort: one plain attempt. When another thread is changing the
  // buffer right now, what it has of one loop turn is given up: half a change written twice would
  // make the whole journal unreadable.
  if (busy_.test_and_set()) return;
  while (written_ < pending_.size()) {
    const ssize_t wrote =
        ::write(fd_.get(), pending_.data() + written_, pending_.size() - written_);
    if (wrote <= 0) return;
    written_ += static_cast<std::size_t>(wrote);
  }
}

}  // namespace fathom::trace
