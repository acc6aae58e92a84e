#include "sandbox/escalation.hpp"

#include "policies/decide.hpp"
#include "policies/grant_path.hpp"
#include "runtime/base/text.hpp"
#include "sandbox/zygote/wire.hpp"

#include <algorithm>
#include <array>
#include <optional>

namespace fathom::sandbox {
namespace {

using policies::Access;
using policies::Policy;
using policies::PolicyPatch;

constexpr std::string_view kAllowedAlready = "it allows nothing that is not allowed already";

std::unexpected<Error> refuse(std::string why) { return fail(ErrorCode::usage, std::move(why)); }

// How many things of each kind a document states.
struct Stated {
  std::size_t paths = 0;
  std::size_t hosts = 0;
  std::size_t caches = 0;
  std::size_t limits = 0;
  std::size_t secrets = 0;

  [[nodiscard]] std::size_t all() const { return paths + hosts + caches + limits + secrets; }
};

Stated count_stated(const PolicyPatch& patch) {
  Stated stated;
  stated.paths = patch.grants.size();
  stated.hosts = patch.hosts.size();
  stated.caches = patch.caches ? patch.caches->value.size() : 0;
  stated.secrets = patch.secrets.size();
  for (const bool limit :
       {patch.memory_bytes.has_value(), patch.pids.has_value(), patch.cpu_percent.has_value(),
        patch.fds.has_value(), patch.disk_bytes.has_value(), patch.tmp_bytes.has_value(),
        patch.output_bytes.has_value(), patch.time.has_value()})
    stated.limits += limit ? 1 : 0;
  return stated;
}

// Why the document has something that nobody can be asked for; empty when it has not.
std::string_view forbidden(const PolicyPatch& patch) {
  for (const auto& required : patch.require)
    if (required) return "require is never lowered for a command";
  if (!patch.protected_names.empty()) return "protected names stay protected";
  if (patch.workspace || patch.home) return "name the path in place of the whole folder";
  if (patch.otherwise || !patch.exec_rules.empty() || !patch.exec_restrict.empty())
    return "rules about commands are no grant";
  if (patch.syscalls) return "the table of system calls is the policy's alone";
  if (patch.approval_mode || patch.never_ask) return "approvals cannot be asked for";
  if (!patch.pass.empty() || !patch.drop.empty() || !patch.set.empty())
    return "variables are given with the command, secrets by secrets: {use: per_call}";
  if (patch.loopback || patch.network_off || !patch.host_restrict.empty() || patch.private_ranges ||
      patch.host_loopback_ports || patch.unix_sockets)
    return "of the network only hosts can be asked for";
  return "";
}

// Applies one document to the policy.
class Widener {
 public:
  struct Place {
    const policies::LoadContext& context;
    const LookAtPath& look;
  };
  Widener(Escalation& escalation, Place place, std::string id)
      : escalation_(escalation), policy_(escalation.widened), place_(place), id_(std::move(id)) {}

  Result<> apply(const PolicyPatch& patch) {
    if (const std::string_view why = forbidden(patch); !why.empty())
      return refuse(std::string(why));
    const Stated stated = count_stated(patch);
    if (stated.all() != 1)
      return refuse("states " + std::to_string(stated.all()) +
                    " things: one line is for exactly one path, host, cache, limit or secret");
    if (stated.paths == 1) return path(patch.grants.front().value);
    if (stated.hosts == 1) return host(patch.hosts.front().value);
    if (stated.caches == 1) return cache(patch.caches->value.front());
    if (stated.secrets == 1) return secret(patch.secrets.front().value);
    return limit(patch);
  }

 private:
  Result<> path(const policies::PathGrant& grant) {
    if (grant.access == Access::hidden) return refuse("hides a path: that needs no approval");
    if (policies::is_own(grant.path, place_.context))
      return refuse("it is one of Fathom's own files");
    if (const std::string why = policies::wide_reason(grant.path, place_.context); !why.empty())
      return refuse("the path " + why + ": name what is needed in it");
    if (const HostPath at = place_.look(grant.path); at.path != grant.path)
      return refuse("the path leads to " + to_printable(at.path) + ": ask for that");
    const bool writes = grant.access == Access::write;
    const auto request = writes ? policies::Request(policies::request::WritePath{grant.path})
                                : policies::Request(policies::request::ReadPath{grant.path});
    if (is_allowed(request)) return refuse(std::string(kAllowedAlready));
    std::vector<policies::PathGrant>& grants = policy_.filesystem.grants;
    std::erase_if(grants, [&](const auto& known) { return known.path == grant.path; });
    grants.push_back({grant.path, grant.access, id_});
    escalation_.kinds.push_back(writes ? Widening::fs_write : Widening::fs_read);
    // git's own files and protected names are denied whatever is granted around them.
    return check(request);
  }

