// The interpreter beside the kernel: it must accept and compute the same.
#include "sandbox/bpf_eval.hpp"
#include "tests/sandbox/filter_fixture.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/run_in_child.hpp"
#include "tests/support/skip.hpp"

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <random>

using namespace fathom;
using sandbox::BpfProgram;

namespace {

// Dies without a call. __builtin_trap would do, but AddressSanitizer makes calls before it.
#if defined(__x86_64__)
constexpr std::uint32_t kArch = AUDIT_ARCH_X86_64;
void die() { __asm__ volatile("ud2"); }
#else
constexpr std::uint32_t kArch = AUDIT_ARCH_AARCH64;
void die() { __asm__ volatile("udf #0"); }
#endif

using Code = std::vector<sock_filter>;

long install(const Code& code, unsigned flags) {
  sock_fprog program{static_cast<unsigned short>(code.size()),
                     const_cast<sock_filter*>(code.data())};
  return ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

class Random {
 public:
  explicit Random(std::uint32_t seed) : engine_(seed) {}

  std::uint32_t below(std::uint32_t bound) { return engine_() % bound; }

  // Any opcode now and then; operands near the bounds of what they index.
  sock_filter any_instruction() {
    constexpr std::uint16_t kCodes[] = {BPF_LD | BPF_W | BPF_ABS,
                                        BPF_LD | BPF_W | BPF_LEN,
                                        BPF_LD | BPF_IMM,
                                        BPF_LDX | BPF_IMM,
                                        BPF_LD | BPF_MEM,
                                        BPF_LDX | BPF_MEM,
                                        BPF_ST,
                                        BPF_STX,
                                        BPF_RET | BPF_K,
                                        BPF_JMP | BPF_JA,
                                        BPF_JMP | BPF_JEQ | BPF_K,
                                        BPF_JMP | BPF_JSET | BPF_X,
                                        BPF_JMP | BPF_JGT | BPF_K,
                                        BPF_ALU | BPF_DIV | BPF_K,
                                        BPF_ALU | BPF_LSH | BPF_K,
                                        BPF_ALU | BPF_NEG,
                                        BPF_MISC | BPF_TAX,
                                        BPF_ALU | BPF_RSH | BPF_X};
    const bool known = below(12) != 0;
    return {known ? kCodes[below(std::size(kCodes))] : static_cast<std::uint16_t>(below(0x120)),
            static_cast<std::uint8_t>(below(3)), static_cast<std::uint8_t>(below(3)),
            below(3) == 0 ? below(70) : below(4) * 4};
  }

  Code any_program() {
    Code code(1 + below(6));
    for (sock_filter& op : code) op = any_instruction();
    if (below(8) != 0) code.push_back({BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW});
    return code;
  }

  std::uint32_t operand() {
    switch (below(4)) {
      case 0:
        return below(4);
      case 1:
        return 28 + below(8);
      case 2:
        return 1U << below(32);
      default:
        return static_cast<std::uint32_t>(engine_());
    }
  }

  // Accepted by construction, and answered with an errno that is made of all that it computed.
  Code computing_program() {
    constexpr std::uint16_t kOperations[] = {BPF_ADD, BPF_SUB, BPF_MUL, BPF_DIV, BPF_AND,
                                             BPF_OR,  BPF_XOR, BPF_LSH, BPF_RSH};
    constexpr std::uint16_t kJumps[] = {BPF_JEQ, BPF_JGT, BPF_JGE, BPF_JSET};
    Code code = {{BPF_LDX | BPF_IMM, 0, 0, operand()}};
    const auto add = [&](int opcode, std::uint32_t k) {
      code.push_back({static_cast<std::uint16_t>(opcode), 0, 0, k});
    };
    for (int i = 0; i < 6; ++i) {
      add(BPF_ST, static_cast<std::uint32_t>(i));
      add(BPF_LD | BPF_W | BPF_ABS, 16 + 4 * below(12));
      const std::uint16_t operation = kOperations[below(std::size(kOperations))];
      const bool shift = operation == BPF_LSH || operation == BPF_RSH;
      if (below(2) == 0)
        add(BPF_ALU | operation | BPF_X, 0);
      else
        add(BPF_ALU | operation | BPF_K, shift ? below(32) : 1 + below(0x10000));
      code.push_back({static_cast<std::uint16_t>(BPF_JMP | kJumps[below(4)] | below(2) * BPF_X),
                      static_cast<std::uint8_t>(below(2)), static_cast<std::uint8_t>(below(2)),
                      operand()});
      add(BPF_MISC | BPF_TAX, 0);
      add(BPF_LD | BPF_MEM, static_cast<std::uint32_t>(i));
      add(BPF_ALU | BPF_XOR | BPF_X, 0);
    }
    add(BPF_ALU | BPF_AND | BPF_K, 0x7FF);
    add(BPF_ALU | BPF_OR | BPF_K, SECCOMP_RET_ERRNO);
    add(BPF_RET | BPF_A, 0);
    return code;
  }

  std::array<std::uint64_t, 6> arguments() {
    std::array<std::uint64_t, 6> all;
    for (std::uint64_t& one : all) one = static_cast<std::uint64_t>(operand()) << 32 | operand();
    return all;
  }

 private:
  std::mt19937 engine_;
};

// What the kernel makes of `data` under `code`: an errno, or -1 for a process that was killed. The
// child tells through shared memory, since a filter may refuse it every call, exit included.
int kernel_answer(const Code& code, const sandbox::SyscallData& data, volatile int* shared) {
  *shared = -1;
  const pid_t child = ::fork();
  if (child == 0) {
    const rlimit no_core{0, 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
    static_cast<void>(std::signal(SIGILL, SIG_DFL));
    static_cast<void>(std::signal(SIGTRAP, SIG_DFL));
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || install(code, 0) != 0) ::_exit(1);
    const auto& a = data.arguments;
    errno = 0;
    *shared = ::syscall(data.number, a[0], a[1], a[2], a[3], a[4], a[5]) == -1 ? errno : 0;
    die();
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFSIGNALED(status));
  return *shared;
}

}  // namespace

TEST_CASE("the interpreter takes the programs that the kernel takes", "[sandbox]") {
  if (!test::may_listen())
    return test::skip("a listener is in place outside: programs were not judged");
  // With a listener in place another one fails with EBUSY, but only after the program was checked:
  // one process can have thousands of programs judged and live under none.
  const test::Death death = test::run_in_child([](int to) {
    const Code allow = {{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}};
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) ::_exit(1);
    if (install(allow, SECCOMP_FILTER_FLAG_NEW_LISTENER) < 0) ::_exit(2);
    Random random(1);
    int taken = 0;
    int wrong = 0;
    for (int i = 0; i < 20'000; ++i) {
      const Code code = random.any_program();
      if (install(code, SECCOMP_FILTER_FLAG_NEW_LISTENER) != -1) ::_exit(3);
      if (errno != EBUSY && errno != EINVAL) ::_exit(4);
      const bool kernel_takes = errno == EBUSY;
      taken += kernel_takes ? 1 : 0;
      wrong += kernel_takes != BpfProgram::create(code).has_value() ? 1 : 0;
    }
    const std::string text = wrong != 0 ? std::to_string(wrong) + " judged differently"
                             : taken > 1000 && taken < 19'000 ? "same"
                                                              : "all alike";
    if (::write(to, text.data(), text.size()) < 0) ::_exit(5);
  });
  CHECK(death.status == 0);
  CHECK(death.output == "same");
}

TEST_CASE("the interpreter computes what the kernel computes", "[sandbox]") {
  void* shared =
      ::mmap(nullptr, sizeof(int), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  REQUIRE(shared != MAP_FAILED);
  Random random(2);
  int killed = 0;
  for (int i = 0; i < 400; ++i) {
    const Code code = random.computing_program();
    const sandbox::SyscallData data{.number = 600, .arch = kArch, .arguments = random.arguments()};
    const std::uint32_t predicted = BpfProgram::create(code).value().run(data);
    const int expected =
        predicted == SECCOMP_RET_KILL_THREAD ? -1 : static_cast<int>(predicted & SECCOMP_RET_DATA);
    killed += expected == -1 ? 1 : 0;
    INFO(i);
    REQUIRE(kernel_answer(code, data, static_cast<volatile int*>(shared)) == expected);
  }
  CHECK(killed > 0);  // divisions by an X of zero are among them
  ::munmap(shared, sizeof(int));
}
