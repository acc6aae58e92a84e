// A filter built for options and asked, call by call, what it answers.
#pragma once

#include "sandbox/bpf_eval.hpp"
#include "sandbox/filter_options.hpp"

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace fathom::test {

using Arguments = std::array<std::uint64_t, 6>;
using Words = std::vector<std::uint64_t>;

class Filter {
 public:
  explicit Filter(const sandbox::FilterOptions& options);

  /// "allow", "eperm", "enosys", "notify" or "kill"; another return value fails the test.
  [[nodiscard]] std::string_view answer(int number, const Arguments& arguments = {}) const;
  [[nodiscard]] std::string_view answer_in(std::uint32_t arch, int number,
                                           const Arguments& arguments = {}) const;

  [[nodiscard]] std::span<const sock_filter> instructions() const {
    return program_.instructions();
  }

 private:
  sandbox::BpfProgram program_;
};

/// The number that the table's call has here; a call that this architecture lacks fails the test.
int number_of(std::string_view call);

/// Everything that a policy can grant a child of the full rung.
sandbox::FilterOptions generous(policies::SyscallProfile profile);

/// Whether the kernel gives a filter of ours a listener: not where one outside is in place already.
/// Makes a child.
bool may_listen();

/// What the tests of x86_64's numbers say where they cannot run.
bool is_x86_64();

}  // namespace fathom::test
