// Identifiers: 128-bit ULIDs (48 bits of milliseconds, 80 bits of randomness, sorted by time)
// behind one strong type per kind of thing, so that a session id cannot be passed where a run id is
// meant.
#pragma once

#include "runtime/base/result.hpp"

#include <array>
#include <compare>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>

namespace fathom {

/// A ULID as 16 big-endian bytes. Text form: 26 characters of Crockford's base 32, upper case.
struct Ulid {
  std::array<std::uint8_t, 16> bytes{};

  static constexpr std::size_t kTextSize = 26;

  /// Accepts either letter case, as the ULID specification asks; refuses anything else.
  static Result<Ulid> parse(std::string_view text);
  [[nodiscard]] std::string to_string() const;
  /// Appends the 26 characters; the event encoder's hot path.
  void append_to(std::string& out) const;
  /// Milliseconds since the Unix epoch, as stored in the first 48 bits.
  [[nodiscard]] std::uint64_t unix_ms() const;

  friend auto operator<=>(const Ulid&, const Ulid&) = default;
};

/// Makes ULIDs that strictly increase, also within one millisecond and when the wall clock steps
/// back. The generator is seeded by the caller: tests and the simulator repeat their ids.
class UlidSource {
 public:
  explicit UlidSource(std::uint64_t seed) : random_(seed) {}
  Ulid next(std::uint64_t unix_ms);

 private:
  std::mt19937_64 random_;
  Ulid last_{};
};

template <class Tag>
struct Id {
  Ulid value;

  static Result<Id> parse(std::string_view text) {
    auto ulid = Ulid::parse(text);
    if (!ulid) return std::unexpected(std::move(ulid).error());
    return Id{*ulid};
  }
  [[nodiscard]] std::string to_string() const { return value.to_string(); }

  friend auto operator<=>(const Id&, const Id&) = default;
};

using RunId = Id<struct RunTag>;
using SessionId = Id<struct SessionTag>;

}  // namespace fathom
