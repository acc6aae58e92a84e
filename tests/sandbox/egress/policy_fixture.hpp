// A small policy and its decisions, for tests of what stands on them. Hosts are compared as they
// are written; "*.zone" matches below the zone.
#pragma once

#include "policies/decide.hpp"
#include "sandbox/egress/egress_rules.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fathom::test {

inline policies::HostRule allow_rule(std::string id, std::string host,
                                     std::vector<std::uint16_t> ports = {443}) {
  using policies::Phase;
  return {std::move(id),
          policies::Verdict::allow,
          std::move(host),
          std::move(ports),
          {Phase::setup, Phase::agent, Phase::test}};
}

inline bool rule_matches(const policies::HostRule& rule,
                         const policies::request::Connect& request) {
  const bool below =
      rule.host.starts_with("*.") && request.host.ends_with(std::string_view(rule.host).substr(1));
  return (below || rule.host == request.host) &&
         std::ranges::find(rule.ports, request.port) != rule.ports.end() &&
         std::ranges::find(rule.phases, request.phase) != rule.phases.end();
}

/// First match decides; no match is a denial that offers the rule.
inline sandbox::DecideConnect decide_by(std::vector<policies::HostRule> rules) {
  return
      [rules = std::move(rules)](const policies::request::Connect& request) -> policies::Decision {
        for (const policies::HostRule& rule : rules)
          if (rule_matches(rule, request)) return {rule.verdict, rule.id, "listed", ""};
        return {policies::Verdict::deny, "network.hosts",
                request.host + ":" + std::to_string(request.port) + " is not listed",
                "network: {hosts: [{host: " + request.host + "}]}"};
      };
}

inline policies::Network network_of(std::vector<policies::HostRule> rules) {
  policies::Network network;
  network.hosts = std::move(rules);
  return network;
}

}  // namespace fathom::test
