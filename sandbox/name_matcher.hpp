// Finds the protected names of a policy in a tree, at any depth: ".vscode/", "*.pth",
// ".github/hooks/".
#pragma once

#include "policies/policy.hpp"
#include "runtime/base/result.hpp"

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace fathom::sandbox {

class NameMatcher {
 public:
  static constexpr std::size_t kNamesMax = 1024;      ///< patterns of one policy
  static constexpr std::size_t kPatternDepthMax = 8;  ///< names in one pattern

  /// Fails with `too_large` beyond the bounds and with `bad_data` for an empty name in a pattern.
  static Result<NameMatcher> create(std::span<const policies::ProtectedName> names);

  /// The first pattern that matches the entry `name` of a folder; `folders` are the folder's own
  /// name, its parent's and so on, at most kPatternDepthMax of them. A deny pattern wins over a
  /// report pattern. The type of the entry is not asked: a link called ".vscode" is followed by the
  /// editor too. ASCII case is ignored, because some file systems ignore it.
  [[nodiscard]] const policies::ProtectedName* match(std::span<const std::string_view> folders,
                                                     std::string_view name) const;

 private:
  struct Pattern {
    policies::ProtectedName name;
    std::vector<std::string> parts;  ///< last first, in lower case
  };
  [[nodiscard]] const Pattern* better(const Pattern* found, std::size_t index,
                                      std::span<const std::string_view> folders,
                                      std::string_view lowered) const;

  std::vector<Pattern> patterns_;
  std::unordered_map<std::string, std::vector<std::size_t>> literal_;  ///< by last part
  std::vector<std::size_t> wild_;
};

}  // namespace fathom::sandbox
