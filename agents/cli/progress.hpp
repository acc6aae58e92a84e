// A line of progress on standard error for work that takes long, only when a person looks.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace fathom::agents {

/// Rewrites its line at most ten times a second, and clears it when it ends.
class Progress {
 public:
  explicit Progress(std::string_view what);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// `unit` stands behind the numbers: "tokens".
  void show(std::uint64_t done, std::uint64_t total, std::string_view unit);
  void show_bytes(std::uint64_t done, std::uint64_t total);

 private:
  [[nodiscard]] bool is_due(bool last);
  void write(const std::string& text);

  std::string what_;
  bool shown_ = false;
  bool interactive_;
  std::chrono::steady_clock::time_point last_{};
};

}  // namespace fathom::agents
