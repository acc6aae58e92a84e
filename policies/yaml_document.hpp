// YamlDocument: the strict subset of YAML that Fathom's documents are written in.
//
// Policies, agents and workflows decide what programs may do, so a document must mean to its reader
// what it means to its author. Refused, each with line and column: anchors, aliases and merge keys
// (a few lines of them can stand for gigabytes), tags, directives, several documents, duplicate
// keys, keys that are no text, tabs in indentation, control characters, ill-formed UTF-8, and the
// words that YAML 1.1 took for booleans ("no", "on"). Nothing is expanded from the environment.
//
// The tree keeps the author's words; what they mean is asked through YamlValue (yaml_value.hpp).
#pragma once

#include "runtime/base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::policies {

constexpr std::size_t kYamlBytesMax = std::size_t{1} << 20;
constexpr std::size_t kYamlDepthMax = 32;
constexpr std::size_t kYamlNodesMax = 65536;
constexpr std::size_t kYamlEntriesMax = 4096;  ///< keys of one mapping

/// Where something stands; both count from 1, columns in code points. 0 is nowhere.
struct Place {
  std::uint32_t line = 0;
  std::uint32_t column = 0;

  friend bool operator==(const Place&, const Place&) = default;
};

struct YamlEntry;

struct YamlNode {
  enum class Kind : std::uint8_t { null, scalar, sequence, mapping };

  Kind kind = Kind::null;
  Place at;
  std::string text;                ///< of a scalar
  bool quoted = false;             ///< a scalar that was quoted or a block: text in any case
  std::vector<YamlNode> items;     ///< of a sequence
  std::vector<YamlEntry> entries;  ///< of a mapping, in the document's order
};

struct YamlEntry {
  std::string key;
  Place at;
  YamlNode value;
};

/// "FILE: line N: column M: message".
[[nodiscard]] Error yaml_error(std::string_view file, Place at, std::string_view message);

/// Reads one document. `file` names it in errors. Fails with `too_large` beyond the bounds above
/// and with `usage` for everything else that is wrong with it.
Result<YamlNode> parse_yaml(std::string_view text, std::string_view file);

/// `text` as a double-quoted scalar that parse_yaml() reads back as the same text.
[[nodiscard]] std::string yaml_quoted(std::string_view text);

}  // namespace fathom::policies
