// What commands an argv will run, as far as its words say so.
//
// For exec rules only, which are a convenience for approvals and no boundary: any allowed program
// may start any other, a shell has countless spellings for a command, and a script's text is not
// the file it will read. What must not happen is held by the filesystem and network rules, which
// the kernel enforces. So this reads the plain cases (`env X=1 cmd`, `timeout 5 cmd`,
// `bash -c 'a && b'`) to see a rule's command inside, and says of everything else that it is not
// the whole.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::policies {

using Words = std::vector<std::string>;

constexpr std::size_t kScriptBytesMax = 65536;  ///< longer scripts are read up to here

struct Commands {
  std::vector<Words> commands;
  bool whole = true;  ///< false: there is more in it than these (substitutions, loops, functions)
};

/// The simple commands of a shell script, without redirections and leading assignments.
Commands split_script(std::string_view script);

/// What a wrapper (env, nice, nohup, setsid, timeout, a shell with -c) runs; no commands when
/// `argv` is no wrapper, or one that cannot be read.
Commands unwrap(const Words& argv);

/// The name behind the last "/".
std::string_view base_name(std::string_view path);

}  // namespace fathom::policies