  Result<> host(policies::HostRule rule) {
    if (rule.verdict != policies::Verdict::allow) return refuse("allows no host");
    if (rule.host.starts_with("*")) return refuse("'*' stands for many hosts: name one");
    rule.id = id_;
    std::vector<policies::Request> requests;
    for (const std::uint16_t port : rule.ports)
      for (const policies::Phase phase : rule.phases)
        requests.emplace_back(policies::request::Connect{rule.host, port, phase});
    if (std::ranges::all_of(requests, [&](const auto& request) { return is_allowed(request); }))
      return refuse(std::string(kAllowedAlready));
    policy_.network.hosts.insert(policy_.network.hosts.begin(), std::move(rule));
    for (const policies::Request& request : requests) TRY(check(request));
    escalation_.kinds.push_back(Widening::network);
    return {};
  }

  Result<> cache(const std::string& name) {
    std::vector<std::string>& caches = policy_.filesystem.caches;
    if (std::ranges::find(caches, name) == caches.end()) caches.push_back(name);
    escalation_.kinds.push_back(Widening::cache);
    return {};
  }

  Result<> secret(const policies::Secret& secret) {
    if (secret.use != policies::SecretUse::per_call) return refuse("gives no secret");
    const auto known = std::ranges::find(policy_.secrets, secret.name, &policies::Secret::name);
    if (known != policy_.secrets.end())
      known->use = secret.use;
    else
      policy_.secrets.push_back(secret);
    escalation_.secrets.push_back(secret.name);
    escalation_.kinds.push_back(Widening::secret);
    return {};
  }

  Result<> limit(const PolicyPatch& patch) {
    policies::Limits& limits = policy_.limits;
    TRY(raise(patch.memory_bytes, limits.memory_bytes));
    TRY(raise(patch.pids, limits.pids));
    TRY(raise(patch.fds, limits.fds));
    TRY(raise(patch.disk_bytes, limits.disk_bytes));
    TRY(raise(patch.tmp_bytes, limits.tmp_bytes));
    TRY(raise(patch.output_bytes, limits.output_bytes));
    TRY(raise(patch.time, limits.time));
    if (patch.cpu_percent) {  // 0 is no limit
      const std::uint32_t wanted = patch.cpu_percent->value;
      if (limits.cpu_percent == 0 || (wanted != 0 && wanted <= limits.cpu_percent))
        return refuse("the limit is not higher than the policy's");
      limits.cpu_percent = wanted;
    }
    escalation_.kinds.push_back(Widening::limit);
    return {};
  }

  template <class T>
  static Result<> raise(const PolicyPatch::Maybe<T>& wanted, T& limit) {
    if (!wanted) return {};
    if (wanted->value <= limit) return refuse("the limit is not higher than the policy's");
    limit = wanted->value;
    return {};
  }

  [[nodiscard]] bool is_allowed(const policies::Request& request) const {
    return policies::decide(policy_, request).verdict == policies::Verdict::allow;
  }

  // A restriction of the project, or a protected name, can still stand in the way.
  [[nodiscard]] Result<> check(const policies::Request& request) const {
    const policies::Decision decision = policies::decide(policy_, request);
    if (decision.verdict == policies::Verdict::allow) return {};
    return refuse("would still not be allowed: " + decision.reason + " (rule " + decision.rule +
                  ")");
  }

  Escalation& escalation_;
  Policy& policy_;
  Place place_;
  std::string id_;
};

// Every part with its length in front, so that no two requests have the same bytes.
class Binding {
 public:
  void add(std::string_view part) {
    bytes_ += std::to_string(part.size()) + ":";
    bytes_ += part;
  }
  void add(std::size_t count) { add(std::to_string(count)); }
  [[nodiscard]] std::string digest() const { return policies::sha256_hex(bytes_); }

