#include "sandbox/output_capture.hpp"

#include <algorithm>

namespace fathom::sandbox {

std::string CapturedOutput::text() const {
  if (bytes_cut == 0) return head + tail;
  return head + "\n[" + std::to_string(bytes_cut) + " of " + std::to_string(bytes) +
         " bytes cut here" + (blob.empty() ? "" : "; all of it is " + blob) + "]\n" + tail;
}

void OutputCapture::append(std::string_view bytes) {
  bytes_ += bytes.size();
  lines_ += static_cast<std::uint64_t>(std::ranges::count(bytes, '\n'));
  const std::size_t first = std::min(bytes.size(), head_bytes_ - head_.size());
  head_.append(bytes.substr(0, first));
  bytes.remove_prefix(first);
  if (bytes.size() > tail_bytes_) bytes.remove_prefix(bytes.size() - tail_bytes_);
  const std::size_t grown = std::min(bytes.size(), tail_bytes_ - ring_.size());
  ring_.append(bytes.substr(0, grown));
  bytes.remove_prefix(grown);
  while (!bytes.empty()) {
    const std::size_t part = std::min(bytes.size(), ring_.size() - ring_at_);
    ring_.replace(ring_at_, part, bytes.substr(0, part));
    ring_at_ = (ring_at_ + part) % ring_.size();
    bytes.remove_prefix(part);
  }
}

std::string OutputCapture::tail() const {
  return ring_.substr(ring_at_) + ring_.substr(0, ring_at_);
}

std::string OutputCapture::so_far() const { return head_ + tail(); }

CapturedOutput OutputCapture::finish() const {
  CapturedOutput output;
  output.head = head_;
  output.tail = tail();
  output.bytes = bytes_;
  output.lines = lines_;
  output.bytes_cut = bytes_ - head_.size() - ring_.size();
  return output;
}

}  // namespace fathom::sandbox
