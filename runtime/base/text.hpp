// Text from outside is bytes until proven otherwise: these functions cut, check and print it
// safely.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace fathom {

/// The byte offset of the first sequence that is not well-formed UTF-8 (Unicode 15 table 3-7: no
/// overlong forms, no surrogates, nothing above U+10FFFF), or npos when all of `text` is well
/// formed.
[[nodiscard]] std::size_t find_invalid_utf8(std::string_view text);

/// Replaces each maximal ill-formed sequence by U+FFFD, as the WHATWG decoder does. Well-formed
/// text is unchanged.
[[nodiscard]] std::string to_valid_utf8(std::string_view text);

/// The longest prefix (suffix) of `text` of at most `bytes_max` bytes that does not cut a code
/// point in two. Ill-formed bytes count as code points of one byte, so the result is never empty
/// for want of a boundary.
[[nodiscard]] std::string_view clip_prefix(std::string_view text, std::size_t bytes_max);
[[nodiscard]] std::string_view clip_suffix(std::string_view text, std::size_t bytes_max);

/// Keeps the head and the tail: `head … [N bytes cut] … tail` when `text` is longer than
/// `bytes_max`. The tail gets three quarters, because the end of a tool's output is where the
/// verdict stands.
[[nodiscard]] std::string clip_middle(std::string_view text, std::size_t bytes_max);

/// One line fit for a terminal: control characters (escape sequences too) and ill-formed bytes
/// appear as \xNN.
[[nodiscard]] std::string to_printable(std::string_view text);

/// The candidate closest to `word` by edit distance, for "did you mean"; empty when none is near
/// (more than a third of the word would have to change).
[[nodiscard]] std::string_view nearest(std::string_view word,
                                       std::span<const std::string_view> candidates);

/// "1.5 GiB", "312 B": binary units, at most one decimal.
[[nodiscard]] std::string format_bytes(unsigned long long bytes);

}  // namespace fathom
