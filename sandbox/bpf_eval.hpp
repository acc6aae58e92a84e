// BpfProgram: a seccomp filter that can be run without a process, so that what the kernel will
// answer is known before any child lives under it. Tests hold the filter to its table with it.
//
// It accepts what the kernel accepts of a seccomp filter (classic BPF; Linux net/core/filter.c
// bpf_check_classic and kernel/seccomp.c seccomp_check_filter) and nothing else. It never enforces
// anything and knows no listener: an answer that stacks with other filters is the kernel's affair.
#pragma once

#include "runtime/base/result.hpp"

#include <linux/filter.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace fathom::sandbox {

/// The kernel's own bound, BPF_MAXINSNS: a longer filter cannot be installed.
inline constexpr std::size_t kBpfInstructionsMax = 4096;

/// One call as a filter sees it; the layout is that of the kernel's seccomp_data.
struct SyscallData {
  std::int32_t number = 0;
  std::uint32_t arch = 0;  ///< AUDIT_ARCH_*
  std::uint64_t instruction_pointer = 0;
  std::array<std::uint64_t, 6> arguments{};

  friend bool operator==(const SyscallData&, const SyscallData&) = default;
};

class BpfProgram {
 public:
  /// Checks the whole program: known opcodes, jumps inside it, aligned loads inside SyscallData, no
  /// division by a constant zero, no memory word read before it was written, a return at the end.
  /// All jumps lead forward, so a checked program ends after at most its own length of steps.
  static Result<BpfProgram> create(std::vector<sock_filter> instructions);

  /// The filter's return value: action in the upper, data (an errno) in the lower 16 bits.
  [[nodiscard]] std::uint32_t run(const SyscallData& data) const;

  [[nodiscard]] std::span<const sock_filter> instructions() const { return instructions_; }

 private:
  explicit BpfProgram(std::vector<sock_filter> instructions)
      : instructions_(std::move(instructions)) {}

  std::vector<sock_filter> instructions_;
};

}  // namespace fathom::sandbox
