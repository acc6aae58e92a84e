// What the model is told of a shell command. Pure.
#pragma once

#include "tools/shell/shell_jobs.hpp"
#include "tools/tool.hpp"

#include <string>

namespace fathom::tools {

inline constexpr std::size_t kJobWordsMax = 100;  // of a command, in lists and notices

/// Its state counts: the shell goes on from it.
enum class StateKept : std::uint8_t { yes, no, not_meant };

/// A command that has ended. `job` is named when the model knows it as one.
ToolOutput ended_output(const sandbox::Outcome& outcome, sandbox::CapturedOutput text,
                        StateKept state);

/// A command that goes on, with what it has printed since the last look.
ToolOutput running_output(const ShellJob& job, sandbox::CapturedOutput text, Duration age);

/// One line a job.
ToolOutput list_output(const std::vector<ShellJob*>& jobs, Instant now);

/// `job 3 ended: exit code 1 (npm test)`.
std::string end_notice(const ShellJob& job);

/// Puts the job's number into `output.data`, and how it ended in front of the notes.
void name_job(ToolOutput& output, const ShellJob& job);

}  // namespace fathom::tools
