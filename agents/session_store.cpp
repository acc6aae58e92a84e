#include "agents/session_store.hpp"

#include "agents/session_state.hpp"
#include "runtime/base/file.hpp"
#include "runtime/base/unique_fd.hpp"
#include "runtime/trace/event_json.hpp"
#include "runtime/trace/journal_reader.hpp"

#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <string>
#include <system_error>
#include <utility>

namespace fathom::agents {
namespace {

constexpr std::size_t kCopyBytes = 1UL << 20;  // written at once

Result<> check_owner(const trace::Event& event, const RunId& run) {
  if (event.run == run) return {};
  return fail(ErrorCode::bad_data,
              "journal of run " + run.to_string() + ": belongs to run " + event.run.to_string());
}

/// Where a session may be forked, around one event.
struct Boundaries {
  std::uint64_t before = 0;  ///< the last one up to the wanted event; 0 for none
  std::uint64_t after = 0;   ///< the first one behind it, likewise
};

// A finished run's last event says that it has finished, which its fork has not.
bool is_boundary(const SessionState& state, const trace::Event& event) {
  return state.started() && state.pending().empty() && event.what.type != "run.finished";
}

/// Reads no further than it must: what is damaged behind the wanted event is of no interest.
class BoundaryFinder {
 public:
  BoundaryFinder(const ForkPoint& point, const trace::BlobStore& blobs)
      : point_(point), blobs_(blobs) {}

  Result<Boundaries> find(trace::JournalReader& reader) {
    while (!is_done()) {
      const Result<bool> more = step(reader);
      if (!more && found_.before == 0) return fail(more.error());
      if (!more)
        return fail(more.error().code, more.error().message + "; fork at event " +
                                           std::to_string(found_.before) +
                                           " to keep what comes before");
      if (!*more) break;
    }
    return found_;
  }
  [[nodiscard]] std::uint64_t last_seq() const { return last_; }
  [[nodiscard]] bool is_session() const { return state_.started().has_value(); }

 private:
  [[nodiscard]] bool is_done() const {
    return point_.seq && (found_.before == *point_.seq || found_.after != 0);
  }

  Result<bool> step(trace::JournalReader& reader) {
    const std::optional<trace::Event> event = TRY(reader.next());
    if (!event) return false;
    TRY(check_owner(*event, point_.from));
    TRY(state_.apply_trace(*event, blobs_));
    last_ = event->at.seq;
    // What a person names is taken at its word, the end of a run too.
    const bool named = point_.seq == last_ && state_.started() && state_.pending().empty();
    if (named || is_boundary(state_, *event))
      (point_.seq && last_ > *point_.seq ? found_.after : found_.before) = last_;
    return true;
  }

