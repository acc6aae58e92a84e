// Arguments: the JSON object that came with a call, parsed once and read by name; and
// ArgumentSchema: a tool's parameters as something arguments can be held against.
#pragma once

#include "runtime/base/result.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::tools {

/// Of one call's arguments; a larger file is written in pieces.
inline constexpr std::size_t kArgumentsBytesMax = 4UL << 20;

class Arguments {
 public:
  /// `bad_data` with the place when `json` is no object of valid UTF-8 or has a key twice,
  /// `too_large` beyond the bounds. Empty text counts as `{}`.
  static Result<Arguments> parse(std::string_view json);

  /// The value when the name is there and of that type. null counts as absent: models write it for
  /// "not given".
  [[nodiscard]] std::optional<std::string> text(std::string_view name) const;
  [[nodiscard]] std::optional<std::int64_t> integer(std::string_view name) const;
  [[nodiscard]] std::optional<double> number(std::string_view name) const;
  [[nodiscard]] std::optional<bool> boolean(std::string_view name) const;
  [[nodiscard]] std::vector<std::int64_t> integers(std::string_view name) const;
  [[nodiscard]] std::vector<std::string> texts(std::string_view name) const;

  [[nodiscard]] bool has(std::string_view name) const;
  /// In one line, keys sorted.
  [[nodiscard]] std::string to_json() const;

 private:
  friend class ArgumentSchema;
  struct Value;
  explicit Arguments(std::shared_ptr<const Value> value) : value_(std::move(value)) {}
  std::shared_ptr<const Value> value_;
};

class ArgumentSchema {
 public:
  /// `parameters` is the JSON Schema of an object; one that cannot be compiled is `bad_data`
  /// (servers of other people send them).
  static Result<ArgumentSchema> compile(std::string_view tool, std::string_view parameters);

  /// The first thing that is wrong, and how the call is spelled:
  /// `bash: unknown 'cmd' (did you mean 'command'?); bash(command: string, timeout_s?: number)`.
  [[nodiscard]] Result<> check(const Arguments& arguments) const;

  /// `bash(command: string, timeout_s?: number)`.
  [[nodiscard]] const std::string& signature() const;

 private:
  struct Compiled;
  explicit ArgumentSchema(std::shared_ptr<const Compiled> compiled)
      : compiled_(std::move(compiled)) {}
  std::shared_ptr<const Compiled> compiled_;
};

}  // namespace fathom::tools
