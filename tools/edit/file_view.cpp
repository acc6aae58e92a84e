#include "tools/edit/file_view.hpp"

#include <algorithm>

namespace fathom::tools {
namespace {

// A zero byte this early means that the file is no text; git looks as far.
constexpr std::uint64_t kTextProbeBytes = 8'000;
constexpr std::size_t kLineKeptBytes = kShownLineBytesMax + 8;  // more than is shown, so it is cut

}  // namespace

void FileView::take(std::string_view part, bool ends) {
  const bool wanted = !full_ && at_ >= range_.first && (!range_.last || at_ <= *range_.last);
  if (wanted) {
    const std::size_t room = kLineKeptBytes - std::min(line_.size(), kLineKeptBytes);
    line_.append(part.substr(0, room));
    unread_ += part.size() - std::min(part.size(), room);
  }
  if (!ends) return;
  if (wanted) {
    std::string_view line = line_;
    if (at_ == 1) line.remove_prefix(mark_bytes(line));
    full_ = !numbering_.add(line, unread_);
  }
  line_.clear();
  unread_ = 0;
  ++at_;
}

bool FileView::feed(std::string_view piece) {
  if (bytes_ < kTextProbeBytes) {
    const auto probe = static_cast<std::size_t>(kTextProbeBytes - bytes_);
    binary_ = binary_ || piece.substr(0, probe).contains('\0');
    if (binary_) return false;
  }
  while (!piece.empty()) {
    const bool passed = range_.last && at_ > *range_.last;
    if (at_ < range_.first || full_ || passed) {
      // Only counts: the whole piece at once, up to where the range begins.
      const std::size_t end = at_ < range_.first ? line_end(piece, 0) : piece.size();
      const std::string_view part = piece.substr(0, end);
      at_ += static_cast<std::size_t>(std::ranges::count(part, '\n'));
      if (at_ == 2 && part.ends_with('\n'))
        crlf_ = part.size() > 1 ? part[part.size() - 2] == '\r' : last_byte_ == '\r';
      bytes_ += end;
      last_byte_ = part.back();
      piece.remove_prefix(end);
      continue;
    }
    const std::size_t end = line_end(piece, 0);
    const std::string_view part = piece.substr(0, end);
    const bool ends = part.ends_with('\n');
    if (ends && at_ == 1)
      crlf_ = part.size() > 1 ? part[part.size() - 2] == '\r' : last_byte_ == '\r';
    take(part.substr(0, part.size() - (ends ? 1 : 0)), ends);
    bytes_ += end;
    last_byte_ = part.back();
    piece.remove_prefix(end);
  }
  stopped_ = bytes_ >= kScanBytesMax && (full_ || (range_.last && at_ > *range_.last));
  return !stopped_;
}

Result<FileView::Shown> FileView::finish() {
  if (binary_)
    return fail(ErrorCode::bad_data,
                "the file is no text (it holds zero bytes): look at it with "
                "file, strings or xxd");
  Shown shown;
  shown.counted = !stopped_;
  shown.open_end = last_byte_ != '\n';
  shown.lines = at_ - (shown.open_end ? 0 : 1);
  if (shown.open_end) take("", true);
  shown.crlf = crlf_;
  if (range_.first > std::max<std::size_t>(1, shown.lines))
    return fail(ErrorCode::usage, "view_range begins at line " + std::to_string(range_.first) +
                                      ", the file has " + std::to_string(shown.lines));
  shown.text = numbering_.take();
  shown.escaped = numbering_.escaped_lines();
  if (numbering_.next_line() > range_.first) {
    shown.first = range_.first;
    shown.last = numbering_.next_line() - 1;
  }
  return shown;
}

}  // namespace fathom::tools
