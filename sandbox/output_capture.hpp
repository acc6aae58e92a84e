// OutputCapture: what is kept of a command's output while any amount of it flows by: the first
// bytes, the last bytes, and exact counts. Pure; the driver reads pipes and spills.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace fathom::sandbox {

inline constexpr std::size_t kOutputHeadBytes = 64UL << 10;   // kept from the start
inline constexpr std::size_t kOutputTailBytes = 192UL << 10;  // kept from the end

struct CapturedOutput {
  std::string head;
  std::string tail;             ///< what follows the head, or the last bytes after a gap
  std::uint64_t bytes = 0;      ///< in all
  std::uint64_t lines = 0;      ///< line feeds in all
  std::uint64_t bytes_cut = 0;  ///< between head and tail
  std::string blob;  ///< name of the whole output in the blob store; "" when nothing was cut

  /// All of it, or head, a line that counts what is missing, and tail.
  [[nodiscard]] std::string text() const;
};

class OutputCapture {
 public:
  explicit OutputCapture(std::size_t head_bytes = kOutputHeadBytes,
                         std::size_t tail_bytes = kOutputTailBytes)
      : head_bytes_(head_bytes), tail_bytes_(tail_bytes) {}

  void append(std::string_view bytes);

  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  [[nodiscard]] bool is_cut() const { return bytes_ > head_.size() + ring_.size(); }
  /// Everything so far while nothing is cut: the beginning of a spill.
  [[nodiscard]] std::string so_far() const;
  [[nodiscard]] CapturedOutput finish() const;

 private:
  [[nodiscard]] std::string tail() const;

  std::size_t head_bytes_;
  std::size_t tail_bytes_;
  std::string head_;
  std::string ring_;         ///< grows to tail_bytes_, then wraps
  std::size_t ring_at_ = 0;  ///< the oldest byte, once it has wrapped
  std::uint64_t bytes_ = 0;
  std::uint64_t lines_ = 0;
};

}  // namespace fathom::sandbox
