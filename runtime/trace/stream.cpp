#include "runtime/trace/stream.hpp"

#include <fcntl.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <utility>

#include "runtime/base/ensure.hpp"
#include "runtime/base/file.hpp"

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

void Stream::wake() {
  // The flag is set by a subscriber before it looks at the index a last time, so a batch published in between is
  // either seen by that look or finds the flag.
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
  UniqueFd fd(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail(system_error("open journal " + path_.string(), errno));
  const std::uint64_t last = index_->end().seq;
  const Outcome outcome = after_seq > last    ? Outcome::unknown_seq
                          : after_seq == last ? Outcome::up_to_date
                                              : Outcome::replaying;
  // NOLINTNEXTLINE: the constructor is private, so make_unique cannot reach it
  std::unique_ptr<Subscriber> subscriber(new Subscriber(*this, std::move(fd), outcome,
                                                        index_->floor(std::min(after_seq, last))));
  TRY(subscriber->seek(std::min(after_seq, last)));
  return subscriber;
}

Subscriber::Subscriber(Stream& stream, UniqueFd fd, Outcome outcome, JournalIndex::Mark cursor)
    : stream_(stream), fd_(std::move(fd)), outcome_(outcome), cursor_(cursor) {
  ++stream_.subscribers_;
  const std::lock_guard lock(stream_.ring_mutex_);
  ring_cursor_ = stream_.ring_end_;  // ephemeral events of the past are of no use to a newcomer
}

Subscriber::~Subscriber() { --stream_.subscribers_; }

Result<> Subscriber::seek(std::uint64_t seq) {
  std::string buffer;
  while (cursor_.seq < seq) {
    buffer.resize(kBatchBytesMax);
    buffer.resize(TRY(read_at(fd_.get(), buffer.data(), buffer.size(), cursor_.offset, stream_.path_.string())));
    std::size_t at = 0;
    while (cursor_.seq < seq) {
      const std::size_t newline = buffer.find('\n', at);
      if (newline == std::string::npos) break;
      at = newline + 1;
      ++cursor_.seq;
    }
    if (at == 0) return fail(ErrorCode::bad_data, "journal " + stream_.path_.string() + " shrank while it was read");
    cursor_.offset += at;
  }
  return {};
}

Result<Batch> Subscriber::read_file(JournalIndex::Mark end) {
  Batch batch;
  const std::size_t want = std::min<std::uint64_t>(kBatchBytesMax, end.offset - cursor_.offset);
  batch.lines.resize(want);
  batch.lines.resize(TRY(read_at(fd_.get(), batch.lines.data(), want, cursor_.offset, stream_.path_.string())));
  batch.lines.resize(batch.lines.rfind('\n') + 1);  // npos + 1 is 0
  if (batch.lines.empty())
    return fail(ErrorCode::bad_data, "journal " + stream_.path_.string() + " shrank while it was read");
  batch.from = cursor_.seq + 1;
  cursor_.seq += static_cast<std::uint64_t>(std::ranges::count(batch.lines, '\n'));
  cursor_.offset += batch.lines.size();
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
  while (ring_cursor_ < stream_.ring_end_) {
    const Stream::Ephemeral& event = stream_.ring_[ring_cursor_ - ring_begin];
    // Those behind a durable event that was not delivered yet must wait for it; those before it are implied by it.
    if (event.at.seq > cursor_.seq) break;
    if (event.at.seq < cursor_.seq) {
      ++dropped_;
    } else {
      if (batch.lines.size() + event.line.size() > kBatchBytesMax) break;
      batch.lines += event.line;
    }
    ++ring_cursor_;
  }
  batch.from = batch.to = cursor_.seq;
  batch.durable = false;
  batch.live = true;
  return !batch.lines.empty();
}

asio::awaitable<Result<Batch>> Subscriber::next() {
  for (;;) {
    // Order matters: the flag first, then the looks (see Stream::wake).
    stream_.waiting_ = true;
    const bool closed = stream_.closed_;
    const JournalIndex::Mark end = stream_.index_->end();
    if (cursor_.offset < end.offset) {
      auto batch = read_file(end);
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
