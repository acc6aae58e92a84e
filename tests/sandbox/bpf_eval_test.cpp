#include "sandbox/bpf_eval.hpp"

#include "tests/support/catch.hpp"

#include <linux/seccomp.h>

using namespace fathom;
using sandbox::BpfProgram;
using sandbox::SyscallData;

namespace {

sock_filter op(int code, std::uint32_t k = 0) {
  return {static_cast<std::uint16_t>(code), 0, 0, k};
}

sock_filter branch(int code, std::uint32_t k, std::uint8_t jt, std::uint8_t jf) {
  return {static_cast<std::uint16_t>(code), jt, jf, k};
}

sock_filter load_word(std::uint32_t offset) { return op(BPF_LD | BPF_W | BPF_ABS, offset); }
const sock_filter kReturnA = op(BPF_RET | BPF_A);

std::uint32_t result_of(std::vector<sock_filter> code, const SyscallData& data = {}) {
  return BpfProgram::create(std::move(code)).value().run(data);
}

// What `operation` makes of 'left' and the constant, and then of the same value in X.
std::pair<std::uint32_t, std::uint32_t> compute(int operation, std::uint32_t left,
                                                std::uint32_t right) {
  return {result_of({op(BPF_LD | BPF_IMM, left), op(BPF_ALU | operation | BPF_K, right), kReturnA}),
          result_of({op(BPF_LDX | BPF_IMM, right), op(BPF_LD | BPF_IMM, left),
                     op(BPF_ALU | operation | BPF_X), kReturnA})};
}

bool taken(int operation, std::uint32_t left, std::uint32_t right) {
  const auto code = [&](int source) {
    return std::vector{op(BPF_LDX | BPF_IMM, right), op(BPF_LD | BPF_IMM, left),
                       branch(BPF_JMP | operation | source, right, 1, 0), op(BPF_RET, 0),
                       op(BPF_RET, 1)};
  };
  const std::uint32_t constant = result_of(code(BPF_K));
  CHECK(constant == result_of(code(BPF_X)));
  return constant == 1;
}

std::string refusal(std::vector<sock_filter> code) {
  const auto program = BpfProgram::create(std::move(code));
  return program ? "accepted" : program.error().message;
}

}  // namespace

TEST_CASE("a filter reads every word of a call at the kernel's offset", "[sandbox-filter]") {
  const SyscallData data{.number = 7,
                         .arch = 0xC000003E,
                         .instruction_pointer = 0x1111111122222222,
                         .arguments = {0x3333333344444444, 1, 2, 3, 4, 0x5555555566666666}};
  const std::pair<std::uint32_t, std::uint32_t> words[] = {
      {0, 7},           {4, 0xC000003E},  {8, 0x22222222}, {12, 0x11111111},
      {16, 0x44444444}, {20, 0x33333333}, {24, 1},         {48, 4},
      {52, 0},          {56, 0x66666666}, {60, 0x55555555}};
  for (const auto& [offset, word] : words)
    CHECK(result_of({load_word(offset), kReturnA}, data) == word);
  CHECK(result_of({op(BPF_LD | BPF_W | BPF_LEN), kReturnA}) == 64);
  CHECK(result_of({op(BPF_LDX | BPF_W | BPF_LEN), op(BPF_MISC | BPF_TXA), kReturnA}) == 64);
}

TEST_CASE("a filter computes in 32 bits as the kernel does", "[sandbox-filter]") {
  using Both = std::pair<std::uint32_t, std::uint32_t>;
  CHECK(compute(BPF_ADD, 0xFFFFFFFF, 2) == Both{1, 1});
  CHECK(compute(BPF_SUB, 1, 2) == Both{0xFFFFFFFF, 0xFFFFFFFF});
  CHECK(compute(BPF_MUL, 0x10000, 0x10001) == Both{0x10000, 0x10000});
  CHECK(compute(BPF_DIV, 7, 2) == Both{3, 3});
  CHECK(compute(BPF_AND, 0xF0F0, 0xFF00) == Both{0xF000, 0xF000});
  CHECK(compute(BPF_OR, 0xF0F0, 0xFF00) == Both{0xFFF0, 0xFFF0});
  CHECK(compute(BPF_XOR, 0xF0F0, 0xFF00) == Both{0x0FF0, 0x0FF0});
  CHECK(compute(BPF_LSH, 3, 31) == Both{0x80000000, 0x80000000});
  CHECK(compute(BPF_RSH, 0x80000000, 31) == Both{1, 1});
  CHECK(result_of({op(BPF_LD | BPF_IMM, 5), op(BPF_ALU | BPF_NEG), kReturnA}) == 0xFFFFFFFB);
}

TEST_CASE("a shift by X uses the low five bits, a division by X of zero kills",
          "[sandbox-filter]") {
  const auto by_x = [](int operation, std::uint32_t x) {
    return result_of({op(BPF_LDX | BPF_IMM, x), op(BPF_LD | BPF_IMM, 12),
                      op(BPF_ALU | operation | BPF_X), op(BPF_RET | BPF_K, 99)});
  };
  CHECK(result_of({op(BPF_LDX | BPF_IMM, 33), op(BPF_LD | BPF_IMM, 12),
                   op(BPF_ALU | BPF_LSH | BPF_X), kReturnA}) == 24);
  CHECK(by_x(BPF_DIV, 0) == SECCOMP_RET_KILL_THREAD);
  CHECK(by_x(BPF_DIV, 1) == 99);
}

