#include "policies/policy_layers.hpp"

#include "policies/path_rules.hpp"
#include "policies/policy_text.hpp"
#include "policies/quantity.hpp"

#include <algorithm>
#include <array>
#include <functional>

namespace fathom::policies {
namespace {

constexpr std::string_view kWidens = "widens what the layers below allow";

template <class List, class Key, class Projection>
void erase_by(List& list, const Key& key, Projection projection) {
  std::erase_if(list, [&](const auto& element) { return std::invoke(projection, element) == key; });
}

template <class List, class Key, class Projection>
bool has(const List& list, const Key& key, Projection projection) {
  return std::ranges::find(list, key, projection) != std::ranges::end(list);
}

std::string text_of(bool value) { return value ? "true" : "false"; }
std::string text_of(std::uint32_t value) { return std::to_string(value); }
std::string text_of(std::uint64_t value) { return format_size(value); }
std::string text_of(std::uint16_t value) { return std::to_string(value); }
std::string text_of(const std::string& value) { return value; }
std::string text_of(std::chrono::milliseconds value) { return format_duration(value); }
template <class Enum>
  requires std::is_enum_v<Enum>
std::string text_of(Enum value) {
  return std::string(name_of(value));
}

// The smaller number is the narrower policy.
int width(SyscallProfile profile) {
  constexpr std::array<int, 3> kWidths = {1, 2, 0};  // build, debug, strict
  return kWidths[static_cast<std::size_t>(profile)];
}
int width(ApprovalMode mode) { return mode == ApprovalMode::ask ? 1 : 0; }
int width(Verdict verdict) { return -static_cast<int>(verdict); }
int width(Access access) { return static_cast<int>(access); }
int width(Strength strength) { return -static_cast<int>(strength); }
int width(bool allowed) { return allowed ? 1 : 0; }
std::uint64_t width(std::uint64_t bytes) { return bytes; }
std::uint64_t width(std::uint32_t count) { return count; }
std::int64_t width(std::chrono::milliseconds time) { return time.count(); }

}  // namespace

std::string_view name_of(Layer layer) {
  constexpr std::array<std::string_view, 4> kNames = {"built-in", "user", "project",
                                                      "command-line"};
  return kNames[static_cast<std::size_t>(layer)];
}

std::string to_string(const Origin& origin) {
  std::string name(name_of(origin.layer));
  if (origin.file.empty()) return name;
  if (origin.layer == Layer::built_in) return name + " (" + origin.file + ")";
  return name + " (" + origin.file + ":" + std::to_string(origin.at.line) + ")";
}

// One patch on its way into the policy.
class PolicyMerge::Step {
 public:
  Step(PolicyMerge& merge, const PolicyPatch& patch, Layer layer, Trust trust)
      : merge_(merge),
        out_(merge.out_),
        policy_(merge.out_.policy),
        patch_(patch),
        layer_(layer),
        trust_(trust) {}

  void run() {
    if (wide()) {
      policy_.name = patch_.name;
      note("name", {});
    }
    filesystem();
    exec();
    network();
    environment();
    limits();
    value("approvals.mode", patch_.approval_mode, policy_.approvals.mode);
    never_ask();
    value("syscalls", patch_.syscalls, policy_.syscalls);
    for (std::size_t i = 0; i < kGuarantees; ++i)
      value("require." + std::string(kGuaranteeNames[i]), patch_.require[i], policy_.require[i]);
  }

 private:
  [[nodiscard]] bool wide() const { return trust_ == Trust::full; }
  [[nodiscard]] Origin origin(Place at) const { return {layer_, patch_.file, at}; }
  void note(const std::string& key, Place at) { out_.origins[key] = origin(at); }
  void ignore(std::string key, std::string text, Place at, std::string_view why = kWidens) {
    out_.ignored.push_back({std::move(key), std::move(text), std::string(why), origin(at)});
  }

  template <class T>
  void value(const std::string& key, const std::optional<Stated<T>>& stated, T& into) {
    if (!stated) return;
    if (!wide() && width(stated->value) > width(into))
      return ignore(key, text_of(stated->value), stated->at);
    into = stated->value;
    note(key, stated->at);
  }

  // A list replaces the one below; from a project, only what both have is left.
  template <class T>
  void list(const std::string& key, const std::optional<Stated<std::vector<T>>>& stated,
            std::vector<T>& into) {
    if (!stated) return;
    std::vector<T> kept;
    for (const T& element : stated->value) {
      if (wide() || std::ranges::find(into, element) != into.end()) {
        kept.push_back(element);
      } else {
        ignore(key, text_of(element), stated->at);
      }
    }
    into = std::move(kept);
    note(key, stated->at);
  }

  void filesystem();
  void grants();
  void retract_below(const std::string& path, Access access);
  void protected_names();
  void exec();
  void network();
  void environment();
  void variables();
  void secrets();
  void limits();
  void cpu_limit();
  void never_ask();

