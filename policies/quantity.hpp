// Sizes and durations as a person writes them in a document: a number and its unit, exactly.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fathom::policies {

constexpr std::uint64_t kSizeMax = std::uint64_t{1} << 62;  ///< bytes
constexpr std::chrono::hours kDurationMax = std::chrono::hours(24 * 365);

/// "4GiB", "512MiB", "64KiB", "1TiB", "100B" or "100". Decimal units (GB) and fractions are
/// refused: a limit has one meaning.
std::optional<std::uint64_t> parse_size(std::string_view text);
/// The shortest form that parse_size() reads back exactly.
std::string format_size(std::uint64_t bytes);

/// "10m", "90s", "250ms" or "2h"; a bare number is refused.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);
/// The shortest form that parse_duration() reads back exactly.
std::string format_duration(std::chrono::milliseconds duration);

/// Decimal digits without sign or leading zero; nothing beyond `max`.
std::optional<std::uint64_t> parse_decimal(std::string_view text, std::uint64_t max);

constexpr std::size_t kDecimalPlacesMax = 6;
constexpr std::uint64_t kDecimalWholeMax = 1'000'000'000;

/// "0.85" or "12": as parse_decimal() and, behind a point, 1 to kDecimalPlacesMax digits.
std::optional<double> parse_decimal_fraction(std::string_view text);
/// The shortest form that parse_decimal_fraction() reads back, of a value that it gave.
std::string format_decimal_fraction(double value);

}  // namespace fathom::policies
