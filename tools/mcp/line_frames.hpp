// LineFrames: MCP's framing on a pipe, a message a line. Pure; bytes come in any pieces.
#pragma once

#include "runtime/base/result.hpp"

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace fathom::tools {

class LineFrames {
 public:
  explicit LineFrames(std::size_t frame_bytes_max) : frame_bytes_max_(frame_bytes_max) {}

  /// Calls `on_frame` for every line that `bytes` ends, without its line feed (and a carriage
  /// return before it); empty lines are left out. `too_large` when a line outgrows the bound, also
  /// one that never ends; nothing is kept of it, and every later call fails alike.
  Result<> feed(std::string_view bytes, const std::function<void(std::string_view)>& on_frame);

 private:
  std::size_t frame_bytes_max_;
  std::string begun_;
  bool failed_ = false;
};

}  // namespace fathom::tools
