#include "runtime/net/sse.hpp"

#include "runtime/base/ensure.hpp"
#include "runtime/base/text.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace fathom::net {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// Decoding per field equals decoding the stream: line ends are ASCII, so no sequence crosses them.
std::string decode(std::string_view bytes) {
  if (find_invalid_utf8(bytes) == std::string_view::npos) return std::string(bytes);
  return to_valid_utf8(bytes);
}

Error too_large(std::string_view what, std::size_t bytes_max) {
  return {ErrorCode::too_large,
          "event stream: " + std::string(what) + " is larger than " + format_bytes(bytes_max)};
}

// Calls `each` with every line of `text`; the text after the last line end counts as a line, also
// when empty.
template <class Each>
void for_each_line(std::string_view text, Each each) {
  for (;;) {
    const std::size_t end = text.find_first_of("\r\n");
    each(text.substr(0, std::min(end, text.size())));
    if (end == std::string_view::npos) return;
    text.remove_prefix(end + (text.substr(end).starts_with("\r\n") ? 2 : 1));
  }
}

}  // namespace

Result<> SseParser::feed(std::string_view bytes, std::vector<SseEvent>& events) {
  while (!bytes.empty() && !failed_) {
    if (std::exchange(after_cr_, false) && bytes[0] == '\n') {
      bytes.remove_prefix(1);
      continue;
    }
    const std::size_t end = std::min(bytes.find_first_of("\r\n"), bytes.size());
    line_ += bytes.substr(0, end);
    if (line_.size() + data_.size() + type_.size() > event_bytes_max_) {
      failed_ = too_large("an event", event_bytes_max_);
      break;
    }
    if (end == bytes.size()) break;
    after_cr_ = bytes[end] == '\r';
    bytes.remove_prefix(end + 1);
    end_line(events);
  }
  if (failed_) return fail(*failed_);
  return {};
}

void SseParser::end_line(std::vector<SseEvent>& events) {
  std::string_view line = line_;
  if (std::exchange(first_line_, false) && line.starts_with(kByteOrderMark))
    line.remove_prefix(kByteOrderMark.size());
  if (line.empty()) {
    dispatch(events);
  } else if (line[0] != ':') {
    const std::size_t colon = std::min(line.find(':'), line.size());
    std::string_view value = line.substr(std::min(colon + 1, line.size()));
    if (value.starts_with(' ')) value.remove_prefix(1);
    take_field(line.substr(0, colon), value);
  }
  line_.clear();
}

void SseParser::take_field(std::string_view name, std::string_view value) {
  if (name == "data") {
    data_ += value;
    data_ += '\n';
  } else if (name == "event") {
    type_ = value;
  } else if (name == "id") {
    if (value.contains('\0')) return;
    if (value.size() > kSseIdBytesMax) {
      failed_ = too_large("an id", kSseIdBytesMax);
      return;
    }
    last_event_id_ = decode(value);
  } else if (name == "retry") {
    const bool digits =
        !value.empty() && std::ranges::all_of(value, [](char c) { return c >= '0' && c <= '9'; });
    std::int64_t milliseconds = 0;
    const auto parsed = std::from_chars(value.data(), value.data() + value.size(), milliseconds);
    // A number too large for 64 bits is ignored like a number that is none.
    if (digits && parsed.ec == std::errc())
      retry_ = std::min(std::chrono::milliseconds(milliseconds), kSseRetryMax);
  }
}

void SseParser::dispatch(std::vector<SseEvent>& events) {
  const std::string type = std::exchange(type_, {});
  if (data_.empty()) return;
  data_.pop_back();  // the LF after the last data line
  SseEvent event{decode(type), decode(data_), last_event_id_};
  if (event.type.empty()) event.type = "message";
  events.push_back(std::move(event));
  data_.clear();
}

std::string encode_sse(const SseEvent& event) {
  constexpr std::string_view kForbidden("\r\n\0", 3);
  ENSURE(event.type.find_first_of(kForbidden) == std::string::npos, "an event type is one line");
  ENSURE(event.id.find_first_of(kForbidden) == std::string::npos, "an event id is one line");
  std::string out;
  out.reserve(event.data.size() + 64);
  if (!event.type.empty() && event.type != "message") out += "event: " + event.type + "\n";
  if (!event.id.empty()) out += "id: " + event.id + "\n";
  for_each_line(event.data, [&](std::string_view line) {
    out += "data: ";
    out += line;
    out += '\n';
  });
  out += '\n';
  return out;
}

std::string encode_sse_comment(std::string_view text) {
  std::string out;
  for_each_line(text, [&](std::string_view line) {
    out += ": ";
    out += line;
    out += '\n';
  });
  out += '\n';
  return out;
}

}  // namespace fathom::net
