#include "sandbox/seccomp_link.hpp"

#include "runtime/base/ensure.hpp"

#include <linux/audit.h>
#include <linux/seccomp.h>

#include <algorithm>
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

void append(std::vector<sock_filter>& code, const Rule& rule) {
  for (const Clause& clause : rule.clauses) append(code, clause);
  code.push_back(answer_with(filter_return(rule.otherwise)));
}

// x32 calls come with the architecture of x86_64 and this bit in the number. libseccomp would kill
// them; a program that tries x32 should find that this kernel has none. Calls of another
// architecture are left to the tree, which kills: the numbers mean other calls there.
std::vector<sock_filter> prologue(std::uint32_t arch) {
  if (arch != AUDIT_ARCH_X86_64) return {};
  return {
      load(offsetof(seccomp_data, arch)),         {BPF_JMP | BPF_JEQ | BPF_K, 0, 3, arch},
      load(offsetof(seccomp_data, nr)),           {BPF_JMP | BPF_JGE | BPF_K, 0, 1, kX32Bit},
      answer_with(filter_return(Answer::enosys)),
  };
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

std::uint32_t rule_marker(std::size_t rule) {
  ENSURE(rule < SECCOMP_RET_DATA, "the table has fewer rules than a marker has numbers");
  return SECCOMP_RET_TRACE | static_cast<std::uint32_t>(rule);
}

Result<std::vector<sock_filter>> link_filter(std::uint32_t arch, std::span<const sock_filter> tree,
                                             std::span<const Rule> rules) {
  std::vector<sock_filter> code = prologue(arch);
  std::vector<std::size_t> begins;  // of the rules, from the end of the tree
  std::vector<sock_filter> blocks;
  for (const Rule& rule : rules) {
    begins.push_back(blocks.size());
    append(blocks, rule);
  }
  std::vector<bool> marked(rules.size());
  for (std::size_t at = 0; at < tree.size(); ++at) {
    sock_filter op = tree[at];
    const std::size_t rule = op.k & SECCOMP_RET_DATA;
    if (op.code == (BPF_RET | BPF_K) && (op.k & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_TRACE) {
      if (rule >= rules.size())
        return fail(ErrorCode::bad_data, "link the system-call filter: a marker without a rule");
      marked[rule] = true;
      op = {BPF_JMP | BPF_JA, 0, 0,
            static_cast<std::uint32_t>(tree.size() - at - 1 + begins[rule])};
    }
    code.push_back(op);
  }
  if (std::ranges::find(marked, false) != marked.end())
    return fail(ErrorCode::bad_data, "link the system-call filter: a rule without a marker");
  code.insert(code.end(), blocks.begin(), blocks.end());
  return code;
}

}  // namespace fathom::sandbox
