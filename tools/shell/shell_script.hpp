// The persistent shell is a state, not a process: every command runs in a bash of its own, in a
// cell of its own, between a restore and a save of what a shell remembers. So each call has its own
// process tree, limits and outcome, and no command can leave the shell in a state that hangs the
// next one.
//
// The state lies in files inside the sandbox and is only ever read there: it is written by whatever
// the commands want it to be, and nobody outside parses it. What survives: variables of all kinds,
// functions, aliases, options (but errexit, noexec, verbose and xtrace, which would end or flood
// the next call), umask and the working directory. What does not: traps, jobs, open descriptors,
// and a function named `builtin`.
//
// A state is found by a ticket: a file (slot) and the number of the call that was to fill it. A
// command that never came to save (it called exec, was killed, set an EXIT trap and then exited)
// leaves its slot without that number: the next command says so and restores the one before.
#pragma once

#include "policies/policy.hpp"
#include "runtime/base/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::tools {

/// What one argument of a program may be (MAX_ARG_STRLEN), without its NUL.
inline constexpr std::size_t kCommandBytesMax = (128UL << 10) - 1;

struct ShellTicket {
  std::uint64_t call = 0;  ///< from 1; never given twice
  std::size_t slot = 0;

  friend bool operator==(const ShellTicket&, const ShellTicket&) = default;
};

/// `usage` or `too_large`: what no bash could be given.
Result<> check_command(std::string_view command);

/// The words that run `command`: on the newest of `restore` (newest first) that is there; the state
/// it leaves goes to `save`, or nowhere.
std::vector<std::string> shell_argv(const std::vector<ShellTicket>& restore,
                                    std::optional<ShellTicket> save, std::string command);

/// For every command: nothing asks, pages or draws, because nobody is there. What a command exports
/// itself wins from then on.
const std::vector<policies::EnvironmentVariable>& shell_environment();

}  // namespace fathom::tools