  // Rules of a trusted layer stand in front, and replace those of the same id.
  template <class Rule>
  void add_rules(const std::string& kind, const std::vector<Stated<Rule>>& stated,
                 std::vector<Rule>& into) {
    std::vector<Rule> front;
    for (const Stated<Rule>& rule : stated) {
      erase_by(into, rule.value.id, &Rule::id);
      front.push_back(rule.value);
      note(kind + " " + rule.value.id, rule.at);
    }
    into.insert(into.begin(), front.begin(), front.end());
  }

  // Rules of a project become restrictions, behind which those of the user stand unchanged. They
  // replace nothing: an id that is taken gets the layer's name in front.
  template <class Rule>
  void add_restrictions(const std::string& kind, const std::vector<Stated<Rule>>& stated,
                        std::vector<Rule>& into) {
    std::vector<Stated<Rule>> narrowing;
    for (const Stated<Rule>& rule : stated) {
      if (rule.value.verdict == Verdict::allow) {
        ignore(kind + " " + rule.value.id, to_line(rule.value), rule.at,
               "a project's rule cannot allow");
        continue;
      }
      narrowing.push_back(rule);
      while (has(into, narrowing.back().value.id, &Rule::id))
        narrowing.back().value.id.insert(0, std::string(name_of(layer_)) + ":");
    }
    const std::string section = kind.substr(0, kind.find('.'));
    for (const Stated<Rule>& rule : narrowing) {
      into.push_back(rule.value);
      note(section + ".restrict " + rule.value.id, rule.at);
    }
  }

