// EgressRules: may this name be looked up, may this destination be connected to? The policy's own
// decision, and what only a broker can count: how many names one rule has been used for. No I/O.
#pragma once

#include "policies/decide.hpp"
#include "sandbox/egress/destination.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::sandbox {

/// What a name below a wildcard says is the child's to choose: each new one can carry some sixty
/// bytes out to whoever serves the zone. Real work needs few.
constexpr std::size_t kNamesPerRuleMax = 256;

/// The services of this machine's own loopback that the policy lists (host_loopback_ports) have a
/// name of their own inside: there 127.0.0.1 is the session's, with servers that may have the same
/// ports. ".internal" is no zone of the Internet (ICANN, 2024).
constexpr std::string_view kHostName = "host.fathom.internal";

/// policies::decide with its policy bound, as broker's options take it.
using DecideConnect = std::function<policies::Decision(const policies::request::Connect&)>;

class EgressRules {
 public:
  EgressRules(policies::Network network, DecideConnect decide, policies::Phase phase);

  /// Allowed when some port of the name is.
  policies::Decision may_look_up(const std::string& name);
  policies::Decision may_connect(const Destination& to);

  /// Counts for decisions from now on.
  void set_phase(policies::Phase phase) { phase_ = phase; }

  /// True when the policy opens nothing: names are still denied by name.
  [[nodiscard]] bool is_off() const;
  /// Of all allowing rules and of the host's loopback; sorted.
  [[nodiscard]] std::vector<std::uint16_t> ports() const;

 private:
  [[nodiscard]] policies::Decision decide(const std::string& host, std::uint16_t port) const;
  [[nodiscard]] policies::Decision decide_host(std::uint16_t port) const;
  policies::Decision count(const std::string& name, policies::Decision decision);

  policies::Network network_;
  DecideConnect decide_;
  policies::Phase phase_;
  std::map<std::string, std::set<std::string>> names_of_rule_;
};

/// "localhost" and names below it, which mean the session's own loopback (RFC 6761).
bool is_localhost(std::string_view name);

}  // namespace fathom::sandbox
