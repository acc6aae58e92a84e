// The exit codes of the program, in one place. Scripts depend on them: a number never changes its
// meaning.
#pragma once

#include "runtime/base/result.hpp"

namespace fathom::agents {

enum class ExitCode : int {
  ok = 0,  ///< answered, fixed, or shown
  failed = 1,  ///< a tool's call ran and did not succeed
  // Of commands that run an agent.
  no_fix = 10,          ///< no fix, loop or step limit
  flaky = 11,           ///< the tests do not agree with themselves
  infrastructure = 12,  ///< engine, network, or a required sandbox guarantee is missing
  denied = 13,          ///< the policy says no
  budget = 14,          ///< the budget is spent
  // Of bad input and a bad environment; 64 to 78 follow sysexits.h where it has a fitting name.
  usage = 64,         ///< wrong flag, argument or document
  bad_data = 65,      ///< bytes without the form they should have (damaged journal, invalid UTF-8)
  not_found = 66,     ///< no such file, run or host
  too_large = 68,     ///< a named bound would be exceeded
  in_use = 69,        ///< the port, lock or name is taken
  bug = 70,           ///< a defect of Fathom: please report it
  unsupported = 71,   ///< this build or kernel cannot do it
  disk_full = 73,     ///< no space or quota left
  io = 74,            ///< any other failure of a file or device
  timeout = 75,       ///< a deadline passed
  protocol = 76,      ///< the peer broke the protocol
  permission = 77,    ///< the system refuses
  tls = 78,           ///< a certificate or handshake that cannot be trusted
  interrupted = 130,  ///< Ctrl-C
};

/// The exit code for an error that ends the program.
[[nodiscard]] ExitCode exit_code_of(ErrorCode code);

}  // namespace fathom::agents
