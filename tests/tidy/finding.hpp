// What the rules look at and what they answer.
#pragma once

#include <compare>
#include <string>
#include <vector>

namespace fathom::tidy {

/// One file of the tree as the rules see it: they read no disk, so a test hands them any tree it
/// likes.
struct SourceFile {
  std::string path;  ///< from the root, with '/' between folders
  std::string text;  ///< any bytes
};

/// One broken rule. The message holds the fix, so that nobody has to look a rule up.
struct Finding {
  std::string path;
  int line = 0;
  std::string message;

  friend auto operator<=>(const Finding&, const Finding&) = default;
};

using Findings = std::vector<Finding>;

/// `tools/x.cpp:12: tools must not include agents`
[[nodiscard]] inline std::string to_line(const Finding& finding) {
  return finding.path + ":" + std::to_string(finding.line) + ": " + finding.message;
}

}  // namespace fathom::tidy
