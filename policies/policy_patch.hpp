// PolicyPatch: what one document states, and where. Only what it states: a policy is the layers'
// patches, merged (policy_layers.hpp).
#pragma once

#include "policies/policy.hpp"
#include "policies/yaml_document.hpp"

#include <array>
#include <optional>
#include <string>
#include <vector>

namespace fathom::policies {

template <class T>
struct Stated {
  T value{};
  Place at;
};

struct PolicyPatch {
  template <class T>
  using Maybe = std::optional<Stated<T>>;
  template <class T>
  using All = std::vector<Stated<T>>;

  std::string file;
  std::string name;

  Maybe<Access> workspace;
  Maybe<Access> home;
  All<PathGrant> grants;
  All<ProtectedName> protected_names;
  Maybe<std::vector<std::string>> caches;

  Maybe<Verdict> otherwise;
  All<ExecRule> exec_rules;
  All<ExecRule> exec_restrict;

  Maybe<bool> loopback;
  Maybe<bool> network_off;  ///< `hosts: []`: those of the layers below are dropped
  All<HostRule> hosts;
  All<HostRule> host_restrict;
  Maybe<std::vector<std::string>> private_ranges;
  Maybe<std::vector<std::uint16_t>> host_loopback_ports;
  Maybe<std::vector<std::string>> unix_sockets;

  All<std::string> pass;
  All<std::string> drop;  ///< takes entries of the layers below out of `pass`
  All<EnvironmentVariable> set;
  All<Secret> secrets;

  Maybe<std::uint64_t> memory_bytes;
  Maybe<std::uint32_t> pids;
  Maybe<std::uint32_t> cpu_percent;
  Maybe<std::uint32_t> fds;
  Maybe<std::uint64_t> disk_bytes;
  Maybe<std::uint64_t> tmp_bytes;
  Maybe<std::uint64_t> output_bytes;
  Maybe<std::chrono::milliseconds> time;

  Maybe<ApprovalMode> approval_mode;
  Maybe<std::vector<std::string>> never_ask;
  Maybe<SyscallProfile> syscalls;
  std::array<Maybe<Strength>, kGuarantees> require;
};

}  // namespace fathom::policies
