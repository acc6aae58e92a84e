#include "sandbox/egress/egress_rules.hpp"

#include "runtime/base/ensure.hpp"

#include <algorithm>
#include <utility>

namespace fathom::sandbox {
namespace {

using policies::Decision;
using policies::Verdict;

constexpr const char* kHostRule = "network.host_loopback_ports";
constexpr std::uint16_t kHttpsPort = 443;

// To decide() "loopback" is the session's, which is open; out here it would be this machine's.
Decision own_loopback() {
  return {Verdict::deny, "network.loopback",
          "the session's own servers are reached directly, not through a proxy", ""};
}

bool opens(const policies::HostRule& rule) { return rule.verdict != Verdict::deny; }

}  // namespace

bool is_localhost(std::string_view name) {
  return name == "localhost" || name.ends_with(".localhost");
}

EgressRules::EgressRules(policies::Network network, DecideConnect decide, policies::Phase phase)
    : network_(std::move(network)), decide_(std::move(decide)), phase_(phase) {
  ENSURE(decide_, "the broker is given decide()");
}

bool EgressRules::is_off() const {
  return network_.host_loopback_ports.empty() && std::ranges::none_of(network_.hosts, opens);
}

std::vector<std::uint16_t> EgressRules::ports() const {
  std::set<std::uint16_t> ports(network_.host_loopback_ports.begin(),
                                network_.host_loopback_ports.end());
  for (const policies::HostRule& rule : network_.hosts)
    if (opens(rule)) ports.insert(rule.ports.begin(), rule.ports.end());
  return {ports.begin(), ports.end()};
}

Decision EgressRules::decide(const std::string& host, std::uint16_t port) const {
  if (is_localhost(host)) return own_loopback();
  return decide_({host, port, phase_});
}

Decision EgressRules::decide_host(std::uint16_t port) const {
  if (std::ranges::find(network_.host_loopback_ports, port) != network_.host_loopback_ports.end())
    return {Verdict::allow, kHostRule, "a listed port of this machine's loopback", ""};
  return {Verdict::deny, kHostRule,
          "port " + std::to_string(port) + " of this machine's loopback is not listed",
          "network: {host_loopback_ports: [" + std::to_string(port) + "]}"};
}

Decision EgressRules::may_look_up(const std::string& name) {
  if (name == kHostName && !network_.host_loopback_ports.empty())
    return {Verdict::allow, kHostRule, "", ""};
  std::vector<std::uint16_t> tried;
  for (const policies::HostRule& rule : network_.hosts)
    if (opens(rule)) tried.insert(tried.end(), rule.ports.begin(), rule.ports.end());
  std::ranges::sort(tried);
  const auto repeated = std::ranges::unique(tried);
  tried.erase(repeated.begin(), repeated.end());
  for (const std::uint16_t port : tried) {
    Decision decision = decide(name, port);
    if (decision.verdict == Verdict::allow) return count(name, std::move(decision));
  }
  // The port is not known yet: what is said and offered is for the usual one.
  return decide(name, kHttpsPort);
}

Decision EgressRules::may_connect(const Destination& to) {
  if (to.name == kHostName) return decide_host(to.port);
  if (to.address && to.address->is_loopback()) return own_loopback();
  Decision decision = decide(to.host(), to.port);
  if (to.address || decision.verdict != Verdict::allow) return decision;
  return count(to.name, std::move(decision));
}

Decision EgressRules::count(const std::string& name, Decision decision) {
  std::set<std::string>& names = names_of_rule_[decision.rule];
  if (names.contains(name)) return decision;
  if (names.size() >= kNamesPerRuleMax)
    return {Verdict::deny, decision.rule,
            "more than " + std::to_string(kNamesPerRuleMax) +
                " different names were used under this rule: names can carry data out",
            "network: {hosts: [{host: " + name + "}]}"};
  names.insert(name);
  return decision;
}

}  // namespace fathom::sandbox
