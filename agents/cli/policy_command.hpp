// fathom policy: check documents, show what is in force, ask about one request, compare two.
#pragma once

#include "agents/cli/exit_code.hpp"
#include "agents/cli/model_command.hpp"  // ReportFormat
#include "agents/cli/terminal.hpp"
#include "runtime/base/paths.hpp"
#include "runtime/base/result.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace fathom::agents {

struct PolicyOptions {
  std::vector<std::string> files;    ///< lint
  std::string before;                ///< diff
  std::string after;                 ///< diff
  std::string policy;                ///< a shipped name or a file; empty: default
  std::filesystem::path repo = ".";  ///< the workspace
  std::string kind;                  ///< test: exec, read, write, connect or secret
  std::vector<std::string> words;    ///< test: the command, the path, HOST[:PORT], the name
  std::string phase = "agent";       ///< test connect
  ReportFormat format = ReportFormat::human;
};

using PolicyRun = Result<ExitCode> (*)(const PolicyOptions&, const GetEnv&, Terminal&);

/// Reads each file strictly and alone. Exit code 64 when one is wrong; every one is reported.
Result<ExitCode> policy_lint(const PolicyOptions& options, const GetEnv& env, Terminal& terminal);

/// The effective policy, each value with its origin, and what was ignored.
Result<ExitCode> policy_explain(const PolicyOptions& options, const GetEnv& env,
                                Terminal& terminal);

/// The decision about one request. Exit code 0 for allow, 13 for ask and deny.
Result<ExitCode> policy_test(const PolicyOptions& options, const GetEnv& env, Terminal& terminal);

/// What changes when `after` is asked for in place of `before`.
Result<ExitCode> policy_diff(const PolicyOptions& options, const GetEnv& env, Terminal& terminal);

/// JSON Schema of policy documents.
Result<ExitCode> policy_schema(const PolicyOptions& options, const GetEnv& env, Terminal& terminal);

}  // namespace fathom::agents
