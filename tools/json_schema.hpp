// JsonSchema: any JSON value held against a schema: a tool's arguments, an agent's answer.
#pragma once

#include "runtime/base/result.hpp"

#include <nlohmann/json_fwd.hpp>

#include <memory>
#include <string>
#include <string_view>

namespace fathom::tools {

inline constexpr int kJsonDepthMax = 64;

/// What a model wrote as JSON. `bad_data` for what is none, for a key that stands twice (somebody
/// and we could read two different values), and for what nests deeper than kJsonDepthMax, which
/// costs stack in whoever walks it.
Result<nlohmann::json> parse_strict_json(std::string_view text);

/// What a JSON library says is wrong, short and printable, without its own numbers.
std::string parser_message(std::string_view what);

class JsonSchema {
 public:
  /// Takes what safe_schema() leaves of `schema`; one that cannot be compiled is `bad_data`.
  static Result<JsonSchema> compile(std::string_view schema);

  /// The first thing that is wrong, as a part of a sentence: `missing 'summary'`, `the value must
  /// be an array, not an object`.
  [[nodiscard]] Result<> check(const nlohmann::json& value) const;

  /// What was compiled.
  [[nodiscard]] const std::string& text() const;

 private:
  struct Compiled;
  explicit JsonSchema(std::shared_ptr<const Compiled> compiled) : compiled_(std::move(compiled)) {}
  std::shared_ptr<const Compiled> compiled_;
};

}  // namespace fathom::tools
