// The regular pieces every grammar is made of, as byte tables: the inside of a JSON string,
// numbers, the free text of a DSML value and of an answer. They are the same for all grammars, so
// the token masks of their states are computed once for a vocabulary.
//
// The token `｜DSML｜` stands in all tables as the one byte kMarkerByte, which UTF-8 never uses.
// Its text spelled by other tokens is only text; where a reader of the bytes would take it for a
// tag it is not allowed: `<｜DSML｜` and `</｜DSML｜` in JSON strings, `<｜DSML｜` in an answer,
// `</｜DSML｜parameter>` in a value.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace fathom::engine {

constexpr unsigned char kMarkerByte = 0xFF;
constexpr std::string_view kMarkerText = "｜DSML｜";

enum class TerminalId : std::uint8_t {
  string,      ///< behind the opening quote of a JSON string, through the closing one
  key,         ///< the same without \u and \/ escapes, so that a key has one spelling
  integer,     ///< at most kIntegerDigitsMax digits
  number,      ///< at most kDigitsMax digits before and behind the point, exponents of two
  value_text,  ///< UTF-8 through `</` and the marker, which stands nowhere else
  content,     ///< UTF-8 through `<` and the marker, which stands nowhere else; may end anywhere
};
constexpr std::size_t kTerminals = 6;
constexpr int kDigitsMax = 20;         // endless digits are a way for a model to get stuck
constexpr int kIntegerDigitsMax = 18;  // so that an integer fits 64 bits

struct Terminal {
  static constexpr std::uint8_t kDead = 0;
  static constexpr std::uint8_t kDone = 1;  ///< the byte completed it
  static constexpr std::uint8_t kStart = 2;

  struct State {
    std::array<std::uint8_t, 256> next{};
    bool may_end = false;   ///< complete even without another byte (numbers, content)
    bool boundary = false;  ///< between characters: the next byte begins one, or closes a string
  };
  std::vector<State> states;

  [[nodiscard]] std::uint8_t next(std::size_t state, unsigned char byte) const {
    return states[state].next[byte];
  }
};

const Terminal& terminal(TerminalId id);

}  // namespace fathom::engine
