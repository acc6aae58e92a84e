#include "tools/mcp/line_frames.hpp"

#include "runtime/base/text.hpp"

namespace fathom::tools {

Result<> LineFrames::feed(std::string_view bytes,
                          const std::function<void(std::string_view)>& on_frame) {
  const auto too_large = [&]() -> Result<> {
    failed_ = true;
    begun_ = {};
    return fail(ErrorCode::too_large, "a line of more than " + format_bytes(frame_bytes_max_));
  };
  if (failed_) return too_large();
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    const std::string_view piece = bytes.substr(0, end);
    if (begun_.size() + piece.size() > frame_bytes_max_) return too_large();
    if (end == std::string_view::npos) {
      begun_ += piece;
      break;
    }
    bytes.remove_prefix(end + 1);
    std::string whole;
    std::string_view line = piece;
    if (!begun_.empty()) {
      whole = std::move(begun_) + std::string(piece);
      begun_ = {};
      line = whole;
    }
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!line.empty()) on_frame(line);
  }
  return {};
}

}  // namespace fathom::tools
