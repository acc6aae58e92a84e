#include "runtime/trace/stream.hpp"

#include "runtime/base/ensure.hpp"
#include "runtime/base/file.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace fathom::trace {

Stream::Stream(asio::any_io_executor executor, Journal& journal)
    : executor_(std::move(executor)),
      journal_(journal),
      path_(journal.path()),
      index_(journal.index()),
      news_(executor_),
      self_(std::make_shared<Stream*>(this)) {
  journal_.set_listener({
      .published = [this] { wake(); },
      .ephemeral = [this](Position at, std::string_view line) { add_ephemeral(at, line); },
  });
}

Stream::~Stream() {
  ENSURE(subscribers_ == 0, "subscribers end before their stream");
  if (!closed_) journal_.set_listener({});
}

void Stream::close() {
  journal_.set_listener({});
  closed_ = true;
  wake();
}

std::uint64_t Stream::ring_end() {
  const std::lock_guard lock(ring_mutex_);
  return ring_end_;
}

void Stream::wake() {
  // The flag is set by a subscriber before it looks at the index a last time, so a batch published
  // in between is either seen by that look or finds the flag.
  if (!waiting_.exchange(false)) return;
  asio::post(executor_, [weak = std::weak_ptr(self_)] {
    if (const auto self = weak.lock()) (*self)->news_.notify_all();
  });
}

void Stream::add_ephemeral(Position at, std::string_view line) {
  {
    const std::lock_guard lock(ring_mutex_);
    ring_.push_back({at, std::string(line)});
    ring_bytes_ += line.size();
    ++ring_end_;
    while (ring_bytes_ > kRingBytesMax) {
      ring_bytes_ -= ring_.front().line.size();
      ring_.pop_front();
    }
  }
  wake();
}

Result<std::unique_ptr<Subscriber>> Stream::subscribe(std::uint64_t after_seq) {
  if (subscribers_ >= kSubscribersMax)
    return fail(ErrorCode::too_large, "stream has " + std::to_string(kSubscribersMax) +
                                          " subscribers already: end one first");
  if (!fd_) fd_.reset(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd_) return fail(system_error("open journal " + path_.string(), errno));
  const std::uint64_t last = index_->end().seq;
  const Outcome outcome = after_seq > last    ? Outcome::unknown_seq
                          : after_seq == last ? Outcome::up_to_date
                                              : Outcome::replaying;
  // The constructor is private, so make_unique cannot reach it.
  auto subscriber = std::unique_ptr<Subscriber>(
      new Subscriber(*this, outcome, index_->floor(std::min(after_seq, last))));
  TRY(subscriber->seek(std::min(after_seq, last)));
  return subscriber;
}

Result<Stream::Chunk> Stream::chunk_at(std::uint64_t offset, std::uint64_t end) {
  for (const Chunk& chunk : chunks_)
    if (chunk.bytes && chunk.offset == offset) return chunk;
  auto bytes = std::make_shared<std::string>();
  bytes->resize(std::min<std::uint64_t>(Subscriber::kBatchBytesMax, end - offset));
  bytes->resize(TRY(read_at(fd_.get(), bytes->data(), bytes->size(), offset, path_.string())));
  bytes->resize(bytes->rfind('\n') + 1);  // npos + 1 is 0
  if (bytes->empty())
    return fail(ErrorCode::bad_data, "journal " + path_.string() + " shrank while it was read");
  const auto events = static_cast<std::uint64_t>(std::ranges::count(*bytes, '\n'));
  Chunk& slot = chunks_[next_chunk_++ % chunks_.size()];
  slot = {offset, events, std::move(bytes)};
  return slot;
}

Subscriber::Subscriber(Stream& stream, Outcome outcome, JournalIndex::Mark cursor)
    : stream_(stream), outcome_(outcome), cursor_(cursor), ring_cursor_(stream.ring_end()) {
  ++stream_.subscribers_;
}

Subscriber::~Subscriber() { --stream_.subscribers_; }

Result<> Subscriber::seek(std::uint64_t seq) {
  const std::uint64_t end = stream_.index_->end().offset;
  while (cursor_.seq < seq) {
    const Stream::Chunk chunk = TRY(stream_.chunk_at(cursor_.offset, end));
    const std::uint64_t skipped = std::min(seq - cursor_.seq, chunk.events);
    std::size_t at = 0;
    for (std::uint64_t i = 0; i < skipped; ++i) at = chunk.bytes->find('\n', at) + 1;
    cursor_.seq += skipped;
    cursor_.offset += at;
  }
  return {};
}

Result<Batch> Subscriber::next_durable(JournalIndex::Mark end) {
  Stream::Chunk chunk = TRY(stream_.chunk_at(cursor_.offset, end.offset));
  Batch batch;
  batch.from = cursor_.seq + 1;
  cursor_.seq += chunk.events;
  cursor_.offset += chunk.bytes->size();
  batch.bytes = std::move(chunk.bytes);
  batch.to = cursor_.seq;
  batch.live = cursor_.offset == end.offset;
  return batch;
}

bool Subscriber::take_ephemeral(Batch& batch) {
  const std::lock_guard lock(stream_.ring_mutex_);
  const std::uint64_t ring_begin = stream_.ring_end_ - stream_.ring_.size();
  if (ring_cursor_ < ring_begin) {
    dropped_ += ring_begin - ring_cursor_;
    ring_cursor_ = ring_begin;
  }
  auto lines = std::make_shared<std::string>();
  while (ring_cursor_ < stream_.ring_end_) {
    const Stream::Ephemeral& event = stream_.ring_[ring_cursor_ - ring_begin];
    // Those behind a durable event that was not delivered yet must wait for it; those before it are
    // implied by it.
    if (event.at.seq > cursor_.seq) break;
    if (event.at.seq < cursor_.seq) {
      ++dropped_;
    } else {
      if (lines->size() + event.line.size() > kBatchBytesMax) break;
      *lines += event.line;
    }
    ++ring_cursor_;
  }
  batch.from = batch.to = cursor_.seq;
  batch.durable = false;
  batch.live = true;
  if (lines->empty()) return false;
  batch.bytes = std::move(lines);
  return true;
}

asio::awaitable<Result<Batch>> Subscriber::next() {
  // Give way once a batch: whoever replays a long file must not hold up the others of this thread,
  // and subscribers that take turns stand at the same place and share its chunk.
  co_await asio::post(stream_.executor_, asio::use_awaitable);
  for (;;) {
    // Order matters: the flag first, then the looks (see Stream::wake).
    stream_.waiting_ = true;
    const bool closed = stream_.closed_;
    const JournalIndex::Mark end = stream_.index_->end();
    if (cursor_.offset < end.offset) {
      auto batch = next_durable(end);
      if (batch) batch->ephemeral_dropped = std::exchange(dropped_, 0);
      co_return batch;
    }
    Batch batch;
    if (take_ephemeral(batch)) {
      batch.ephemeral_dropped = std::exchange(dropped_, 0);
      co_return batch;
    }
    if (closed) {
      batch.ended = true;
      batch.ephemeral_dropped = std::exchange(dropped_, 0);
      co_return batch;
    }
    co_await stream_.news_.wait();
  }
}

}  // namespace fathom::trace
