// host_command: what a program of the user's own says, run on the host as the user would run it.
//
// This is the one process that Fathom starts unconfined. It exists for the command of an API key
// (`keys: {HOST: {command: […]}}` in the user's config): a password manager has to reach its
// agent's socket, the keychain and the user's home, which is exactly what a sandbox keeps away. So
// nothing stands between the program and the user's files; it must never be named by a repository,
// by a model or by an agent's document, and it never is: only the user's config can.
//
// No shell reads the words. The program gets no input and no terminal, the user's environment
// without the variables that hold API keys, and a process group of its own that dies at the
// deadline, or as soon as it has said too much.
#pragma once

#include "runtime/base/result.hpp"

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

namespace fathom::sandbox {

inline constexpr std::chrono::milliseconds kHostCommandTime = std::chrono::seconds(20);
inline constexpr std::size_t kHostCommandBytesMax = std::size_t{16} << 10;  // more is an error
inline constexpr std::size_t kHostCommandErrorBytesMax = 300;  // of its stderr, in an error

struct HostCommandOptions {
  std::chrono::milliseconds time = kHostCommandTime;
  /// Variables that it does not get, besides those in which Fathom looks for keys by itself.
  std::vector<std::string> hidden_variables{};
};

/// Its standard output. Blocks up to `time`. Errors name the program and, clipped, what it wrote to
/// standard error, never its output: `not_found` when there is no such program, `io` when it fails,
/// `timeout` when it takes longer, `too_large` when it says more.
Result<std::string> host_command_output(const std::vector<std::string>& argv,
                                        const HostCommandOptions& options = {});

}  // namespace fathom::sandbox
