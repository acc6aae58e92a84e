#include "runtime/trace/journal_reader.hpp"

#include "runtime/base/file.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace fathom::trace {

Result<LineReader> LineReader::open(const std::filesystem::path& path, std::uint64_t offset) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail(system_error("open journal " + path.string(), errno));
  struct stat info{};
  // Reading goes by offset, which pipes and folders do not have.
  if (::fstat(fd.get(), &info) == 0 && !S_ISREG(info.st_mode))
    return fail(ErrorCode::usage, "open journal " + path.string() +
                                      ": not a regular file (save what it gives into one first)");
  return LineReader(std::move(fd), path.string(), offset);
}

LineReader::LineReader(UniqueFd fd, std::string name, std::uint64_t offset)
    : fd_(std::move(fd)), name_(std::move(name)), buffer_offset_(offset) {
  buffer_.resize(kBufferBytes + EventCodec::kPadding);
}

std::string_view LineReader::unfinished() const {
  return std::string_view(buffer_).substr(begin_, end_ - begin_);
}

Result<std::size_t> LineReader::refill() {
  std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
  buffer_offset_ += begin_;
  end_ -= begin_;
  begin_ = 0;
  const std::size_t got = TRY(
      read_at(fd_.get(), buffer_.data() + end_, kBufferBytes - end_, buffer_offset_ + end_, name_));
  end_ += got;
  return got;
}

Result<std::optional<Line>> LineReader::next() {
  for (std::size_t searched = 0;;) {
    const std::size_t newline = unfinished().find('\n', searched);
    if (newline < kEventBytesMax) {  // npos is larger
      const Line line{unfinished().substr(0, newline), offset(), buffer_.size() - begin_};
      begin_ += newline + 1;
      return line;
    }
    searched = end_ - begin_;
    if (searched >= kEventBytesMax) return fail(ErrorCode::bad_data, "a line of more than 64 KiB");
    if (TRY(refill()) == 0) return std::nullopt;
  }
}

Result<bool> LineReader::skip_long_line() {
  for (;;) {
    const std::size_t newline = unfinished().find('\n');
    if (newline != std::string_view::npos) {
      begin_ += newline + 1;
      return true;
    }
    begin_ = end_;
    if (TRY(refill()) == 0) return false;
  }
}

Result<JournalReader> JournalReader::open(const std::filesystem::path& path) {
  return JournalReader(TRY(LineReader::open(path)), path.string());
}

Error JournalReader::damaged(std::uint64_t offset, const Error& why) const {
  return {ErrorCode::bad_data, "journal " + name_ + ": damaged at byte " + std::to_string(offset) +
                                   " (after seq " + std::to_string(last_seq_) +
                                   "): " + why.message};
}

Result<std::optional<Event>> JournalReader::next() {
  const auto line = lines_.next();
  if (!line)
    return fail(line.error().code == ErrorCode::bad_data ? damaged(good_end_, line.error())
                                                         : line.error());
  if (!*line) return std::nullopt;
  const std::uint64_t offset = (*line)->offset;
  Result<Event> event = codec_.decode_padded((*line)->text, (*line)->readable);
  if (!event) return fail(damaged(offset, event.error()));
  const auto refuse = [&](std::string why) {
    return fail(damaged(offset, {ErrorCode::bad_data, std::move(why)}));
  };
  if (event->durability != Durability::durable) return refuse("an ephemeral event");
  if (event->at.seq != last_seq_ + 1)
    return refuse("seq " + std::to_string(event->at.seq) + " does not follow");
  if (!run_) {
    run_ = event->run;
    stream_ = event->stream;
  }
  if (event->run != *run_ || event->stream != stream_)
    return refuse("an event of another run or stream");
  last_seq_ = event->at.seq;
  good_end_ = lines_.offset();
  return std::move(*event);
}

Result<bool> JournalReader::is_torn_tail() {
  LineReader lines = TRY(LineReader::open(name_, good_end_));
  bool zeros = false;
  for (;;) {
    const auto line = lines.next();
    if (!line && line.error().code != ErrorCode::bad_data) return fail(line.error());
    if (!line) {
      // Too long for an event. Zeros of a lost page have no line ends, so look at its beginning
      // only.
      zeros = zeros || lines.unfinished().find('\0') != std::string_view::npos;
      if (!TRY(lines.skip_long_line())) return true;
      continue;
    }
    if (!*line) return zeros || !lines.unfinished().empty();
    zeros = zeros || (*line)->text.find('\0') != std::string_view::npos;
    const Result<Event> event = codec_.decode_padded((*line)->text, (*line)->readable);
    if (event && event->at.seq > last_seq_) return false;
  }
}

}  // namespace fathom::trace
