#include "sandbox/seccomp_link.hpp"

#include "sandbox/bpf_eval.hpp"
#include "tests/support/catch.hpp"

#include <linux/audit.h>
#include <linux/seccomp.h>

using namespace fathom;
using sandbox::Answer;
using sandbox::BpfProgram;
using sandbox::Match;
using sandbox::Rule;
using sandbox::Word;

namespace {

sock_filter answer_with(std::uint32_t value) { return {BPF_RET | BPF_K, 0, 0, value}; }

std::uint32_t run(const Rule& rule, std::array<std::uint64_t, 6> arguments) {
  const std::vector<sock_filter> tree = {answer_with(sandbox::rule_marker(0))};
  auto code = sandbox::link_filter(AUDIT_ARCH_AARCH64, tree, std::span(&rule, 1)).value();
  return BpfProgram::create(std::move(code)).value().run({.arguments = arguments});
}

const std::uint32_t kAllow = sandbox::filter_return(Answer::allow);
const std::uint32_t kEperm = sandbox::filter_return(Answer::eperm);
const std::uint32_t kEnosys = sandbox::filter_return(Answer::enosys);

}  // namespace

TEST_CASE("the first clause that holds answers, and behind them what is otherwise",
          "[sandbox-filter]") {
  const Rule rule{{{{{.argument = 0, .value = 1}}, Answer::allow},
                   {{{.argument = 0, .mask = 1, .value = 1}}, Answer::eperm}},
                  Answer::enosys};
  CHECK(run(rule, {1}) == kAllow);
  CHECK(run(rule, {3}) == kEperm);
  CHECK(run(rule, {2}) == kEnosys);
}

TEST_CASE("a clause holds when all of its conditions do", "[sandbox-filter]") {
  const Rule rule{{{{{.argument = 0, .value = 1},
                     {.argument = 5, .word = Word::high, .mask = 0xF0, .value = 0x20},
                     {.argument = 1, .mask = 6, .match = Match::different}},
                    Answer::allow}},
                  Answer::eperm};
  const std::uint64_t last = 0x2F00000000;
  CHECK(run(rule, {1, 2, 0, 0, 0, last}) == kAllow);
  CHECK(run(rule, {1, 4, 0, 0, 0, last}) == kAllow);
  CHECK(run(rule, {0, 2, 0, 0, 0, last}) == kEperm);
  CHECK(run(rule, {1, 1, 0, 0, 0, last}) == kEperm);
  CHECK(run(rule, {1, 2, 0, 0, 0, 0x2F}) == kEperm);
}

TEST_CASE("each marker of the tree leads to its own rule", "[sandbox-filter]") {
  const std::vector<Rule> rules = {{{}, Answer::allow}, {{}, Answer::eperm}};
  const std::vector<sock_filter> tree = {
      {BPF_LD | BPF_W | BPF_ABS, 0, 0, 0},  {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 7},
      answer_with(sandbox::rule_marker(1)), {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 8},
      answer_with(sandbox::rule_marker(0)), answer_with(kEnosys)};
  const auto program =
      BpfProgram::create(sandbox::link_filter(AUDIT_ARCH_AARCH64, tree, rules).value()).value();
  CHECK(program.run({.number = 7}) == kEperm);
  CHECK(program.run({.number = 8}) == kAllow);
  CHECK(program.run({.number = 9}) == kEnosys);
}

TEST_CASE("a rule that no call leads to, or a marker without a rule, is no filter",
          "[sandbox-filter]") {
  const std::vector<Rule> one = {{{}, Answer::allow}};
  const std::vector<sock_filter> none = {answer_with(kEnosys)};
  const std::vector<sock_filter> second = {answer_with(sandbox::rule_marker(1))};
  CHECK(sandbox::link_filter(AUDIT_ARCH_X86_64, none, one).error().message ==
        "link the system-call filter: a rule without a marker");
  CHECK(sandbox::link_filter(AUDIT_ARCH_X86_64, second, one).error().message ==
        "link the system-call filter: a marker without a rule");
}

TEST_CASE("x32 is refused before the tree, other architectures are left to it",
          "[sandbox-filter]") {
  const std::vector<sock_filter> tree = {answer_with(kAllow)};
  const auto program =
      BpfProgram::create(sandbox::link_filter(AUDIT_ARCH_X86_64, tree, {}).value()).value();
  CHECK(program.run({.number = 0x40000000, .arch = AUDIT_ARCH_X86_64}) == kEnosys);
  CHECK(program.run({.number = 0x3FFFFFFF, .arch = AUDIT_ARCH_X86_64}) == kAllow);
  CHECK(program.run({.number = 0x40000000, .arch = AUDIT_ARCH_I386}) == kAllow);
  CHECK(sandbox::link_filter(AUDIT_ARCH_AARCH64, tree, {}).value().size() == tree.size());
}
