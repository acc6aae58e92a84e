#include "policies/decide.hpp"

#include "policies/address_class.hpp"
#include "policies/decide_exec.hpp"
#include "policies/host_pattern.hpp"
#include "policies/path_rules.hpp"
#include "policies/yaml_document.hpp"
#include "runtime/base/ensure.hpp"
#include "runtime/base/text.hpp"

#include <algorithm>
#include <array>
#include <optional>

namespace fathom::policies {
namespace {

constexpr std::size_t kShownMax = 200;

std::string shown(std::string_view text) {
  return "'" + to_printable(clip_middle(text, kShownMax)) + "'";
}

Decision allowed(std::string rule, std::string reason = "") {
  return {Verdict::allow, std::move(rule), std::move(reason), ""};
}

Decision denied(std::string rule, std::string reason, std::string grant = "") {
  return {Verdict::deny, std::move(rule), std::move(reason), std::move(grant)};
}

// --- paths ---

// Other spellings of paths, which no rule about the path sees: /proc/self/root/etc, /dev/fd/3.
bool is_alias(std::string_view path) {
  if (path.starts_with("/dev/fd/")) return true;
  if (!path.starts_with("/proc/")) return false;
  for (const std::string_view name : {"/root", "/cwd", "/fd", "/map_files", "/exe"})
    for (std::size_t at = path.find(name); at != std::string_view::npos;
         at = path.find(name, at + 1)) {
      const std::size_t end = at + name.size();
      if (end == path.size() || path[end] == '/') return true;
    }
  return false;
}

constexpr std::array<std::string_view, 6> kDevices = {"/dev/null", "/dev/zero",   "/dev/full",
                                                      "/dev/tty",  "/dev/random", "/dev/urandom"};

// What no policy decides: paths that say nothing, and devices. Nothing when the policy does.
std::optional<Decision> fixed_path_rule(std::string_view path) {
  if (!is_normal_path(path))
    return denied("filesystem.path", "the path must be absolute and without '.', '..' and '//'");
  if (is_alias(path))
    return denied("filesystem.alias", shown(path) + " is another spelling of a path: name it");
  if (std::ranges::find(kDevices, path) != kDevices.end()) return allowed("filesystem.devices");
  if (is_at_or_below(path, "/dev"))
    return denied("filesystem.devices", shown(path) + " is a device that commands do not have");
  return std::nullopt;
}

std::string path_grant(std::string_view access, std::string_view path) {
  if (find_invalid_utf8(path) != std::string_view::npos) return "";
  return "filesystem: {" + std::string(access) + ": [" + yaml_quoted(path) + "]}";
}

Decision decide_read(const Filesystem& filesystem, const std::string& path) {
  if (auto fixed = fixed_path_rule(path)) return *std::move(fixed);
  const PathGrant grant = grant_for(filesystem, path);
  if (grant.access != Access::hidden) return allowed(grant.rule);
  return denied(grant.rule, shown(path) + " is hidden by " + shown(grant.path),
                path_grant("read", path));
}

bool is_git_internal(std::string_view relative) { return matches_protected(".git/", relative); }

std::string_view below(std::string_view path, std::string_view folder) {
  if (folder == "/") return path.substr(1);
  return path.substr(std::min(folder.size() + 1, path.size()));
}

// A folder that may be written may be another repository: names that run later are kept there too.
Decision decide_granted_write(const Filesystem& filesystem, const std::string& path,
                              const PathGrant& grant) {
  const bool in_workspace =
      !filesystem.workspace_root.empty() && is_at_or_below(path, filesystem.workspace_root);
  const std::string_view relative =
      below(path, in_workspace ? filesystem.workspace_root : grant.path);
  if (is_git_internal(relative))
    return denied("filesystem.git", shown(path) + " is git's own: run git to change it");
  const ProtectedName* name = protected_name_for(filesystem, relative);
  if (name == nullptr) return allowed(grant.rule);
  if (name->protection == Protection::report)
    return allowed(name->rule, shown(path) + " will be run later by programs outside the sandbox");
  return denied(name->rule,
                shown(path) + " is started by itself outside the sandbox (protected name " +
                    shown(name->pattern) + ")",
                "filesystem: {protected: {report: [" + yaml_quoted(name->pattern) + "]}}");
}

Decision decide_write(const Filesystem& filesystem, const std::string& path) {
  if (auto fixed = fixed_path_rule(path)) return *std::move(fixed);
  const PathGrant grant = grant_for(filesystem, path);
  if (grant.access == Access::write) return decide_granted_write(filesystem, path, grant);
  const std::string why = grant.access == Access::hidden ? "is hidden by " + shown(grant.path)
                          : grant.path.empty()           ? "is outside of what may be written"
                                                         : "may only be read";
  return denied(grant.rule, shown(path) + " " + why, path_grant("write", path));
}

// Where the workspace may be written, the sandbox opens a git directory that belongs to it as well,
// in a home that is otherwise hidden too (WorkspaceGuard, root_view.cpp). What the policy says of a
// path in it by name holds there too; here it holds for the whole, as the git tool cannot leave a
// part out. Where the workspace may only be read, so may its git directory: without it the git tool
// had nothing to say of a linked worktree.
Decision decide_git(const Filesystem& filesystem, const request::UseGit& use) {
  if (auto fixed = fixed_path_rule(use.path)) return *std::move(fixed);
  const Access wanted = use.writes ? Access::write : Access::read;
  const std::string_view access = use.writes ? "write" : "read";
  for (const PathGrant& grant : filesystem.grants)
    if (is_at_or_below(grant.path, use.path) && grant.access < wanted)
      return denied(grant.rule,
                    "the workspace's git directory " + shown(use.path) +
                        (grant.access == Access::hidden ? " is or holds what is hidden: "
                                                        : " is or holds what may only be read: ") +
                        shown(grant.path),
                    path_grant(access, grant.path));
  if (filesystem.workspace >= wanted) return allowed("filesystem.workspace");
  return denied("filesystem.workspace",
                "the workspace may only be read, and so may its git "
                "directory " +
                    shown(use.path),
                "filesystem: {workspace: write}");
}

// --- network ---

std::string host_grant(const Host& host, std::uint16_t port) {
  return "network: {hosts: [{host: " + yaml_quoted(host.to_string()) + ", ports: [" +
         std::to_string(port) + "]}]}";
}

// Classes that no rule about a host can allow.
bool is_never_dialled(AddressClass address_class) {
  return address_class != AddressClass::public_address &&
         address_class != AddressClass::private_range && address_class != AddressClass::reserved;
}

Decision decide_loopback(const Network& network, std::uint16_t port) {
  if (network.loopback) return allowed("network.loopback");
  if (std::ranges::find(network.host_loopback_ports, port) != network.host_loopback_ports.end())
    return allowed("network.host_loopback_ports");
  return denied("network.loopback", "loopback is off", "network: {loopback: true}");
}

bool holds(const HostRule& rule, const Host& host) {
  const auto pattern = HostPattern::parse(rule.host);
  ENSURE(pattern, "the loader checked the pattern of every host rule");
  return pattern->matches(host);
}

struct HostRuling {
  const HostRule* rule = nullptr;
  const HostRule* near = nullptr;  ///< about the host, but another port or phase
};

HostRuling first_match(const std::vector<HostRule>& rules, const Host& host,
                       const request::Connect& connect) {
  HostRuling ruling;
  for (const HostRule& rule : rules) {
    if (!holds(rule, host)) continue;
    const bool port = std::ranges::find(rule.ports, connect.port) != rule.ports.end();
    const bool phase = std::ranges::find(rule.phases, connect.phase) != rule.phases.end();
    if (port && phase) {
      ruling.rule = &rule;
      return ruling;
    }
    if (rule.verdict != Verdict::deny) ruling.near = &rule;
  }
  return ruling;
}

Decision no_host_rule(const Network& network, const HostRuling& ruling, const Host& host,
                      const request::Connect& connect) {
  const std::string name = shown(host.to_string());
  const std::string port = std::to_string(connect.port);
  if (network.hosts.empty())
    return denied("network.hosts", "the network is off: " + name + " cannot be reached",
                  host_grant(host, connect.port));
  if (ruling.near != nullptr)
    return denied(ruling.near->id,
                  name + " may not be reached on port " + port + " in phase " +
                      std::string(name_of(connect.phase)),
                  host_grant(host, connect.port));
  return denied("network.hosts", "no rule allows " + name + " on port " + port,
                host_grant(host, connect.port));
}

Decision decide_connect(const Network& network, const request::Connect& connect) {
  const auto host = Host::parse(connect.host);
  if (!host) return denied("network.host", "the host " + host.error().message);
  if (connect.port == 0) return denied("network.port", "there is no port 0");
  const AddressClass address_class =
      host->address ? class_of(*host->address) : AddressClass::public_address;
  if (host->is_localhost() || address_class == AddressClass::loopback)
    return decide_loopback(network, connect.port);
  if (is_never_dialled(address_class))
    return denied("network.address_class", shown(connect.host) + " is never reachable (" +
                                               std::string(name_of(address_class)) + ")");
  const HostRuling ruling = first_match(network.hosts, *host, connect);
  if (ruling.rule == nullptr) return no_host_rule(network, ruling, *host, connect);
  const HostRule* rule = ruling.rule;
  const HostRule* restriction = first_match(network.restrict, *host, connect).rule;
  if (restriction != nullptr && restriction->verdict > rule->verdict) rule = restriction;
  if (rule->verdict == Verdict::allow) return allowed(rule->id);
  return {rule->verdict, rule->id,
          shown(host->to_string()) +
              (rule->verdict == Verdict::ask ? " needs an approval" : " is denied by the policy"),
          host_grant(*host, connect.port)};
}

// --- secrets ---

Decision decide_secret(const std::vector<Secret>& secrets, const std::string& name) {
  const auto found = std::ranges::find(secrets, name, &Secret::name);
  const std::string grant =
      "secrets: [{name: " + yaml_quoted(to_valid_utf8(name)) + ", use: per_call}]";
  if (found == secrets.end())
    return denied("secrets", shown(name) + " is not declared under secrets", grant);
  const std::string rule = "secrets." + found->name;
  if (found->use == SecretUse::never) return denied(rule, shown(name) + " is never given", grant);
  return {Verdict::ask, rule, shown(name) + " is given one call at a time, after an approval", ""};
}

std::string_view escalation_of(const Request& request) {
  struct Name {
    std::string_view operator()(const request::Exec&) const { return "exec"; }
    std::string_view operator()(const request::ReadPath&) const { return "fs_read"; }
    std::string_view operator()(const request::WritePath&) const { return "fs_write"; }
    std::string_view operator()(const request::UseGit& use) const {
      return use.writes ? "fs_write" : "fs_read";
    }
    std::string_view operator()(const request::Connect&) const { return "network"; }
    std::string_view operator()(const request::UseSecret&) const { return "secret"; }
  };
  return std::visit(Name{}, request);
}

}  // namespace

Decision decide(const Policy& policy, const Request& request) {
  struct Decider {
    const Policy& policy;
    Decision operator()(const request::Exec& exec) const { return decide_exec(policy.exec, exec); }
    Decision operator()(const request::ReadPath& read) const {
      return decide_read(policy.filesystem, read.path);
    }
    Decision operator()(const request::WritePath& write) const {
      return decide_write(policy.filesystem, write.path);
    }
    Decision operator()(const request::UseGit& use) const {
      return decide_git(policy.filesystem, use);
    }
    Decision operator()(const request::Connect& connect) const {
      return decide_connect(policy.network, connect);
    }
    Decision operator()(const request::UseSecret& secret) const {
      return decide_secret(policy.secrets, secret.name);
    }
  };
  Decision decision = std::visit(Decider{policy}, request);
  if (decision.verdict != Verdict::ask) return decision;
  const auto& never = policy.approvals.never_ask;
  const bool nobody = policy.approvals.mode == ApprovalMode::never;
  if (!nobody && std::ranges::find(never, escalation_of(request)) == never.end()) return decision;
  decision.verdict = Verdict::deny;
  decision.reason += nobody ? " (nobody is there to approve: approvals.mode is never)"
                            : " (approvals.never_ask has it)";
  return decision;
}

Decision decide_resolved(const Policy& policy, std::string_view host, std::string_view address) {
  const auto parsed = Address::parse(address);
  if (!parsed) return denied("network.address", shown(address) + " is no address");
  const AddressClass address_class = class_of(*parsed);
  if (address_class == AddressClass::public_address) return allowed("network.address_class");
  const auto literal = Host::parse(host);
  const std::string reason = shown(host) + " is at " + parsed->to_string() + " (" +
                             std::string(name_of(address_class)) + ")";
  if (is_never_dialled(address_class)) return denied("network.address_class", reason);
  // Who wrote the address into a rule meant it.
  if (literal && literal->address && *literal->address == parsed->unmapped())
    return allowed("network.hosts");
  for (const std::string& text : policy.network.private_ranges) {
    const auto range = AddressRange::parse(text);
    ENSURE(range, "the loader checked every range");
    if (range->contains(*parsed)) return allowed("network.private_ranges");
  }
  return denied(
      "network.address_class", reason,
      "network: {private_ranges: [" + yaml_quoted(parsed->unwrapped().to_string()) + "]}");
}

}  // namespace fathom::policies
