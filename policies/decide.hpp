// decide(): may this be done? Pure: the same policy and request give the same answer, which names
// the rule and the smallest grant that would change it.
#pragma once

#include "policies/policy.hpp"

#include <cstdint>
#include <string>
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

using Request = std::variant<request::Exec, request::ReadPath, request::WritePath, request::Connect,
                             request::UseSecret>;

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

}  // namespace fathom::policies
