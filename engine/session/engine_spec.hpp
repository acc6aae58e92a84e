// EngineSpec: which engine a person means.
//
//   local:DIR  demo  openai:URL[#MODEL]  anthropic:URL[#MODEL]  replay:FILE[#loose]
//
// A hosted model's name alone stands for its vendor's address.
#pragma once

#include "runtime/base/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace fathom::engine {

inline constexpr std::size_t kEngineSpecBytesMax = 4096;

struct EngineSpec {
  enum class Kind : std::uint8_t { local, demo, openai, anthropic, replay };

  Kind kind = Kind::demo;
  std::string place;  ///< folder, URL or file; "" for demo
  std::string model;  ///< what follows `#`; "" for none

  /// The SPEC that reads back as this. User and password of a URL are refused at reading, so
  /// nothing in it is secret.
  [[nodiscard]] std::string to_string() const;
  friend bool operator==(const EngineSpec&, const EngineSpec&) = default;
};

/// `usage` with what can be written.
Result<EngineSpec> parse_engine_spec(std::string_view text);

}  // namespace fathom::engine
