// The argument rules: of a call that the table calls `checked`, which arguments are answered what.
//
// A rule is a list of clauses, the first that holds answers; it is data, and seccomp_filter.cpp
// turns it into BPF. A filter sees registers and nothing behind a pointer: memory can change
// between its look and the kernel's. So a call that keeps what matters in memory is answered whole.
//
// Words are compared as the kernel reads them. An `int` argument is its low 32 bits, whatever
// stands above: comparing all 64 would let `TIOCSTI | 1 << 32` pass, and did in other sandboxes
// (CVE-2019-10063). Only an `unsigned long` or a pointer needs the high word too.
#pragma once

#include "sandbox/filter_options.hpp"
#include "sandbox/seccomp_table.hpp"

#include <cstdint>
#include <string_view>
#include <vector>

namespace fathom::sandbox {

enum class Answer : std::uint8_t { enosys, eperm, allow, notify };

enum class Word : std::uint8_t { low, high };
enum class Match : std::uint8_t { equal, different };

/// `(word & mask) == value`, or not.
struct Condition {
  std::uint8_t argument = 0;  ///< 0 to 5
  Word word = Word::low;
  std::uint32_t mask = 0xFFFFFFFF;
  std::uint32_t value = 0;
  Match match = Match::equal;

  friend bool operator==(const Condition&, const Condition&) = default;
};

struct Clause {
  std::vector<Condition> all_of;
  Answer answer = Answer::eperm;

  friend bool operator==(const Clause&, const Clause&) = default;
};

struct Rule {
  std::vector<Clause> clauses;
  Answer otherwise = Answer::enosys;

  friend bool operator==(const Rule&, const Rule&) = default;
};

/// What `call` is answered under `options`. No clauses: the same for all arguments.
Rule rule_of(const SyscallGrant& call, const FilterOptions& options);

}  // namespace fathom::sandbox
