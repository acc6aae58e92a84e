// ToolSet: the tools of one session, in the order in which the model is told of them. Frozen once
// it is made.
#pragma once

#include "tools/arguments.hpp"
#include "tools/tool.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::tools {

inline constexpr std::size_t kToolsMax = 128;         // of one session
inline constexpr std::size_t kToolNameBytesMax = 64;  // what the remote APIs accept

class ToolSet {
 public:
  struct Entry {
    std::unique_ptr<Tool> tool;
    ArgumentSchema schema;
  };

  /// Refuses a name twice, a name outside [A-Za-z0-9_-], a schema that cannot be compiled, and more
  /// than kToolsMax.
  static Result<ToolSet> create(std::vector<std::unique_ptr<Tool>> tools);

  [[nodiscard]] const Entry* find(std::string_view name) const;
  [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }
  /// For "did you mean".
  [[nodiscard]] std::vector<std::string_view> names() const;

 private:
  std::vector<Entry> entries_;
};

}  // namespace fathom::tools