TEST_CASE("a filter's comparisons are unsigned", "[sandbox-filter]") {
  CHECK(taken(BPF_JEQ, 5, 5));
  CHECK_FALSE(taken(BPF_JEQ, 5, 6));
  CHECK(taken(BPF_JGT, 0xFFFFFFFF, 1));
  CHECK_FALSE(taken(BPF_JGT, 1, 1));
  CHECK(taken(BPF_JGE, 1, 1));
  CHECK_FALSE(taken(BPF_JGE, 1, 0xFFFFFFFF));
  CHECK(taken(BPF_JSET, 6, 2));
  CHECK_FALSE(taken(BPF_JSET, 6, 9));
  CHECK(result_of({op(BPF_JMP | BPF_JA, 1), op(BPF_RET, 1), op(BPF_RET, 2)}) == 2);
}

TEST_CASE("a filter moves values between A, X and memory", "[sandbox-filter]") {
  CHECK(result_of({op(BPF_LD | BPF_IMM, 8), op(BPF_ST, 15), op(BPF_LD | BPF_IMM, 0),
                   op(BPF_LD | BPF_MEM, 15), kReturnA}) == 8);
  CHECK(result_of({op(BPF_LD | BPF_IMM, 8), op(BPF_MISC | BPF_TAX), op(BPF_STX, 0),
                   op(BPF_LD | BPF_IMM, 0), op(BPF_LDX | BPF_MEM, 0), op(BPF_MISC | BPF_TXA),
                   kReturnA}) == 8);
}

TEST_CASE("a filter that the kernel would not install is refused", "[sandbox-filter]") {
  const sock_filter ret = op(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  CHECK(refusal({ret}) == "accepted");
  CHECK(refusal({}) == "seccomp filter: no instructions");
  CHECK(refusal({load_word(0)}) ==
        "seccomp filter: instruction 0: the last instruction must return");
  CHECK(refusal({load_word(64), ret}) ==
        "seccomp filter: instruction 0: load at 64 is no aligned word of the call");
  CHECK(refusal({load_word(62), ret}).ends_with("no aligned word of the call"));
  CHECK(refusal({load_word(60), ret}) == "accepted");
  CHECK(refusal({op(BPF_ALU | BPF_DIV | BPF_K, 0), ret}).ends_with("division by zero"));
  CHECK(refusal({op(BPF_ALU | BPF_LSH | BPF_K, 32), ret}).ends_with("shift by more than 31"));
  CHECK(refusal({op(BPF_ALU | BPF_RSH | BPF_K, 31), ret}) == "accepted");
  CHECK(refusal({op(BPF_ST, 16), ret}).ends_with("memory word out of range"));
  CHECK(refusal(std::vector<sock_filter>(4096, ret)) == "accepted");
  CHECK(refusal(std::vector<sock_filter>(4097, ret)) ==
        "seccomp filter: 4097 instructions, the kernel takes 4096");
}

TEST_CASE("a filter cannot jump out of itself or backwards", "[sandbox-filter]") {
  const sock_filter ret = op(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  const std::string why = "seccomp filter: instruction 0: jump out of the program";
  CHECK(refusal({op(BPF_JMP | BPF_JA, 0), ret}) == "accepted");
  CHECK(refusal({op(BPF_JMP | BPF_JA, 1), ret}) == why);
  CHECK(refusal({op(BPF_JMP | BPF_JA, 0xFFFFFFFF), ret}) == why);
  CHECK(refusal({branch(BPF_JMP | BPF_JEQ, 0, 1, 0), ret}) == why);
  CHECK(refusal({branch(BPF_JMP | BPF_JEQ, 0, 0, 255), ret}) == why);
  CHECK(refusal({branch(BPF_JMP | BPF_JEQ, 0, 0, 1), ret, ret}) == "accepted");
}

TEST_CASE("a memory word must be written on every way to its reader", "[sandbox-filter]") {
  const sock_filter ret = op(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  CHECK(refusal({op(BPF_LD | BPF_MEM, 3), ret}) ==
        "seccomp filter: instruction 0: memory word 3 is read before it is written");
  CHECK(refusal({branch(BPF_JMP | BPF_JEQ, 0, 1, 0), op(BPF_ST, 3), op(BPF_LD | BPF_MEM, 3), ret})
            .starts_with("seccomp filter: instruction 2: memory word 3"));
  CHECK(refusal({branch(BPF_JMP | BPF_JEQ, 0, 1, 0), ret, op(BPF_ST, 3), op(BPF_LD | BPF_MEM, 3),
                 ret}) == "accepted");
}

TEST_CASE("every opcode that seccomp does not know is refused", "[sandbox-filter]") {
  const sock_filter ret = op(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  for (int code : {BPF_ALU | BPF_MOD | BPF_K, BPF_LD | BPF_B | BPF_ABS, BPF_LD | BPF_H | BPF_ABS,
                   BPF_LD | BPF_W | BPF_IND, BPF_LDX | BPF_B | BPF_MSH, BPF_RET | BPF_X,
                   BPF_ALU | BPF_NEG | BPF_X, BPF_JMP | 0x50, BPF_JMP | BPF_JA | BPF_X, 0x100,
                   0xFFFF, BPF_MISC | 0x40})
    CHECK(refusal({op(code, 1), ret, ret, ret}) ==
          "seccomp filter: instruction 0: unknown opcode " + std::to_string(code));
  // 4 is an aligned offset, a memory word, a shift, a divisor and a jump that lands inside.
  int accepted = 0;
  for (int code = 0; code <= 0xFFFF; ++code)
    accepted +=
        refusal({op(BPF_ST, 4), op(code, 4), ret, ret, ret, ret, ret}) == "accepted" ? 1 : 0;
  // 10 operations with a constant or X less NEG's X, 4 comparisons likewise, and 14 more.
  CHECK(accepted == 10 * 2 - 1 + 4 * 2 + 14);
}
