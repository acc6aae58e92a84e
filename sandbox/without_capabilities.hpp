// WithoutCapabilities: while it lives, this thread has no effective capability. What is done for a
// command is then judged by the kernel as the command's own call would be: one that runs as root
// has none left, and must not borrow ours.
#pragma once

#include <linux/capability.h>

#include <array>

namespace fathom::sandbox {

class WithoutCapabilities {
 public:
  WithoutCapabilities();
  ~WithoutCapabilities();
  WithoutCapabilities(const WithoutCapabilities&) = delete;
  WithoutCapabilities& operator=(const WithoutCapabilities&) = delete;

  /// False when they could not be laid down: then nothing may be done for anybody.
  [[nodiscard]] bool holds() const { return holds_; }

 private:
  using Sets = std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3>;
  Sets before_{};
  bool holds_ = false;
  bool to_restore_ = false;
};

}  // namespace fathom::sandbox
