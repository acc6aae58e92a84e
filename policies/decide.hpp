// decide(): may this be done? Pure: the same policy and request give the same answer, which names
// the rule and the smallest grant that would change it.
//
// Filesystem and network rules are what the sandbox enforces; deciding beforehand gives the model a
// sentence in place of an EACCES. Rules about commands are different: they are a convenience for
// approvals and no boundary. An allowed program can start any other, and a shell has countless
// spellings of a command; the plain ones are seen through (command_words.hpp). What a command must
// never do belongs into the filesystem and network rules.
#pragma once

#include "policies/policy.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace fathom::policies {

namespace request {

/// Run a program. `cwd` is absolute.
struct Exec {
  std::vector<std::string> argv;
  std::string cwd;
};

struct ReadPath {
  std::string path;  ///< absolute, links resolved by the caller
};

struct WritePath {
  std::string path;  ///< absolute, links resolved by the caller
};

/// Work with a git directory that lies outside the workspace and belongs to it: a linked worktree's
/// or a submodule's (sandbox/git_links.hpp says when it does). Never for one that only is named.
struct UseGit {
  std::string path;  ///< of the git directory, absolute, links resolved by the caller
  bool writes = false;
};

/// Connect to a host by name or address.
struct Connect {
  std::string host;
  std::uint16_t port = 0;
  Phase phase = Phase::agent;
};

struct UseSecret {
  std::string name;
};

}  // namespace request

using Request = std::variant<request::Exec, request::ReadPath, request::WritePath, request::UseGit,
                             request::Connect, request::UseSecret>;

struct Decision {
  Verdict verdict = Verdict::deny;
  std::string
      rule;  ///< id of the rule that decided, such as "network.hosts[2]" or "exec.otherwise"
  std::string reason;  ///< one line for a person and the model
  std::string
      grant;  ///< smallest YAML line that would allow it; empty when allowed or never allowed

  friend bool operator==(const Decision&, const Decision&) = default;
};

Decision decide(const Policy& policy, const Request& request);

/// May the address be dialled that an allowed `host` resolved to? Resolve once, ask this, dial that
/// very address: a name can be made to resolve to anything (DNS rebinding).
Decision decide_resolved(const Policy& policy, std::string_view host, std::string_view address);

/// True when the pattern of an exec rule is about these words, or about a command that they plainly
/// wrap.
bool matches_command(std::string_view pattern, const std::vector<std::string>& argv);

/// What is wrong with the pattern of an exec rule, or empty.
std::string_view command_pattern_flaw(std::string_view pattern);

}  // namespace fathom::policies
