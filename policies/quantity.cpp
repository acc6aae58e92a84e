#include "policies/quantity.hpp"

#include <array>
#include <charconv>
#include <span>

namespace fathom::policies {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

// Largest first: the first that divides gives the shortest form.
constexpr std::array kSizes = {Unit{"TiB", 1ULL << 40U}, Unit{"GiB", 1ULL << 30U},
                               Unit{"MiB", 1ULL << 20U}, Unit{"KiB", 1ULL << 10U}, Unit{"B", 1}};
constexpr std::array kDurations = {Unit{"h", 3'600'000}, Unit{"m", 60'000}, Unit{"s", 1000},
                                   Unit{"ms", 1}};

std::optional<std::uint64_t> parse_with(std::span<const Unit> units, std::string_view text,
                                        std::uint64_t max) {
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  for (const Unit& unit : units)
    if (text.substr(digits) == unit.name) {
      const auto count = parse_decimal(text.substr(0, digits), max / unit.factor);
      return count ? std::optional(*count * unit.factor) : std::nullopt;
    }
  return std::nullopt;
}

std::string format_with(std::span<const Unit> units, std::uint64_t amount) {
  if (amount == 0) return "0" + std::string(units.back().name);
  for (const Unit& unit : units)
    if (amount % unit.factor == 0)
      return std::to_string(amount / unit.factor) + std::string(unit.name);
  return std::to_string(amount) + std::string(units.back().name);
}

}  // namespace

std::optional<std::uint64_t> parse_decimal(std::string_view text, std::uint64_t max) {
  if (text.empty() || (text.size() > 1 && text.front() == '0')) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    const auto digit = static_cast<std::uint64_t>(c - '0');
    if (digit > max || value > (max - digit) / 10) return std::nullopt;
    value = value * 10 + digit;
  }
  return value;
}

std::optional<double> parse_decimal_fraction(std::string_view text) {
  const std::size_t point = text.find('.');
  if (!parse_decimal(text.substr(0, point), kDecimalWholeMax)) return std::nullopt;
  if (point != std::string_view::npos) {
    const std::string_view places = text.substr(point + 1);
    const bool digits = places.find_first_not_of("0123456789") == std::string_view::npos;
    if (!digits || places.empty() || places.size() > kDecimalPlacesMax) return std::nullopt;
  }
  double value = 0;
  // Not strtod: it reads a comma where the locale says so.
  std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  return value;
}

std::string format_decimal_fraction(double value) {
  constexpr std::size_t kBytesMax = 32;
  std::array<char, kBytesMax> text{};
  const auto end = std::to_chars(text.begin(), text.end(), value, std::chars_format::fixed);
  return {text.begin(), end.ptr};
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  if (const auto bytes = parse_decimal(text, kSizeMax)) return bytes;
  return parse_with(kSizes, text, kSizeMax);
}

std::string format_size(std::uint64_t bytes) { return format_with(kSizes, bytes); }

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
  constexpr auto kMax = std::chrono::milliseconds(kDurationMax).count();
  const auto amount = parse_with(kDurations, text, static_cast<std::uint64_t>(kMax));
  if (!amount) return std::nullopt;
  return std::chrono::milliseconds(static_cast<std::int64_t>(*amount));
}

std::string format_duration(std::chrono::milliseconds duration) {
  return format_with(kDurations, static_cast<std::uint64_t>(duration.count()));
}

}  // namespace fathom::policies
