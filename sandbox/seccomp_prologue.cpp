#include "sandbox/seccomp_prologue.hpp"

#include "runtime/base/ensure.hpp"

#include <linux/audit.h>
#include <linux/seccomp.h>

#include <bit>
#include <cerrno>
#include <cstddef>
#include <limits>

namespace fathom::sandbox {
namespace {

static_assert(std::endian::native == std::endian::little, "offset_of puts the low word first");

constexpr std::uint32_t kX32Bit = 0x40000000;
constexpr std::size_t kJumpMax = std::numeric_limits<std::uint8_t>::max();

sock_filter load(std::size_t offset) {
  return {BPF_LD | BPF_W | BPF_ABS, 0, 0, static_cast<std::uint32_t>(offset)};
}

sock_filter answer_with(std::uint32_t value) { return {BPF_RET | BPF_K, 0, 0, value}; }

std::uint8_t jump_over(std::size_t instructions) {
  ENSURE(instructions <= kJumpMax, "a rule of the table fits a conditional jump");
  return static_cast<std::uint8_t>(instructions);
}

std::size_t offset_of(const Condition& condition) {
  ENSURE(condition.argument < 6, "a call has six arguments");
  const std::size_t low = offsetof(seccomp_data, args) + condition.argument * sizeof(std::uint64_t);
  return condition.word == Word::low ? low : low + sizeof(std::uint32_t);
}

std::size_t length_of(const Condition& condition) { return condition.mask == ~0U ? 2 : 3; }

// A condition that does not hold jumps behind the clause's answer.
void append(std::vector<sock_filter>& code, const Clause& clause) {
  std::size_t left = 1;  // instructions of the clause behind the condition
  for (const Condition& condition : clause.all_of) left += length_of(condition);
  for (const Condition& condition : clause.all_of) {
    left -= length_of(condition);
    code.push_back(load(offset_of(condition)));
    if (condition.mask != ~0U) code.push_back({BPF_ALU | BPF_AND | BPF_K, 0, 0, condition.mask});
    const std::uint8_t skip = jump_over(left);
    const bool equal = condition.match == Match::equal;
    code.push_back({BPF_JMP | BPF_JEQ | BPF_K, equal ? std::uint8_t{0} : skip,
                    equal ? skip : std::uint8_t{0}, condition.value});
  }
  code.push_back(answer_with(filter_return(clause.answer)));
}

}  // namespace

std::uint32_t filter_return(Answer answer) {
  switch (answer) {
    case Answer::enosys:
      return SECCOMP_RET_ERRNO | ENOSYS;
    case Answer::eperm:
      return SECCOMP_RET_ERRNO | EPERM;
    case Answer::allow:
      return SECCOMP_RET_ALLOW;
    case Answer::notify:
      return SECCOMP_RET_USER_NOTIF;
  }
  ensure_failed("answer", "all answers are above", __FILE__, __LINE__);
}

std::vector<sock_filter> filter_prologue(std::uint32_t arch, std::span<const CheckedCall> calls) {
  std::vector<sock_filter> code = {
      load(offsetof(seccomp_data, arch)),
      {BPF_JMP | BPF_JEQ | BPF_K, 1, 0, arch},
      answer_with(SECCOMP_RET_KILL_PROCESS),
      load(offsetof(seccomp_data, nr)),
  };
  // x32 calls come with the architecture of x86_64 and this bit in the number. libseccomp would
  // kill them; a program that tries x32 should find that this kernel has none.
  if (arch == AUDIT_ARCH_X86_64) {
    code.push_back({BPF_JMP | BPF_JGE | BPF_K, 0, 1, kX32Bit});
    code.push_back(answer_with(filter_return(Answer::enosys)));
  }
  // One after another: the kernel asks a filter once per number which calls are allowed whatever
  // their arguments, and does not run it for those again.
  for (const CheckedCall& call : calls) {
    std::vector<sock_filter> block;
    for (const Clause& clause : call.rule.clauses) append(block, clause);
    block.push_back(answer_with(filter_return(call.rule.otherwise)));
    code.push_back({BPF_JMP | BPF_JEQ | BPF_K, 0, jump_over(block.size()),
                    static_cast<std::uint32_t>(call.number)});
    code.insert(code.end(), block.begin(), block.end());
  }
  return code;
}

}  // namespace fathom::sandbox
