#include "policies/policy_load.hpp"

#include "policies/address_class.hpp"
#include "policies/environment.hpp"
#include "policies/grant_path.hpp"
#include "policies/policy_layers.hpp"
#include "policies/rule_reader.hpp"
#include "runtime/base/text.hpp"

#include <algorithm>
#include <limits>

namespace fathom::policies {
namespace {

constexpr std::size_t kNameBytesMax = 64;
constexpr std::size_t kListMax = 256;
constexpr std::uint64_t kPortMax = 65535;

// Below these a shell does not start; above them nothing is limited.
constexpr std::uint64_t kMemoryBytesMin = 16ULL << 20;
constexpr std::uint64_t kDiskBytesMin = 1ULL << 20;
constexpr std::uint64_t kOutputBytesMin = 1024;
constexpr std::uint64_t kPidsMax = 4'194'304;  // the kernel's PID_MAX_LIMIT
constexpr std::uint64_t kCpuPercentMax = 409'600;
constexpr std::uint64_t kFdsMin = 16;
constexpr std::uint64_t kFdsMax = 1'048'576;

std::string shown(std::string_view text) {
  constexpr std::size_t kShownMax = 120;
  return "'" + to_printable(clip_middle(text, kShownMax)) + "'";
}

template <class T>
Stated<T> stated(T value, const YamlValue& at) {
  return {std::move(value), at.at()};
}

// Reads one document, section by section, into a patch.
class PatchReader {
 public:
  PatchReader(std::string_view file, const LoadContext& context)
      : context_(context), rules_(context) {
    patch_.file = file;
  }

  Result<PolicyPatch> read(const YamlValue& root);

 private:
  // Calls `read` with each field of a section; unknown keys are refused.
  template <class Read>
  Result<> each(const YamlValue& section, Read read) {
    for (const YamlField& field : TRY(section.fields(keys_of(section.path()))))
      TRY(read(std::string_view(field.key), field.value));
    return {};
  }

  template <class Enum>
  Result<> choose(const YamlValue& value, std::span<const std::string_view> names,
                  std::optional<Stated<Enum>>& into) {
    into = stated(static_cast<Enum>(TRY(value.choice(names))), value);
    return {};
  }
  Result<> choose_all(const YamlValue& list, std::span<const std::string_view> names,
                      std::optional<Stated<std::vector<std::string>>>& into);
  Result<> size(const YamlValue& value, std::uint64_t min,
                std::optional<Stated<std::uint64_t>>& into);
  Result<> number(const YamlValue& value, std::uint64_t min, std::uint64_t max,
                  std::optional<Stated<std::uint32_t>>& into);

  Result<> header(const YamlValue& root);
  Result<> filesystem(const YamlValue& section);
  Result<> protected_names(const YamlValue& section);
  Result<> exec(const YamlValue& section);
  Result<> network(const YamlValue& section);
  Result<> hosts(const YamlValue& list);
  Result<> private_ranges(const YamlValue& list);
  Result<> loopback_ports(const YamlValue& list);
  Result<> unix_sockets(const YamlValue& list);
  Result<> env(const YamlValue& section);
  Result<> variables(const YamlValue& list, std::vector<Stated<std::string>>& into);
  Result<> set_variables(const YamlValue& mapping);
  Result<> secrets(const YamlValue& list);
  Result<> limits(const YamlValue& section);
  Result<> approvals(const YamlValue& section);
  Result<> require(const YamlValue& section);
  Result<> section(std::string_view key, const YamlValue& value);

