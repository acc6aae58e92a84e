// Secret: a key that cannot be printed by accident.
#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace fathom::engine {

/// Has no way to a stream, a formatter or a string but reveal(), so that every place which uses the
/// text can be found by that word.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string text) : text_(std::move(text)) {}

  [[nodiscard]] bool empty() const { return text_.empty(); }
  [[nodiscard]] const std::string& reveal() const { return text_; }

  /// `text` with every occurrence of the secret, plain or escaped as in JSON, replaced by
  /// kRedacted: for what a server says, which may repeat it, and for bodies that are recorded.
  /// Secrets shorter than kRedactedBytesMin are left, as they would match everywhere.
  [[nodiscard]] std::string redact(std::string_view text) const;

  static constexpr std::size_t kRedactedBytesMin = 6;
  static constexpr std::string_view kRedacted = "[key]";

 private:
  std::string text_;
};

}  // namespace fathom::engine
