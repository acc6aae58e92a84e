// YamlValue: a place in a document and what its author meant there.
//
// Every question fails with the file, the line, the column, the dotted path of the value, what is
// wrong and the smallest fix. Used by all kinds of documents.
#pragma once

#include "policies/yaml_document.hpp"
#include "runtime/base/result.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fathom::policies {

constexpr std::size_t kYamlTextBytesMax = 65536;  ///< of one scalar

struct YamlField;

/// Refers to `file` and `node`, which must outlive it.
class YamlValue {
 public:
  YamlValue(std::string_view file, const YamlNode& node, std::string path)
      : file_(file), node_(&node), path_(std::move(path)) {}

  [[nodiscard]] Place at() const { return node_->at; }
  /// For what is carried on as it was written.
  [[nodiscard]] const YamlNode& node() const { return *node_; }
  /// "filesystem.read[2]"; empty for the document itself.
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] bool is_mapping() const { return node_->kind == YamlNode::Kind::mapping; }
  [[nodiscard]] bool is_sequence() const { return node_->kind == YamlNode::Kind::sequence; }

  /// Not empty, one line.
  [[nodiscard]] Result<std::string> text(std::size_t bytes_max = kYamlTextBytesMax) const;
  /// Empty text and line breaks too.
  [[nodiscard]] Result<std::string> any_text(std::size_t bytes_max = kYamlTextBytesMax) const;
  [[nodiscard]] Result<bool> boolean() const;
  [[nodiscard]] Result<std::uint64_t> integer(std::uint64_t min, std::uint64_t max) const;
  /// 0.85 or 12: no sign, no exponent, at most kDecimalPlacesMax digits behind the point.
  [[nodiscard]] Result<double> decimal(double min, double max) const;
  [[nodiscard]] Result<std::uint64_t> size(std::uint64_t min, std::uint64_t max) const;
  [[nodiscard]] Result<std::chrono::milliseconds> duration() const;
  [[nodiscard]] Result<std::chrono::milliseconds> duration(std::chrono::milliseconds min,
                                                           std::chrono::milliseconds max) const;
  /// The index of the word in `names`.
  [[nodiscard]] Result<std::size_t> choice(std::span<const std::string_view> names) const;
  /// The elements of a list.
  [[nodiscard]] Result<std::vector<YamlValue>> items(std::size_t count_max) const;
  /// The fields of a mapping with keys of the author's choice.
  [[nodiscard]] Result<std::vector<YamlField>> fields(std::size_t count_max) const;
  /// The fields of a mapping with these keys and no others.
  [[nodiscard]] Result<std::vector<YamlField>> fields(std::span<const std::string_view> keys) const;
  /// The field of a mapping, or nothing.
  [[nodiscard]] std::optional<YamlValue> find(std::string_view key) const;
  /// The field of a mapping that must be there.
  [[nodiscard]] Result<YamlValue> require(std::string_view key) const;

  /// "FILE: line N: column M: PATH: message".
  [[nodiscard]] Error error(std::string_view message) const;

 private:
  [[nodiscard]] YamlValue child(const YamlEntry& entry) const;
  [[nodiscard]] Result<std::string_view> word(std::string_view wanted) const;

  std::string_view file_;
  const YamlNode* node_;
  std::string path_;
};

struct YamlField {
  std::string key;
  YamlValue value;
};

/// "'alow' (did you mean 'allow'?)", or "'x' (one of: a, b)" when nothing is near.
[[nodiscard]] std::string did_you_mean(std::string_view word,
                                       std::span<const std::string_view> names);

}  // namespace fathom::policies
