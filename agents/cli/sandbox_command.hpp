// fathom sandbox: run one command, or a shell, as an agent's commands are run.
#pragma once

#include "agents/cli/exit_code.hpp"
#include "agents/cli/terminal.hpp"
#include "runtime/base/result.hpp"
#include "sandbox/compile.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace fathom::agents {

struct SandboxOptions {
  std::vector<std::string> command;  ///< empty: an interactive shell
  std::string policy;                ///< name or file; "" is default
  std::filesystem::path repository = ".";
  sandbox::Mode mode = sandbox::Mode::direct;
  std::string transaction;          ///< of transaction mode: the one to go on with; "" begins one
  std::string rung;                 ///< "" is the strongest
  double timeout_s = 0;             ///< 0: the policy's
  bool yes = false;                 ///< approve what the policy would ask about, and the grants
  std::vector<std::string> grants;  ///< lines of policy that widen it for this run
  std::string reason;               ///< shown to the person who is asked for them
  bool json = false;
};

/// Runs the command and answers its exit code, 128 + its signal, or our own: 12 when a guarantee
/// that the policy requires is missing, 13 when the policy denies it, 75 when time was up.
Result<ExitCode> sandbox_run(const SandboxOptions& options, const GetEnv& env, Terminal& terminal);

/// An interactive shell on a pseudo-terminal of the sandbox.
Result<ExitCode> sandbox_shell(const SandboxOptions& options, const GetEnv& env,
                               Terminal& terminal);

}  // namespace fathom::agents