 private:
  std::string bytes_ = "fathom-escalation-1";
};

std::string binding_of(const Policy& policy, const EscalationRequest& request,
                       const std::string& diff) {
  Binding binding;
  binding.add(request.argv.size());
  for (const std::string& word : request.argv) binding.add(word);
  binding.add(request.working_dir);
  binding.add(request.environment.size());
  for (const policies::EnvironmentVariable& variable : request.environment) {
    binding.add(variable.name);
    binding.add(variable.value);
  }
  binding.add(static_cast<std::size_t>(request.mode));
  binding.add(policies::policy_hash(policy));
  binding.add(diff);
  return binding.digest();
}

Result<PolicyPatch> parse_grant(const std::string& line, const policies::LoadContext& context) {
  if (line.size() > kEscalationGrantBytesMax)
    return refuse("has more than " + std::to_string(kEscalationGrantBytesMax) + " bytes");
  if (line.find_first_of("\n\r") != std::string::npos) return refuse("is more than one line");
  return policies::load_policy_patch(
      "apiVersion: fathom/v1\nkind: Policy\nname: grant\n" + line + "\n", "grant", context);
}

Result<> check_request(const EscalationRequest& request) {
  if (request.argv.empty()) return refuse("escalation: no command: it is for one command");
  if (request.argv.size() > wire::kArgumentsMax)
    return fail(ErrorCode::too_large,
                "escalation: more than " + std::to_string(wire::kArgumentsMax) + " arguments");
  if (request.grants.empty()) return refuse("escalation: no grant: name what is missing");
  if (request.grants.size() > kEscalationGrantsMax)
    return fail(ErrorCode::too_large, "escalation: more than " +
                                          std::to_string(kEscalationGrantsMax) +
                                          " grants: ask for what one command needs");
  if (request.reason.size() > kEscalationReasonBytesMax)
    return fail(ErrorCode::too_large, "escalation: the reason has more than " +
                                          std::to_string(kEscalationReasonBytesMax) + " bytes");
  return {};
}

// What approvals.never_ask calls it; empty where it has no word for it.
std::string_view asked_as(Widening widening) {
  switch (widening) {
    case Widening::network:
      return "network";
    case Widening::fs_read:
    case Widening::cache:  // shows a folder of the host
      return "fs_read";
    case Widening::fs_write:
      return "fs_write";
    case Widening::secret:
      return "secret";
    case Widening::limit:
      return "";
  }
  return "";
}

}  // namespace

std::string Escalation::diff() const {
  std::string text;
  for (const policies::PolicyChange& change : changes) {
    const std::string key = to_printable(change.key) + ": ";
    if (!change.before.empty()) text += "- " + key + to_printable(change.before) + "\n";
    if (!change.after.empty()) text += "+ " + key + to_printable(change.after) + "\n";
  }
  return text;
}

Result<Escalation> plan_escalation(const Policy& policy, const EscalationRequest& request,
                                   const policies::LoadContext& context, const LookAtPath& look) {
  TRY(check_request(request));
  Escalation escalation;
  escalation.widened = policy;
  escalation.reason = request.reason;
  for (std::size_t i = 0; i < request.grants.size(); ++i) {
    const std::string what = "grant " + std::to_string(i + 1) + ": '" +
                             to_printable(clip_middle(request.grants[i], 200)) + "'";
    auto patch = parse_grant(request.grants[i], context);
    if (!patch) return fail(fathom::context(what, std::move(patch).error()));
    const Policy before = escalation.widened;
    Widener widener(escalation, {context, look}, "grant-" + std::to_string(i + 1));
    if (Result<> applied = widener.apply(*patch); !applied)
      return fail(fathom::context(what, std::move(applied).error()));
    if (policies::policy_diff(before, escalation.widened).empty())
      return fail(ErrorCode::usage, what + ": " + std::string(kAllowedAlready));
  }
  policies::make_canonical(escalation.widened);
  escalation.changes = policies::policy_diff(policy, escalation.widened);
  escalation.binding = binding_of(policy, request, escalation.diff());
  return escalation;
}

Result<Approval> ApprovalLedger::ask(const Escalation& escalation, const Policy& policy) {
  if (policy.approvals.mode == policies::ApprovalMode::never) return Approval::denied;
  const auto& never = policy.approvals.never_ask;
  for (const Widening kind : escalation.kinds)
    if (std::ranges::find(never, asked_as(kind)) != never.end()) return Approval::denied;
  const auto known = entries_.find(escalation.binding);
  if (known != entries_.end()) return known->second;
  if (entries_.size() >= kLedgerEntriesMax)
    return fail(ErrorCode::too_large, "escalation: this session has asked for more than " +
                                          std::to_string(kLedgerEntriesMax) + " grants");
  entries_.emplace(escalation.binding, Approval::pending);
  return Approval::pending;
}

Result<> ApprovalLedger::approve(std::string_view binding, Decider decider) {
  if (decider == Decider::automatic)
    return fail(ErrorCode::permission, "escalation: only a person can widen the policy");
  const auto entry = entries_.find(binding);
  if (entry == entries_.end())
    return fail(ErrorCode::not_found, "escalation: nobody has asked for this: ask first");
  if (entry->second != Approval::pending)
    return fail(ErrorCode::permission,
                "escalation: it is already " + std::string(name_of(entry->second)));
  entry->second = Approval::approved;
  return {};
}

Result<> ApprovalLedger::reject(std::string_view binding) {
  const auto entry = entries_.find(binding);
  if (entry == entries_.end())
    return fail(ErrorCode::not_found, "escalation: nobody has asked for this: ask first");
  entry->second = Approval::rejected;
  return {};
}

bool ApprovalLedger::take(std::string_view binding) {
  const auto entry = entries_.find(binding);
  if (entry == entries_.end() || entry->second != Approval::approved) return false;
  entries_.erase(entry);
  return true;
}

std::string_view name_of(Widening widening) {
  constexpr std::array<std::string_view, 6> kNames = {"network", "fs_read", "fs_write",
                                                      "cache",   "limit",   "secret"};
  return kNames.at(static_cast<std::size_t>(widening));
}

std::string_view name_of(Approval approval) {
  constexpr std::array<std::string_view, 4> kNames = {"pending", "approved", "rejected", "denied"};
  return kNames.at(static_cast<std::size_t>(approval));
}

}  // namespace fathom::sandbox
