#include "sandbox/seccomp_filter.hpp"

#include "tests/sandbox/filter_fixture.hpp"
#include "tests/sandbox/seccomp_model.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/skip.hpp"

#include <linux/audit.h>

#include <limits>
#include <map>
#include <random>

using namespace fathom;
using policies::SyscallProfile;
using sandbox::FilterOptions;
using test::Arguments;
using test::Filter;

namespace {

constexpr SyscallProfile kProfiles[] = {SyscallProfile::build, SyscallProfile::debug,
                                        SyscallProfile::strict};
constexpr int kNumbers = 600;

class Random {
 public:
  explicit Random(std::uint32_t seed) : engine_(seed) {}

  bool flip() { return engine_() % 2 == 0; }
  std::size_t below(std::size_t bound) { return engine_() % bound; }

  FilterOptions options() {
    return {.profile = kProfiles[below(std::size(kProfiles))],
            .unix_sockets = flip(),
            .inet_stream = flip(),
            .inet_datagram = flip(),
            .netlink_route = flip(),
            .refuse_setuid_bits = flip(),
            .allow_nested_userns = flip(),
            .trace_processes = flip(),
            .limit_others = flip(),
            .ipc_objects = flip(),
            .notify = {.write_opens = flip(),
                       .connect = flip(),
                       .metadata = flip(),
                       .shared_memory = flip(),
                       .refused = flip()}};
  }

  // Half of the calls have rules, which the other numbers would drown.
  int number() {
    constexpr int kWithRules[] = {
        2,   16,  41,  42,  44,  46,  49,  53,  54,  56,  83,  85,  90,  91,  101, 133, 135, 141,
        144, 157, 161, 257, 258, 259, 268, 272, 298, 302, 307, 310, 311, 312, 323, 437, 452, 86,
        87,  92,  132, 188, 197, 235, 260, 261, 263, 265, 280, 463, 64,  69,  71,  220, 240};
    return flip() ? kWithRules[below(std::size(kWithRules))]
                  : static_cast<int>(below(kNumbers + 1));
  }

  // Near what rules compare with: a number of theirs, a few bits changed, or rubbish above.
  std::uint64_t argument() {
    constexpr std::uint64_t kNear[] = {
        0,          1,          2,          3,          5,          6,          8,
        10,         16,         17,         31,         35,         0x40,       0x200,
        0x5412,     0x541C,     0x541D,     0x5423,     0x1000,     0x8000,     0xC000,
        0x2000,     0x6000,     0x800,      0x400,      0x80000,    0x80802,    0x20008,
        0x40000,    0x60008,    0x80,       0x20000,    0x2000000,  0x4000000,  0x8000000,
        0x10000000, 0x20000000, 0x40000000, 0x40600,    0x410000,   0x80000000, 0xFFFFFFFF,
        0xC2,       0xA0000,    0x20080,    0x40086602, 0x401C5820, 0x40806685, 0x5000940F,
        0x40049409};
    std::uint64_t value = kNear[below(std::size(kNear))];
    if (below(3) == 0) value |= kNear[below(std::size(kNear))];
    if (below(4) == 0) value ^= 1ULL << below(64);
    if (below(4) == 0) value |= static_cast<std::uint64_t>(engine_()) << 32;
    if (below(16) == 0) value = static_cast<std::uint64_t>(engine_()) << 32 | engine_();
    return value;
  }

  Arguments arguments() {
    Arguments all;
    for (std::uint64_t& one : all) one = argument();
    return all;
  }

 private:
  std::mt19937 engine_;
};

std::string describe(int number, const Arguments& arguments) {
  std::string text = "call " + std::to_string(number);
  for (std::uint64_t argument : arguments) text += ' ' + std::to_string(argument);
  return text;
}

}  // namespace

