// Pins: documents inside a workspace that the user trusts to widen a policy.
//
// A file outside of every workspace, ~/.config/fathom/pins, one document a line, as sha256sum
// prints them: `sha256sum /home/u/work/.fathom/policy.yaml >> ~/.config/fathom/pins`. A pin holds
// for that path and that content: neither a changed document nor a copy in another workspace has
// it.
#pragma once

#include "runtime/base/result.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::policies {

constexpr std::size_t kPinsBytesMax = std::size_t{1} << 20;

struct Pin {
  std::string sha256;  ///< 64 small hexadecimal digits
  std::string path;    ///< absolute

  friend bool operator==(const Pin&, const Pin&) = default;
};

/// Empty lines and lines that begin with "#" say nothing. `file` names the text in errors.
Result<std::vector<Pin>> parse_pins(std::string_view text, std::string_view file);

bool is_pinned(const std::vector<Pin>& pins, std::string_view path, std::string_view bytes);

}  // namespace fathom::policies
