// The tools a request declares, as far as reading calls needs them: names, required parameters and
// the types that decide whether a value is text or JSON.
#pragma once

#include "runtime/base/result.hpp"

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::engine {

/// The JSON types a schema allows, as bits; 0 is not known.
struct JsonTypes {
  static constexpr std::uint8_t kString = 1;
  static constexpr std::uint8_t kNumber = 2;
  static constexpr std::uint8_t kBoolean = 4;
  static constexpr std::uint8_t kArray = 8;
  static constexpr std::uint8_t kObject = 16;
  static constexpr std::uint8_t kNull = 32;

  std::uint8_t bits = 0;

  [[nodiscard]] bool known() const { return bits != 0; }
  [[nodiscard]] bool allow(std::uint8_t type) const { return (bits & type) != 0; }
};

struct DeclaredTool {
  std::map<std::string, JsonTypes, std::less<>> parameters;
  std::vector<std::string> required;
};

class DeclaredTools {
 public:
  DeclaredTools() = default;
  /// `functions` as ChatMessage::tools holds them. Fails on one without a name; a schema it cannot
  /// read leaves types unknown.
  static Result<DeclaredTools> create(std::span<const std::string> functions);

  [[nodiscard]] bool empty() const { return tools_.empty(); }
  /// Null when no tool has this name. Valid as long as this object.
  [[nodiscard]] const DeclaredTool* find(std::string_view name) const;

 private:
  std::map<std::string, DeclaredTool, std::less<>> tools_;
};

/// A parameter tag's `string` attribute.
enum class StringMark : std::uint8_t { absent, yes, no };

/// Whether a value is text whatever it spells, so that it can be passed on before its end is known.
[[nodiscard]] bool is_text(StringMark mark, JsonTypes types);

/// The JSON of a value that was read to its end: `text` as it is where it is JSON that the mark and
/// the schema ask for, else `text` as a string. The schema outweighs the mark: models mix marks up.
[[nodiscard]] std::string to_argument(std::string_view text, StringMark mark, JsonTypes types);

}  // namespace fathom::engine