TEST_CASE("the filter answers random calls as a second spelling of the table does",
          "[sandbox-filter]") {
  if (!test::is_x86_64())
    return test::skip("the second spelling has x86_64's numbers: no call was compared");
  Random random(1);
  std::map<std::string_view, int> seen;
  for (int build = 0; build < 200; ++build) {
    const FilterOptions options = random.options();
    const Filter filter(options);
    for (int i = 0; i < 2000; ++i) {
      const int number = random.number();
      const Arguments arguments = random.arguments();
      const std::string_view answer = filter.answer(number, arguments);
      ++seen[answer];
      if (answer == test::modelled_answer(options, number, arguments)) continue;
      INFO(describe(number, arguments));
      CHECK(answer == test::modelled_answer(options, number, arguments));
    }
  }
  // Otherwise the comparison would say little.
  for (std::string_view answer : {"allow", "eperm", "enosys", "notify"})
    CHECK(seen[answer] > 10000);
}

TEST_CASE("what strict allows build allows, and what build allows debug allows",
          "[sandbox-filter]") {
  Random random(2);
  for (int build = 0; build < 30; ++build) {
    FilterOptions options = random.options();
    const auto with = [&](SyscallProfile profile) {
      options.profile = profile;
      return Filter(options);
    };
    const Filter strict_filter = with(SyscallProfile::strict);
    const Filter build_filter = with(SyscallProfile::build);
    const Filter debug_filter = with(SyscallProfile::debug);
    for (int i = 0; i < 3000; ++i) {
      const int number = random.number();
      const Arguments arguments = random.arguments();
      INFO(describe(number, arguments));
      const std::string_view middle = build_filter.answer(number, arguments);
      if (strict_filter.answer(number, arguments) == "allow") REQUIRE(middle == "allow");
      if (middle == "allow") REQUIRE(debug_filter.answer(number, arguments) == "allow");
    }
  }
}

TEST_CASE("calls of another architecture kill the process", "[sandbox-filter]") {
  for (SyscallProfile profile : kProfiles) {
    const Filter filter(test::generous(profile));
    for (std::uint64_t arch : test::Words{AUDIT_ARCH_I386, AUDIT_ARCH_ARM, AUDIT_ARCH_RISCV64,
                                          0x4000003E, 0, 0xFFFFFFFF})
      for (int number = -1; number <= kNumbers; ++number)
        REQUIRE(filter.answer_in(static_cast<std::uint32_t>(arch), number) == "kill");
  }
}

TEST_CASE("x32 numbers do not exist", "[sandbox-filter]") {
  if (!test::is_x86_64()) return test::skip("x32 is x86_64's: no number was tried");
  for (SyscallProfile profile : kProfiles) {
    const Filter filter(test::generous(profile));
    for (int number = 0; number <= kNumbers; ++number)
      REQUIRE(filter.answer(0x40000000 | number) == "enosys");
    CHECK(filter.answer(std::numeric_limits<int>::max()) == "enosys");
    CHECK(filter.answer(std::numeric_limits<int>::min()) == "enosys");
    CHECK(filter.answer(-1) == "enosys");
    CHECK(filter.answer(0x3FFFFFFF) == "enosys");
  }
}

TEST_CASE("equal options give the same filter", "[sandbox-filter]") {
  const auto bytes = [](const FilterOptions& options) {
    const auto program = sandbox::build_filter(options).value();
    return std::string(reinterpret_cast<const char*>(program.data()),
                       program.size() * sizeof(sock_filter));
  };
  Random random(3);
  for (int i = 0; i < 10; ++i) {
    const FilterOptions options = random.options();
    CHECK(bytes(options) == bytes(options));
  }
  CHECK(bytes({}) != bytes({.profile = SyscallProfile::strict}));
}

TEST_CASE("a filter leaves room for those that are stacked on it", "[sandbox-filter]") {
  // The kernel counts all filters of a process together, 32,768 instructions and 4 for each.
  Random random(4);
  for (int i = 0; i < 50; ++i)
    CHECK(Filter(random.options()).instructions().size() < sandbox::kBpfInstructionsMax / 4);
}
