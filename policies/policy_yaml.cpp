#include "policies/policy_text.hpp"
#include "policies/quantity.hpp"
#include "policies/yaml_document.hpp"

#include <algorithm>
#include <functional>

namespace fathom::policies {
namespace {

// Everything is quoted and nothing left out: the form is for hashes, and no reader's defaults may
// come into it.

std::string quoted_list(const std::vector<std::string>& words) {
  std::vector<std::string> quoted;
  quoted.reserve(words.size());
  for (const std::string& word : words) quoted.push_back(yaml_quoted(word));
  return "[" + join(quoted, ", ") + "]";
}

std::string ports_list(const std::vector<std::uint16_t>& ports) {
  std::vector<std::string> words;
  words.reserve(ports.size());
  for (const std::uint16_t port : ports) words.push_back(std::to_string(port));
  return "[" + join(words, ", ") + "]";
}

std::string words(std::string_view text) { return std::string(text); }

void list_of(std::string& out, const std::string& key, const std::vector<std::string>& items) {
  out += key + (items.empty() ? ": []\n" : ":\n");
  const std::string indent(key.find_first_not_of(' ') + 2, ' ');
  for (const std::string& item : items) out.append(indent).append("- ").append(item).append("\n");
}

// Whether a grant had to be confirmed depends on who loads it: confirming it always is right for a
// policy that was loaded once.
std::vector<std::string> grants_of(const Policy& policy, Access access) {
  std::vector<std::string> items;
  for (const PathGrant& grant : policy.filesystem.grants)
    if (grant.access == access)
      items.push_back("{path: " + yaml_quoted(grant.path) + ", id: " + yaml_quoted(grant.rule) +
                      (access == Access::write ? ", confirm_wide: true}" : "}"));
  return items;
}

std::vector<std::string> names_of(const Policy& policy, Protection protection) {
  std::vector<std::string> items;
  for (const ProtectedName& name : policy.filesystem.protected_names)
    if (name.protection == protection)
      items.push_back("{pattern: " + yaml_quoted(name.pattern) + ", id: " + yaml_quoted(name.rule) +
                      "}");
  return items;
}

std::vector<std::string> rules_of(const std::vector<ExecRule>& rules) {
  std::vector<std::string> items;
  items.reserve(rules.size());
  for (const ExecRule& rule : rules)
    items.push_back("{id: " + yaml_quoted(rule.id) + ", verdict: " + words(name_of(rule.verdict)) +
                    ", commands: " + quoted_list(rule.patterns) +
                    (rule.reason.empty() ? "" : ", reason: " + yaml_quoted(rule.reason)) + "}");
  return items;
}

std::vector<std::string> rules_of(const std::vector<HostRule>& rules) {
  std::vector<std::string> items;
  for (const HostRule& rule : rules) {
    std::vector<std::string> phases;
    phases.reserve(rule.phases.size());
    for (const Phase phase : rule.phases) phases.emplace_back(name_of(phase));
    items.push_back("{id: " + yaml_quoted(rule.id) + ", host: " + yaml_quoted(rule.host) +
                    ", verdict: " + words(name_of(rule.verdict)) + ", ports: " +
                    ports_list(rule.ports) + ", phases: [" + join(phases, ", ") + "]}");
  }
  return items;
}

void add_filesystem(const Policy& policy, std::string& out) {
  out += "filesystem:\n";
  out += "  workspace: " + words(name_of(policy.filesystem.workspace)) + "\n";
  out += "  home: " + words(name_of(policy.filesystem.home)) + "\n";
  for (const Access access : {Access::hidden, Access::read, Access::write})
    list_of(out, "  " + words(name_of(access)), grants_of(policy, access));
  out += "  protected:\n";
  for (const Protection protection : {Protection::deny, Protection::report})
    list_of(out, "    " + words(name_of(protection)), names_of(policy, protection));
  out += "  caches: [" + join(policy.filesystem.caches, ", ") + "]\n";
}

void add_network(const Network& network, std::string& out) {
  out += std::string("network:\n  loopback: ") + (network.loopback ? "true" : "false") + "\n";
  list_of(out, "  hosts", rules_of(network.hosts));
  list_of(out, "  restrict", rules_of(network.restrict));
  out += "  private_ranges: " + quoted_list(network.private_ranges) + "\n";
  out += "  host_loopback_ports: " + ports_list(network.host_loopback_ports) + "\n";
  out += "  unix_sockets: " + quoted_list(network.unix_sockets) + "\n";
}

void add_environment(const Policy& policy, std::string& out) {
  out += "env:\n  pass: " + quoted_list(policy.env.pass) + "\n";
  out += policy.env.set.empty() ? "  set: {}\n" : "  set:\n";
  for (const EnvironmentVariable& variable : policy.env.set)
    out += "    " + variable.name + ": " + yaml_quoted(variable.value) + "\n";
  std::vector<std::string> secrets;
  secrets.reserve(policy.secrets.size());
  for (const Secret& secret : policy.secrets)
    secrets.push_back("{name: " + yaml_quoted(secret.name) +
                      ", use: " + words(name_of(secret.use)) + "}");
  list_of(out, "secrets", secrets);
}

void add_limits(const Limits& limits, std::string& out) {
  out += "limits:\n";
  out += "  memory: " + format_size(limits.memory_bytes) + "\n";
  out += "  pids: " + std::to_string(limits.pids) + "\n";
  out += "  cpu_percent: " + std::to_string(limits.cpu_percent) + "\n";
  out += "  fds: " + std::to_string(limits.fds) + "\n";
  out += "  disk: " + format_size(limits.disk_bytes) + "\n";
  out += "  tmp: " + format_size(limits.tmp_bytes) + "\n";
  out += "  output: " + format_size(limits.output_bytes) + "\n";
  out += "  time: " + format_duration(limits.time) + "\n";
}

}  // namespace

std::string to_yaml(const Policy& policy) {
  std::string out = "apiVersion: fathom/v1\nkind: Policy\nname: " + yaml_quoted(policy.name) + "\n";
  add_filesystem(policy, out);
  out += "exec:\n  otherwise: " + words(name_of(policy.exec.otherwise)) + "\n";
  list_of(out, "  rules", rules_of(policy.exec.rules));
  list_of(out, "  restrict", rules_of(policy.exec.restrict));
  add_network(policy.network, out);
  add_environment(policy, out);
  add_limits(policy.limits, out);
  out += "approvals:\n  mode: " + words(name_of(policy.approvals.mode)) + "\n";
  out += "  never_ask: [" + join(policy.approvals.never_ask, ", ") + "]\n";
  out += "syscalls: " + words(name_of(policy.syscalls)) + "\n";
  out += "require:\n";
  for (std::size_t i = 0; i < policy.require.size() && i < kGuarantees; ++i)
    out += "  " + words(kGuaranteeNames[i]) + ": " + words(name_of(policy.require[i])) + "\n";
  return out;
}

}  // namespace fathom::policies
