// Credentials: where the key of a remote engine comes from, and to whom it may go.
//
// The first of these that is set: a file, a command, FATHOM_API_KEY, the vendor's own variable. A
// vendor's variable counts only for the vendor's hosts: with DEEPSEEK_API_KEY set, a request to any
// other address carries no key. FATHOM_API_KEY goes to whatever engine is named.
#pragma once

#include "engine/remote/endpoint.hpp"
#include "engine/remote/secret.hpp"
#include "runtime/base/paths.hpp"
#include "runtime/base/result.hpp"

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace fathom::engine {

inline constexpr std::size_t kKeyBytesMax = 8u << 10;

struct KeySources {
  GetEnv env = process_env;
  /// A file of the user's own that nobody else can read; "" for none.
  std::filesystem::path file;
  /// A program and its words, which prints the key on its first line; empty for none. It runs
  /// through `run_command`, as only sandbox/ starts processes; without one it is refused.
  std::vector<std::string> command;
  std::function<Result<std::string>(const std::vector<std::string>& command)> run_command;
  std::vector<std::string> key_variables{};  ///< hold keys of other hosts: not for that program
};

/// The key for `endpoint`; empty when it needs none. Errors name the source and never its text.
Result<Secret> find_key(const Endpoint& endpoint, const KeySources& sources);

}  // namespace fathom::engine
