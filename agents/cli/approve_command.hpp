// fathom approve: answers for a call that a suspended run waits to be allowed.
#pragma once

#include "agents/cli/exit_code.hpp"
#include "agents/cli/terminal.hpp"
#include "runtime/base/paths.hpp"
#include "runtime/base/result.hpp"

#include <cstdint>
#include <functional>
#include <string>

namespace CLI {
class App;
}  // namespace CLI

namespace fathom::agents {

enum class ApprovalAnswer : std::uint8_t { yes, no };

struct ApproveOptions {
  std::string run;   ///< whole id or the end of one
  std::string call;  ///< "" is the only one that has no answer yet
  ApprovalAnswer answer = ApprovalAnswer::yes;
  bool json = false;
};

/// Writes the answer into the run's journal; resuming the run acts on it. A call that is named can
/// be answered anew as long as nobody did. Exit codes: 0; 64 several wait and none is named, or the
/// name is wrong; 66 nothing waits; 69 a process works on the run.
Result<ExitCode> approve(const ApproveOptions& options, const GetEnv& env, Terminal& terminal);

using ApproveRun = Result<ExitCode> (*)(const ApproveOptions&, const GetEnv&, Terminal&);
void add_approve_command(CLI::App& app, ApproveOptions& options,
                         const std::function<void(ApproveRun)>& choose);

}  // namespace fathom::agents