  const ForkPoint& point_;
  const trace::BlobStore& blobs_;
  SessionState state_;
  Boundaries found_;
  std::uint64_t last_ = 0;
};

Result<std::uint64_t> find_fork(const RunStore& runs, const ForkPoint& point) {
  if (point.seq == 0) return fail(ErrorCode::usage, "event 0: events are counted from 1");
  const trace::BlobStore blobs = TRY(trace::BlobStore::open(runs.blobs()));
  trace::JournalReader reader = TRY(trace::JournalReader::open(runs.journal(point.from)));
  BoundaryFinder finder(point, blobs);
  const Boundaries found = TRY(finder.find(reader));
  const std::string run = "run " + point.from.to_string();
  if (!finder.is_session())
    return fail(ErrorCode::bad_data, run + ": holds no session of an agent");
  if (!point.seq || found.before == *point.seq) return found.before;
  const std::string event = run + ": event " + std::to_string(*point.seq);
  if (finder.last_seq() < *point.seq)
    return fail(ErrorCode::usage, event + " does not exist: the last one to fork at is " +
                                      std::to_string(found.before));
  std::string near = found.before == 0 ? "" : std::to_string(found.before);
  if (found.after != 0) near += (near.empty() ? "" : " or ") + std::to_string(found.after);
  return fail(ErrorCode::usage,
              event +
                  (found.before == 0 ? " comes before the session began"
                                     : " stands between calls and their results") +
                  ": fork at " + near);
}

/// A file that is gone unless it was given its name.
class NewFile {
 public:
  static Result<NewFile> create(std::filesystem::path path) {
    NewFile file(std::move(path));
    file.fd_.reset(::open(file.temporary_.c_str(),
                          O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!file.fd_) return fail(system_error("create " + file.temporary_.string(), errno));
    return file;
  }
  ~NewFile() {
    if (fd_) ::unlink(temporary_.c_str());
  }
  NewFile(NewFile&&) noexcept = default;
  NewFile& operator=(NewFile&&) = delete;
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  Result<> write(std::string_view bytes) { return write_all(fd_.get(), bytes, path_.string()); }
  Result<> publish() {
    if (::fdatasync(fd_.get()) != 0) return fail(system_error("sync " + path_.string(), errno));
    if (::rename(temporary_.c_str(), path_.c_str()) != 0)
      return fail(system_error("name " + path_.string(), errno));
    fd_.reset();
    return sync_dir(path_.parent_path());
  }

 private:
  explicit NewFile(std::filesystem::path path) : path_(std::move(path)) {
    temporary_ = path_.string() + ".part";
  }
  std::filesystem::path path_;
  std::filesystem::path temporary_;
  UniqueFd fd_;
};

trace::Event forked_event(const ForkPoint& point, std::uint64_t seq, const Clock& clock) {
  trace::Event event;
  event.stream = "main";
  event.at.seq = seq + 1;
  event.ts = clock.wall_now();
  event.mono_ns =
      std::chrono::duration_cast<std::chrono::nanoseconds>(clock.now().time_since_epoch()).count();
  event.what.type = "run.forked";
  event.what.data = nlohmann::ordered_json({{"from", point.from.to_string()}, {"seq", seq}}).dump();
  return event;
}

// Not through trace::Journal, which would stamp the copies with the time of the copying.
Result<> copy_events(const RunStore& runs, const ForkPoint& point, std::uint64_t seq,
                     const RunId& as, trace::Event last) {
  trace::JournalReader reader = TRY(trace::JournalReader::open(runs.journal(point.from)));
  NewFile file = TRY(NewFile::create(runs.journal(as)));
  trace::EventCodec codec;
  std::string batch;
  while (reader.last_seq() < seq) {
    std::optional<trace::Event> event = TRY(reader.next());
    if (!event)
      return fail(ErrorCode::io, "journal of run " + point.from.to_string() +
                                     ": became shorter while it was copied");
    event->run = as;
    last.stream = event->stream;
    TRY(codec.append(batch, *event));
    if (batch.size() < kCopyBytes) continue;
    TRY(file.write(batch));
    batch.clear();
  }
  last.run = as;
  TRY(codec.append(batch, last));
  TRY(file.write(batch));
  return file.publish();
}

// The lock that trace::Journal holds, so that nobody appends to what is being removed.
Result<UniqueFd> lock_journal(const RunStore& runs, const RunId& run) {
  const std::filesystem::path path = runs.journal(run);
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return fail(system_error("open journal " + path.string(), errno));
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return fd;
  if (errno == EWOULDBLOCK)
    return fail(ErrorCode::in_use,
                "run " + run.to_string() + " is in use: end the process that works on it first");
  return fail(system_error("lock journal " + path.string(), errno));
}

Result<> remove_outputs(const std::filesystem::path& folder, Removed& removed) {
  std::error_code error;
  for (std::filesystem::recursive_directory_iterator entry(folder, error), end;
       !error && entry != end; entry.increment(error)) {
    std::error_code gone;
    if (!entry->is_regular_file(gone) || entry->is_symlink(gone)) continue;
    ++removed.outputs;
    const std::uintmax_t bytes = entry->file_size(gone);
    if (!gone) removed.bytes += bytes;
  }
  error.clear();
  std::filesystem::remove_all(folder, error);
  if (error) return fail(system_error("remove " + folder.string(), error.value()));
  return {};
}

// Its workspace may not be known any more, so every place is looked at.
Result<> remove_all_outputs(const RunStore& runs, const RunId& run, Removed& removed) {
  std::error_code error;
  for (std::filesystem::directory_iterator place(runs.state() / "outputs", error), end;
       !error && place != end; place.increment(error)) {
    const std::filesystem::path folder = place->path() / run.to_string();
    std::error_code gone;
    if (std::filesystem::is_directory(std::filesystem::symlink_status(folder, gone)))
      TRY(remove_outputs(folder, removed));
  }
  if (error) return fail(system_error("list outputs of runs", error.value()));
  return {};
}

}  // namespace

Result<SessionList> list_sessions(const RunStore& runs, std::size_t limit) {
  limit = std::min(limit, kListedMax);
  SessionList list;
  std::size_t looked_at = 0;
  for (const RunId& run : TRY(runs.list())) {
    if (looked_at++ == kRunsLookedAtMax) {
      list.has_more = true;
      break;
    }
    SessionSummary summary = summarize(runs.journal(run), run);
    const bool is_gone = summary.damage && summary.damage->code == ErrorCode::not_found;
    if (is_gone || (!summary.is_session && !summary.damage)) continue;
    if (list.sessions.size() == limit) {
      list.has_more = true;
      break;
    }
    list.sessions.push_back(std::move(summary));
  }
  return list;
}

Result<RunId> newest_session(const RunStore& runs) {
  std::size_t looked_at = 0;
  for (const RunId& run : TRY(runs.list())) {
    if (looked_at++ == kRunsLookedAtMax) break;
    if (summarize(runs.journal(run), run).is_session) return run;
  }
  return fail(ErrorCode::not_found, "there are no sessions yet");
}

Result<std::uint64_t> fork_session(const RunStore& runs, const ForkPoint& point, const RunId& as,
                                   const Clock& clock) {
  const std::uint64_t seq = TRY(find_fork(runs, point));
  TRY(copy_events(runs, point, seq, as, forked_event(point, seq, clock)));
  return seq;
}

Result<Removed> remove_run(const RunStore& runs, const RunId& run) {
  const UniqueFd lock = TRY(lock_journal(runs, run));
  Removed removed;
  TRY(remove_all_outputs(runs, run, removed));
  const std::filesystem::path journal = runs.journal(run);
  const std::string beside = journal.filename().string() + ".";
  std::vector<std::filesystem::path> files;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(journal.parent_path(), error), end;
       !error && entry != end; entry.increment(error))
    if (entry->path().filename().string().starts_with(beside)) files.push_back(entry->path());
  files.push_back(journal);  // last: as long as it stands, this can be done again
  for (const std::filesystem::path& file : files) {
    std::error_code gone;
    const std::uintmax_t bytes = std::filesystem::file_size(file, gone);
    if (!gone) removed.bytes += bytes;
    if (::unlink(file.c_str()) != 0 && errno != ENOENT)
      return fail(system_error("remove " + file.string(), errno));
  }
  return removed;
}

}  // namespace fathom::agents
