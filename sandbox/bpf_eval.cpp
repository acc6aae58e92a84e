#include "sandbox/bpf_eval.hpp"

#include "runtime/base/ensure.hpp"

#include <linux/seccomp.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <string>

namespace fathom::sandbox {
namespace {

static_assert(sizeof(SyscallData) == sizeof(seccomp_data));
static_assert(offsetof(SyscallData, arch) == offsetof(seccomp_data, arch));
static_assert(offsetof(SyscallData, arguments) == offsetof(seccomp_data, args));
static_assert(kBpfInstructionsMax == BPF_MAXINSNS);

constexpr std::uint32_t kShiftMask = 31;  // the kernel's 32-bit shifts use the low five bits only

using MemoryWords = std::uint16_t;  // a bit for each of the BPF_MEMWORDS words
static_assert(BPF_MEMWORDS == 16);

std::unexpected<Error> reject(std::size_t at, const std::string& why) {
  return fail(ErrorCode::bad_data,
              "seccomp filter: instruction " + std::to_string(at) + ": " + why);
}

// The opcodes that the kernel lets a seccomp filter use. Modulo and loads of bytes, halves and
// packets are classic BPF, but not for us.
bool is_known(std::uint16_t code) {
  switch (code) {
    case BPF_LD | BPF_W | BPF_ABS:
    case BPF_LD | BPF_W | BPF_LEN:
    case BPF_LDX | BPF_W | BPF_LEN:
    case BPF_LD | BPF_IMM:
    case BPF_LDX | BPF_IMM:
    case BPF_LD | BPF_MEM:
    case BPF_LDX | BPF_MEM:
    case BPF_ST:
    case BPF_STX:
    case BPF_RET | BPF_K:
    case BPF_RET | BPF_A:
    case BPF_MISC | BPF_TAX:
    case BPF_MISC | BPF_TXA:
    case BPF_JMP | BPF_JA:
      return true;
    default:
      break;
  }
  const std::uint16_t operation = BPF_OP(code);
  const auto source = static_cast<std::uint16_t>(code & ~(BPF_CLASS(code) | operation));
  if (source != BPF_K && source != BPF_X) return false;
  if (BPF_CLASS(code) == BPF_ALU)
    return operation <= BPF_NEG ? operation != BPF_NEG || source == BPF_K : operation == BPF_XOR;
  return BPF_CLASS(code) == BPF_JMP && operation >= BPF_JEQ && operation <= BPF_JSET;
}

bool is_jump(std::uint16_t code) { return BPF_CLASS(code) == BPF_JMP; }
bool is_conditional(std::uint16_t code) { return is_jump(code) && BPF_OP(code) != BPF_JA; }
bool is_return(std::uint16_t code) { return BPF_CLASS(code) == BPF_RET; }

bool uses_memory(std::uint16_t code) {
  return code == (BPF_LD | BPF_MEM) || code == (BPF_LDX | BPF_MEM) || code == BPF_ST ||
         code == BPF_STX;
}

Result<> check_constants(const sock_filter& op, std::size_t at, std::size_t size) {
  if (!is_known(op.code)) return reject(at, "unknown opcode " + std::to_string(op.code));
  if (op.code == (BPF_LD | BPF_W | BPF_ABS) && (op.k >= sizeof(SyscallData) || op.k % 4 != 0))
    return reject(at, "load at " + std::to_string(op.k) + " is no aligned word of the call");
  if (uses_memory(op.code) && op.k >= BPF_MEMWORDS) return reject(at, "memory word out of range");
  if (op.code == (BPF_ALU | BPF_DIV | BPF_K) && op.k == 0) return reject(at, "division by zero");
  const bool shift =
      op.code == (BPF_ALU | BPF_LSH | BPF_K) || op.code == (BPF_ALU | BPF_RSH | BPF_K);
  if (shift && op.k > kShiftMask) return reject(at, "shift by more than 31");
  // In 64 bits: k has 32 of its own, and a sum that wraps around would lead backwards.
  const std::uint64_t left = size - at - 1;
  const bool outside = is_conditional(op.code) ? std::max(op.jt, op.jf) >= left
                                               : op.code == (BPF_JMP | BPF_JA) && op.k >= left;
  if (outside) return reject(at, "jump out of the program");
  return {};
}

// Jumps lead forward only, so one pass sees every way to an instruction before the instruction:
// `known` is the set of words written on all of them. As in the kernel, a return counts as a way to
// what stands behind it.
Result<> check_memory(std::span<const sock_filter> code) {
  constexpr MemoryWords kAll = 0xFFFF;
  std::vector<MemoryWords> known(code.size(), kAll);
  known.front() = 0;
  for (std::size_t at = 0; at < code.size(); ++at) {
    const sock_filter& op = code[at];
    MemoryWords words = known[at];
    if (uses_memory(op.code)) {
      const auto word = static_cast<MemoryWords>(1U << op.k);
      if (op.code == BPF_ST || op.code == BPF_STX)
        words |= word;
      else if ((words & word) == 0)
        return reject(at, "memory word " + std::to_string(op.k) + " is read before it is written");
    }
    const auto flow_to = [&](std::size_t target) { known[target] &= words; };
    if (is_conditional(op.code)) {
      flow_to(at + 1 + op.jt);
      flow_to(at + 1 + op.jf);
    } else if (is_jump(op.code)) {
      flow_to(at + 1 + op.k);
    } else if (at + 1 < code.size()) {
      flow_to(at + 1);
    }
  }
  return {};
}

struct Machine {
  std::uint32_t a = 0;
  std::uint32_t x = 0;
  std::array<std::uint32_t, BPF_MEMWORDS> memory{};
};

std::uint32_t load_word(const SyscallData& data, std::uint32_t offset) {
  std::uint32_t word = 0;
  std::memcpy(&word, reinterpret_cast<const char*>(&data) + offset, sizeof word);
  return word;
}

void load(Machine& m, const sock_filter& op, const SyscallData& data) {
  std::uint32_t value = op.k;
  if (BPF_MODE(op.code) == BPF_ABS) value = load_word(data, op.k);
  if (BPF_MODE(op.code) == BPF_LEN) value = sizeof(SyscallData);
  if (BPF_MODE(op.code) == BPF_MEM) value = m.memory[op.k];
  (BPF_CLASS(op.code) == BPF_LD ? m.a : m.x) = value;
}

bool compute(Machine& m, const sock_filter& op) {
  const std::uint32_t operand = BPF_SRC(op.code) == BPF_X ? m.x : op.k;
  switch (BPF_OP(op.code)) {
    case BPF_ADD:
      m.a += operand;
      break;
    case BPF_SUB:
      m.a -= operand;
      break;
    case BPF_MUL:
      m.a *= operand;
      break;
    case BPF_DIV:
      if (operand == 0) return false;
      m.a /= operand;
      break;
    case BPF_OR:
      m.a |= operand;
      break;
    case BPF_AND:
      m.a &= operand;
      break;
    case BPF_XOR:
      m.a ^= operand;
      break;
    case BPF_LSH:
      m.a <<= operand & kShiftMask;
      break;
    case BPF_RSH:
      m.a >>= operand & kShiftMask;
      break;
    default:
      m.a = 0U - m.a;
      break;  // BPF_NEG: create() lets nothing else through
  }
  return true;
}

std::uint32_t jump(const Machine& m, const sock_filter& op) {
  const std::uint32_t operand = BPF_SRC(op.code) == BPF_X ? m.x : op.k;
  switch (BPF_OP(op.code)) {
    case BPF_JEQ:
      return m.a == operand ? op.jt : op.jf;
    case BPF_JGT:
      return m.a > operand ? op.jt : op.jf;
    case BPF_JGE:
      return m.a >= operand ? op.jt : op.jf;
    case BPF_JSET:
      return (m.a & operand) != 0 ? op.jt : op.jf;
    default:
      return op.k;  // BPF_JA
  }
}

void transfer(Machine& m, const sock_filter& op) {
  if (BPF_MISCOP(op.code) == BPF_TAX)
    m.x = m.a;
  else
    m.a = m.x;
}

}  // namespace

Result<BpfProgram> BpfProgram::create(std::vector<sock_filter> instructions) {
  if (instructions.empty()) return fail(ErrorCode::bad_data, "seccomp filter: no instructions");
  if (instructions.size() > kBpfInstructionsMax)
    return fail(ErrorCode::too_large, "seccomp filter: " + std::to_string(instructions.size()) +
                                          " instructions, the kernel takes " +
                                          std::to_string(kBpfInstructionsMax));
  for (std::size_t at = 0; at < instructions.size(); ++at)
    if (auto checked = check_constants(instructions[at], at, instructions.size()); !checked)
      return fail(std::move(checked).error());
  if (!is_return(instructions.back().code))
    return reject(instructions.size() - 1, "the last instruction must return");
  if (auto checked = check_memory(instructions); !checked) return fail(std::move(checked).error());
  return BpfProgram(std::move(instructions));
}

std::uint32_t BpfProgram::run(const SyscallData& data) const {
  Machine m;
  std::size_t at = 0;
  while (at < instructions_.size()) {
    const sock_filter& op = instructions_[at++];
    switch (BPF_CLASS(op.code)) {
      case BPF_LD:
      case BPF_LDX:
        load(m, op, data);
        break;
      case BPF_ST:
        m.memory[op.k] = m.a;
        break;
      case BPF_STX:
        m.memory[op.k] = m.x;
        break;
      case BPF_ALU:
        // The kernel ends a program that divides by zero with 0, which is KILL_THREAD.
        if (!compute(m, op)) return SECCOMP_RET_KILL_THREAD;
        break;
      case BPF_JMP:
        at += jump(m, op);
        break;
      case BPF_RET:
        return BPF_RVAL(op.code) == BPF_A ? m.a : op.k;
      default:
        transfer(m, op);
        break;
    }
  }
  ensure_failed("at < size", "create() saw a return on every way", __FILE__, __LINE__);
}

}  // namespace fathom::sandbox