  PolicyMerge& merge_;
  EffectivePolicy& out_;
  Policy& policy_;
  const PolicyPatch& patch_;
  Layer layer_;
  Trust trust_;
};

void PolicyMerge::Step::filesystem() {
  Filesystem& filesystem = policy_.filesystem;
  value("filesystem.workspace", patch_.workspace, filesystem.workspace);
  value("filesystem.home", patch_.home, filesystem.home);
  if (wide() && patch_.workspace) retract_below(filesystem.workspace_root, filesystem.workspace);
  if (wide() && patch_.home) retract_below(filesystem.home_root, filesystem.home);
  grants();
  protected_names();
  list("filesystem.caches", patch_.caches, filesystem.caches);
}

// The longest path decides, so a grant that narrowed what a lower layer said (read below a writable
// folder) would widen what a higher one says later about the folder around it (hidden).
void PolicyMerge::Step::retract_below(const std::string& path, Access access) {
  std::erase_if(policy_.filesystem.grants, [&](const PathGrant& grant) {
    return merge_.narrowed_.contains(grant.path) && grant.access > access &&
           is_at_or_below(grant.path, path);
  });
}

void PolicyMerge::Step::grants() {
  const Filesystem before = policy_.filesystem;
  for (const Stated<PathGrant>& grant : patch_.grants) {
    const std::string& path = grant.value.path;
    const std::string key = "filesystem.paths " + path;
    if (wide()) {
      retract_below(path, grant.value.access);
      merge_.narrowed_.erase(path);
    } else {
      const Access holds = grant_for(before, path).access;
      if (grant.value.access > holds) ignore(key, text_of(grant.value.access), grant.at);
      // What holds already is not stated again: it would outlive the reason why it holds.
      if (grant.value.access >= holds) continue;
      merge_.narrowed_.insert(path);
    }
    erase_by(policy_.filesystem.grants, path, &PathGrant::path);
    policy_.filesystem.grants.push_back(grant.value);
    note(key, grant.at);
  }
}

void PolicyMerge::Step::protected_names() {
  std::vector<ProtectedName>& names = policy_.filesystem.protected_names;
  for (const Stated<ProtectedName>& name : patch_.protected_names) {
    const std::string key = "filesystem.protected " + name.value.pattern;
    const auto found = std::ranges::find(names, name.value.pattern, &ProtectedName::pattern);
    // A new name that is only reported widens nothing: where a denial holds too, it wins.
    if (!wide() && found != names.end() && name.value.protection > found->protection) {
      ignore(key, text_of(name.value.protection), name.at);
      continue;
    }
    erase_by(names, name.value.pattern, &ProtectedName::pattern);
    names.push_back(name.value);
    note(key, name.at);
  }
}

void PolicyMerge::Step::exec() {
  value("exec.otherwise", patch_.otherwise, policy_.exec.otherwise);
  if (wide()) {
    add_rules("exec.rules", patch_.exec_rules, policy_.exec.rules);
    add_rules("exec.restrict", patch_.exec_restrict, policy_.exec.restrict);
  } else {
    add_restrictions("exec.rules", patch_.exec_rules, policy_.exec.restrict);
    add_restrictions("exec.restrict", patch_.exec_restrict, policy_.exec.restrict);
  }
}

void PolicyMerge::Step::network() {
  Network& network = policy_.network;
  value("network.loopback", patch_.loopback, network.loopback);
  if (patch_.network_off) {
    network.hosts.clear();
    note("network.hosts", patch_.network_off->at);
  }
  if (wide()) {
    add_rules("network.hosts", patch_.hosts, network.hosts);
    add_rules("network.restrict", patch_.host_restrict, network.restrict);
  } else {
    add_restrictions("network.hosts", patch_.hosts, network.restrict);
    add_restrictions("network.restrict", patch_.host_restrict, network.restrict);
  }
  list("network.private_ranges", patch_.private_ranges, network.private_ranges);
  list("network.host_loopback_ports", patch_.host_loopback_ports, network.host_loopback_ports);
  list("network.unix_sockets", patch_.unix_sockets, network.unix_sockets);
}

void PolicyMerge::Step::environment() {
  variables();
  secrets();
}

void PolicyMerge::Step::variables() {
  Environment& env = policy_.env;
  for (const Stated<std::string>& name : patch_.drop) std::erase(env.pass, name.value);
  for (const Stated<std::string>& name : patch_.pass) {
    const std::string key = "env.pass " + name.value;
    const bool there = std::ranges::find(env.pass, name.value) != env.pass.end();
    if (there) continue;
    if (!wide()) {
      ignore(key, "passed", name.at);
      continue;
    }
    env.pass.push_back(name.value);
    note(key, name.at);
  }
  for (const Stated<EnvironmentVariable>& variable : patch_.set) {
    const std::string key = "env.set " + variable.value.name;
    if (!wide()) {
      ignore(key, variable.value.value, variable.at, "a project's document sets no variables");
      continue;
    }
    erase_by(env.set, variable.value.name, &EnvironmentVariable::name);
    env.set.push_back(variable.value);
    note(key, variable.at);
  }
}

void PolicyMerge::Step::secrets() {
  for (const Stated<Secret>& secret : patch_.secrets) {
    const std::string key = "secrets " + secret.value.name;
    const auto found = std::ranges::find(policy_.secrets, secret.value.name, &Secret::name);
    const SecretUse before = found == policy_.secrets.end() ? SecretUse::never : found->use;
    if (!wide() && secret.value.use > before) {
      ignore(key, text_of(secret.value.use), secret.at);
      continue;
    }
    erase_by(policy_.secrets, secret.value.name, &Secret::name);
    policy_.secrets.push_back(secret.value);
    note(key, secret.at);
  }
}

void PolicyMerge::Step::limits() {
  Limits& limits = policy_.limits;
  value("limits.memory", patch_.memory_bytes, limits.memory_bytes);
  value("limits.pids", patch_.pids, limits.pids);
  cpu_limit();
  value("limits.fds", patch_.fds, limits.fds);
  value("limits.disk", patch_.disk_bytes, limits.disk_bytes);
  value("limits.tmp", patch_.tmp_bytes, limits.tmp_bytes);
  value("limits.output", patch_.output_bytes, limits.output_bytes);
  value("limits.time", patch_.time, limits.time);
}

// 0 is no limit: the widest, not the narrowest.
void PolicyMerge::Step::cpu_limit() {
  if (!patch_.cpu_percent) return;
  const std::uint32_t stated = patch_.cpu_percent->value;
  const std::uint32_t before = policy_.limits.cpu_percent;
  const bool widens = before != 0 && (stated == 0 || stated > before);
  if (!wide() && widens)
    return ignore("limits.cpu_percent", text_of(stated), patch_.cpu_percent->at);
  policy_.limits.cpu_percent = stated;
  note("limits.cpu_percent", patch_.cpu_percent->at);
}

// The other way round: a longer list is the narrower one.
void PolicyMerge::Step::never_ask() {
  if (!patch_.never_ask) return;
  std::vector<std::string>& kinds = policy_.approvals.never_ask;
  if (wide()) kinds.clear();
  for (const std::string& kind : patch_.never_ask->value)
    if (std::ranges::find(kinds, kind) == kinds.end()) kinds.push_back(kind);
  note("approvals.never_ask", patch_.never_ask->at);
}

PolicyMerge::PolicyMerge(const LoadContext& context) {
  out_.policy.filesystem.workspace_root = context.workspace;
  out_.policy.filesystem.home_root = context.home;
}

void PolicyMerge::add(const PolicyPatch& patch, Layer layer, Trust trust) {
  out_.layers.push_back({layer, patch.file, trust});
  Step(*this, patch, layer, trust).run();
}

EffectivePolicy PolicyMerge::finish() && {
  make_canonical(out_.policy);
  return std::move(out_);
}

}  // namespace fathom::policies
