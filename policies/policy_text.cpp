#include "policies/policy_text.hpp"

#include "policies/quantity.hpp"

#include <algorithm>
#include <map>

namespace fathom::policies {
namespace {

std::vector<std::string> words_of(const std::vector<std::uint16_t>& numbers) {
  std::vector<std::string> words;
  words.reserve(numbers.size());
  for (const std::uint16_t number : numbers) words.push_back(std::to_string(number));
  return words;
}

std::string or_none(const std::string& text) { return text.empty() ? "none" : text; }

class LineList {
 public:
  void add(std::string kind, std::string value) {
    lines.push_back({std::move(kind), "", std::move(value)});
  }
  void add(std::string kind, std::string item, std::string_view value) {
    lines.push_back({std::move(kind), std::move(item), std::string(value)});
  }
  std::vector<PolicyLine> lines;
};

void add_filesystem(const Filesystem& filesystem, LineList& out) {
  out.add("filesystem.workspace", std::string(name_of(filesystem.workspace)));
  out.add("filesystem.home", std::string(name_of(filesystem.home)));
  for (const PathGrant& grant : filesystem.grants)
    out.add("filesystem.paths", grant.path, name_of(grant.access));
  for (const ProtectedName& name : filesystem.protected_names)
    out.add("filesystem.protected", name.pattern, name_of(name.protection));
  out.add("filesystem.caches", or_none(join(filesystem.caches, " ")));
}

void add_network(const Network& network, LineList& out) {
  out.add("network.loopback", network.loopback ? "true" : "false");
  if (network.hosts.empty()) out.add("network.hosts", "off");
  for (const HostRule& rule : network.hosts) out.add("network.hosts", rule.id, to_line(rule));
  for (const HostRule& rule : network.restrict) out.add("network.restrict", rule.id, to_line(rule));
  out.add("network.private_ranges", or_none(join(network.private_ranges, " ")));
  out.add("network.host_loopback_ports", or_none(join(words_of(network.host_loopback_ports), " ")));
  out.add("network.unix_sockets", or_none(join(network.unix_sockets, " ")));
}

void add_limits(const Limits& limits, LineList& out) {
  out.add("limits.memory", format_size(limits.memory_bytes));
  out.add("limits.pids", std::to_string(limits.pids));
  out.add("limits.cpu_percent",
          limits.cpu_percent == 0 ? "no limit" : std::to_string(limits.cpu_percent));
  out.add("limits.fds", std::to_string(limits.fds));
  out.add("limits.disk", format_size(limits.disk_bytes));
  out.add("limits.tmp", format_size(limits.tmp_bytes));
  out.add("limits.output", format_size(limits.output_bytes));
  out.add("limits.time", format_duration(limits.time));
}

std::vector<std::string> ids_in_order(const std::vector<PolicyLine>& lines, std::string_view kind,
                                      const std::map<std::string, std::string>& others) {
  std::vector<std::string> ids;
  for (const PolicyLine& line : lines)
    if (line.kind == kind && !line.item.empty() && others.contains(line.key()))
      ids.push_back(line.item);
  return ids;
}

std::map<std::string, std::string> by_key(const std::vector<PolicyLine>& lines) {
  std::map<std::string, std::string> out;
  for (const PolicyLine& line : lines) out.emplace(line.key(), line.value);
  return out;
}

enum class Order : std::uint8_t { rising, falling };

// Stable, for members that are enumerations of at most three values. (libstdc++ 12's own stable
// sort uses what it deprecates.)
template <class T, class Enum>
void sort_by_value(std::vector<T>& list, Enum T::* member, Order order) {
  std::vector<T> sorted;
  for (const int step : {0, 1, 2})
    for (const T& element : list)
      if (static_cast<int>(element.*member) == (order == Order::rising ? step : 2 - step))
        sorted.push_back(element);
  list = std::move(sorted);
}

}  // namespace

std::string join(const std::vector<std::string>& words, std::string_view between) {
  std::string out;
  for (const std::string& word : words) {
    if (&word != &words.front()) out += between;
    out += word;
  }
  return out;
}

std::string to_line(const ExecRule& rule) {
  return std::string(name_of(rule.verdict)) + " " + join(rule.patterns, ", ") +
         (rule.reason.empty() ? "" : " (" + rule.reason + ")");
}

std::string to_line(const HostRule& rule) {
  std::vector<std::string> phases;
  phases.reserve(rule.phases.size());
  for (const Phase phase : rule.phases) phases.emplace_back(name_of(phase));
  return std::string(name_of(rule.verdict)) + " " + rule.host + " port " +
         join(words_of(rule.ports), " ") + " in " + join(phases, " ");
}

std::vector<PolicyLine> policy_lines(const Policy& policy) {
  LineList out;
  out.add("name", policy.name);
  add_filesystem(policy.filesystem, out);
  out.add("exec.otherwise", std::string(name_of(policy.exec.otherwise)));
  for (const ExecRule& rule : policy.exec.rules) out.add("exec.rules", rule.id, to_line(rule));
  for (const ExecRule& rule : policy.exec.restrict)
    out.add("exec.restrict", rule.id, to_line(rule));
  add_network(policy.network, out);
  for (const std::string& name : policy.env.pass) out.add("env.pass", name, "passed");
  for (const EnvironmentVariable& variable : policy.env.set)
    out.add("env.set", variable.name, variable.value);
  for (const Secret& secret : policy.secrets) out.add("secrets", secret.name, name_of(secret.use));
  add_limits(policy.limits, out);
  out.add("approvals.mode", std::string(name_of(policy.approvals.mode)));
  out.add("approvals.never_ask", or_none(join(policy.approvals.never_ask, " ")));
  out.add("syscalls", std::string(name_of(policy.syscalls)));
  for (std::size_t i = 0; i < policy.require.size() && i < kGuarantees; ++i)
    out.add("require." + std::string(kGuaranteeNames[i]), std::string(name_of(policy.require[i])));
  return std::move(out.lines);
}

std::vector<PolicyChange> policy_diff(const Policy& before, const Policy& after) {
  const std::vector<PolicyLine> old_lines = policy_lines(before);
  const std::vector<PolicyLine> new_lines = policy_lines(after);
  const auto old_values = by_key(old_lines);
  const auto new_values = by_key(new_lines);
  std::vector<PolicyChange> changes;
  for (const PolicyLine& line : old_lines) {
    const auto found = new_values.find(line.key());
    const std::string value = found == new_values.end() ? "" : found->second;
    if (value != line.value || found == new_values.end())
      changes.push_back({line.key(), line.value, value});
  }
  for (const PolicyLine& line : new_lines)
    if (!old_values.contains(line.key())) changes.push_back({line.key(), "", line.value});
  for (const char* kind : {"exec.rules", "network.hosts"}) {
    const auto old_ids = ids_in_order(old_lines, kind, new_values);
    const auto new_ids = ids_in_order(new_lines, kind, old_values);
    if (old_ids != new_ids)
      changes.push_back({kind, "order " + join(old_ids, " "), "order " + join(new_ids, " ")});
  }
  return changes;
}

void make_canonical(Policy& policy) {
  sort_by_value(policy.filesystem.grants, &PathGrant::access, Order::rising);
  sort_by_value(policy.filesystem.protected_names, &ProtectedName::protection, Order::rising);
  // Denials first: so the first restriction that matches is the strictest that does.
  sort_by_value(policy.exec.restrict, &ExecRule::verdict, Order::falling);
  sort_by_value(policy.network.restrict, &HostRule::verdict, Order::falling);
}

}  // namespace fathom::policies