  const LoadContext& context_;
  RuleReader rules_;
  PolicyPatch patch_;
};

Result<> PatchReader::choose_all(const YamlValue& list, std::span<const std::string_view> names,
                                 std::optional<Stated<std::vector<std::string>>>& into) {
  std::vector<std::string> chosen;
  for (const YamlValue& value : TRY(list.items(names.size()))) {
    chosen.emplace_back(names[TRY(value.choice(names))]);
    if (std::ranges::count(chosen, chosen.back()) > 1)
      return fail(value.error(shown(chosen.back()) + " is there twice (remove one)"));
  }
  into = stated(std::move(chosen), list);
  return {};
}

Result<> PatchReader::size(const YamlValue& value, std::uint64_t min,
                           std::optional<Stated<std::uint64_t>>& into) {
  constexpr std::uint64_t kBytesMax = 1ULL << 50;
  into = stated(TRY(value.size(min, kBytesMax)), value);
  return {};
}

Result<> PatchReader::number(const YamlValue& value, std::uint64_t min, std::uint64_t max,
                             std::optional<Stated<std::uint32_t>>& into) {
  into = stated(static_cast<std::uint32_t>(TRY(value.integer(min, max))), value);
  return {};
}

Result<> PatchReader::header(const YamlValue& root) {
  const YamlValue version = TRY(root.require("apiVersion"));
  if (TRY(version.text()) != "fathom/v1")
    return fail(version.error("this version reads 'fathom/v1'"));
  const YamlValue kind = TRY(root.require("kind"));
  if (TRY(kind.text()) != "Policy")
    return fail(kind.error(shown(TRY(kind.text())) + " is no policy (write 'kind: Policy')"));
  const YamlValue name = TRY(root.require("name"));
  patch_.name = TRY(name.text(kNameBytesMax));
  const bool plain = std::ranges::all_of(patch_.name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
  });
  if (!plain) return fail(name.error("a name has small letters, digits and - _ . only"));
  return {};
}

Result<> PatchReader::filesystem(const YamlValue& section) {
  constexpr std::array<std::string_view, 2> kWorkspace = {"read", "write"};
  constexpr std::array<std::string_view, 2> kHome = {"hidden", "read"};
  return each(section, [&](std::string_view key, const YamlValue& value) -> Result<> {
    if (key == "workspace") {
      const bool write = TRY(value.choice(kWorkspace)) == 1;
      patch_.workspace = stated(write ? Access::write : Access::read, value);
      return {};
    }
    if (key == "home") {
      const bool read = TRY(value.choice(kHome)) == 1;
      patch_.home = stated(read ? Access::read : Access::hidden, value);
      return {};
    }
    if (key == "read") return rules_.read_grants(value, Access::read, patch_.grants);
    if (key == "write") return rules_.read_grants(value, Access::write, patch_.grants);
    if (key == "hidden") return rules_.read_grants(value, Access::hidden, patch_.grants);
    if (key == "protected") return protected_names(value);
    return choose_all(value, kCacheNames, patch_.caches);
  });
}

Result<> PatchReader::protected_names(const YamlValue& section) {
  return each(section, [&](std::string_view key, const YamlValue& value) {
    const Protection protection = key == "deny" ? Protection::deny : Protection::report;
    return rules_.read_protected(value, protection, patch_.protected_names);
  });
}

Result<> PatchReader::exec(const YamlValue& section) {
  return each(section, [&](std::string_view key, const YamlValue& value) -> Result<> {
    if (key == "otherwise") return choose(value, kVerdictNames, patch_.otherwise);
    if (key == "rules") return rules_.read_exec(value, RuleReader::Kind::rules, patch_.exec_rules);
    return rules_.read_exec(value, RuleReader::Kind::restrict, patch_.exec_restrict);
  });
}

Result<> PatchReader::network(const YamlValue& section) {
  return each(section, [&](std::string_view key, const YamlValue& value) -> Result<> {
    if (key == "loopback") {
      patch_.loopback = stated(TRY(value.boolean()), value);
      return {};
    }
    if (key == "hosts") return hosts(value);
    if (key == "restrict")
      return rules_.read_hosts(value, RuleReader::Kind::restrict, patch_.host_restrict);
    if (key == "private_ranges") return private_ranges(value);
    if (key == "host_loopback_ports") return loopback_ports(value);
    return unix_sockets(value);
  });
}

Result<> PatchReader::hosts(const YamlValue& list) {
  TRY(rules_.read_hosts(list, RuleReader::Kind::rules, patch_.hosts));
  if (patch_.hosts.empty()) patch_.network_off = stated(true, list);
  return {};
}

Result<> PatchReader::private_ranges(const YamlValue& list) {
  std::vector<std::string> ranges;
  for (const YamlValue& value : TRY(list.items(kListMax))) {
    const std::string text = TRY(value.text());
    if (!AddressRange::parse(text))
      return fail(value.error(shown(text) + " is no address range (write 10.1.0.0/16 or fd00::/8, "
                                            "without bits behind the prefix)"));
    ranges.push_back(text);
  }
  patch_.private_ranges = stated(std::move(ranges), list);
  return {};
}

Result<> PatchReader::loopback_ports(const YamlValue& list) {
  std::vector<std::uint16_t> ports;
  for (const YamlValue& value : TRY(list.items(kListMax)))
    ports.push_back(static_cast<std::uint16_t>(TRY(value.integer(1, kPortMax))));
  patch_.host_loopback_ports = stated(std::move(ports), list);
  return {};
}

Result<> PatchReader::unix_sockets(const YamlValue& list) {
  std::vector<std::string> sockets;
  for (const YamlValue& value : TRY(list.items(kListMax))) {
    const std::string text = TRY(value.text());
    const auto path = expand_path(text, context_);
    if (!path) return fail(value.error(shown(text) + " " + path.error().message));
    sockets.push_back(*path);
  }
  patch_.unix_sockets = stated(std::move(sockets), list);
  return {};
}

Result<> PatchReader::env(const YamlValue& section) {
  return each(section, [&](std::string_view key, const YamlValue& value) -> Result<> {
    if (key == "pass") return variables(value, patch_.pass);
    if (key == "drop") return variables(value, patch_.drop);
    return set_variables(value);
  });
}

Result<> PatchReader::variables(const YamlValue& list, std::vector<Stated<std::string>>& into) {
  for (const YamlValue& value : TRY(list.items(kVariablesMax))) {
    const std::string name = TRY(value.text());
    if (!is_variable_pattern(name))
      return fail(
          value.error(shown(name) + " is no variable (write its name, or a prefix and '*': LC_*)"));
    if (&into == &patch_.pass && is_secret_name(name))
      return fail(value.error(shown(name) +
                              " looks like a secret, which the environment would give to every "
                              "command: declare it under secrets"));
    into.push_back(stated(name, value));
  }
  return {};
}

Result<> PatchReader::set_variables(const YamlValue& mapping) {
  for (const YamlField& field : TRY(mapping.fields(kVariablesMax))) {
    if (!is_variable_pattern(field.key) || field.key.ends_with('*'))
      return fail(field.value.error(shown(field.key) + " is no variable's name"));
    if (is_secret_name(field.key))
      return fail(field.value.error(shown(field.key) +
                                    " looks like a secret: declare it under secrets, and keep its "
                                    "value out of documents"));
    patch_.set.push_back(
        stated(EnvironmentVariable{field.key, TRY(field.value.any_text())}, field.value));
  }
  return {};
}

Result<> PatchReader::secrets(const YamlValue& list) {
  for (const YamlValue& value : TRY(list.items(kListMax))) {
    (void)TRY(value.fields(keys_of("secrets[]")));
    const YamlValue name = TRY(value.require("name"));
    Secret secret{TRY(name.text()), SecretUse::never};
    if (!is_variable_pattern(secret.name) || secret.name.ends_with('*'))
      return fail(name.error(shown(secret.name) + " is no variable's name"));
    const YamlValue use = TRY(value.require("use"));
    secret.use = static_cast<SecretUse>(TRY(use.choice(kSecretUseNames)));
    for (const Stated<Secret>& other : patch_.secrets)
      if (other.value.name == secret.name)
        return fail(name.error(shown(secret.name) + " is stated twice (keep one of them)"));
    patch_.secrets.push_back(stated(std::move(secret), value));
  }
  return {};
}

Result<> PatchReader::limits(const YamlValue& section) {
  return each(section, [&](std::string_view key, const YamlValue& value) -> Result<> {
    if (key == "memory") return size(value, kMemoryBytesMin, patch_.memory_bytes);
    if (key == "disk") return size(value, kDiskBytesMin, patch_.disk_bytes);
    if (key == "tmp") return size(value, kDiskBytesMin, patch_.tmp_bytes);
    if (key == "output") return size(value, kOutputBytesMin, patch_.output_bytes);
    if (key == "pids") return number(value, 1, kPidsMax, patch_.pids);
    if (key == "cpu_percent") return number(value, 0, kCpuPercentMax, patch_.cpu_percent);
    if (key == "fds") return number(value, kFdsMin, kFdsMax, patch_.fds);
    patch_.time = stated(TRY(value.duration()), value);
    return {};
  });
}

Result<> PatchReader::approvals(const YamlValue& section) {
  return each(section, [&](std::string_view key, const YamlValue& value) -> Result<> {
    if (key == "mode") return choose(value, kApprovalModeNames, patch_.approval_mode);
    return choose_all(value, kEscalationNames, patch_.never_ask);
  });
}

Result<> PatchReader::require(const YamlValue& section) {
  return each(section, [&](std::string_view key, const YamlValue& value) {
    const auto at = std::ranges::find(kGuaranteeNames, key) - kGuaranteeNames.begin();
    return choose(value, kStrengthNames, patch_.require[static_cast<std::size_t>(at)]);
  });
}

Result<> PatchReader::section(std::string_view key, const YamlValue& value) {
  if (key == "filesystem") return filesystem(value);
  if (key == "exec") return exec(value);
  if (key == "network") return network(value);
  if (key == "env") return env(value);
  if (key == "secrets") return secrets(value);
  if (key == "limits") return limits(value);
  if (key == "approvals") return approvals(value);
  if (key == "syscalls") return choose(value, kSyscallProfileNames, patch_.syscalls);
  if (key == "require") return require(value);
  return {};  // the header has been read
}

Result<PolicyPatch> PatchReader::read(const YamlValue& root) {
  const std::vector<YamlField> fields = TRY(root.fields(keys_of("")));
  TRY(header(root));
  for (const YamlField& field : fields) TRY(section(field.key, field.value));
  if (patch_.grants.size() > kGrantsMax)
    return fail(root.error("more than " + std::to_string(kGrantsMax) + " grants on paths"));
  return std::move(patch_);
}

}  // namespace

Result<PolicyPatch> load_policy_patch(std::string_view text, std::string_view file,
                                      const LoadContext& context) {
  const YamlNode root = TRY(parse_yaml(text, file));
  return PatchReader(file, context).read(YamlValue(file, root, ""));
}

Result<Policy> load_policy(std::string_view text, std::string_view file,
                           const LoadContext& context) {
  PolicyMerge merge(context);
  merge.add(TRY(load_policy_patch(text, file, context)), Layer::built_in, Trust::full);
  return std::move(merge).finish().policy;
}

}  // namespace fathom::policies
