// Clipping: what the model sees of a long output. By tokens, whole lines where that costs little, a
// quarter from the start and the rest from the end, because the verdict stands at the end; in
// between one line that counts what is missing and says where all of it is.
#pragma once

#include "sandbox/output_capture.hpp"

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace fathom::tools {

/// Tokens of a text. The engine's own count where there is one; tools only need it to be roughly
/// right and to grow with the text.
using TokenCounter = std::function<std::size_t(std::string_view)>;

/// Three bytes a token: what V4's tokenizer needs at most for source code and logs of ASCII.
std::size_t estimate_tokens(std::string_view text);

inline constexpr std::size_t kResultTokensMax = 8'000;  // of one call's text, by default

struct ClipOptions {
  std::size_t tokens_max = kResultTokensMax;
  TokenCounter count = estimate_tokens;
  std::string whole_at;  ///< where all of it can be read; "" when nowhere
};

struct Clipped {
  std::string text;  ///< valid UTF-8, at most tokens_max tokens and the line about the cut
  bool cut = false;
};

/// Bytes that are no UTF-8 become U+FFFD; terminal escapes are left out, carriage returns that only
/// redraw a line too: progress bars cost tokens and say nothing.
Clipped clip(const sandbox::CapturedOutput& output, const ClipOptions& options);

}  // namespace fathom::tools
