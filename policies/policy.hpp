// Policy: what an agent may do, as data. One parsed policy feeds both decide() (what is allowed)
// and the sandbox's profile (what the kernel enforces), so the two cannot disagree.
//
// A policy is never read from the workspace unless the user pinned its hash: any file the sandbox
// can write is data for us. Layers: built-in < user < project < command line (policy_layers.hpp); a
// project layer may only narrow.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::policies {

/// What the sandbox can promise about a confined command. The order is the order of reports.
enum class Guarantee : std::uint8_t {
  fs_write,         ///< no write outside the writable roots
  fs_read,          ///< hidden paths cannot be read
  protected_paths,  ///< git hooks, editor and agent start-up files in the workspace stay as they
                    ///< were
  network,          ///< no connection but the listed ones
  processes,        ///< other processes can be neither seen, signalled nor traced
  tree_kill,        ///< nothing that the command started outlives it
  memory,           ///< the memory limit holds
  pids,             ///< the limit of processes and threads holds
  cpu,              ///< the limit of processor time holds, where one is set
  syscalls,         ///< system calls outside the reviewed table are refused
};
inline constexpr std::size_t kGuarantees = 10;

/// How firmly a guarantee is held. Ordered: a `require` names the least that will do.
enum class Strength : std::uint8_t {
  none,         ///< not held; a policy that accepts it says so by name
  best_effort,  ///< polling, sweeping or detect-and-revert: a determined child can get past for a
                ///< while
  enforced,     ///< the kernel refuses
};

enum class Access : std::uint8_t { hidden, read, write };

/// One grant on a path. `path` is absolute after loading: "~" and "${workspace}" are expanded, "//"
/// and "." removed; ".." is refused by the loader. Symbolic links are resolved by the sandbox,
/// once.
struct PathGrant {
  std::string path;
  Access access = Access::read;
  std::string rule;  ///< id of the rule, such as "filesystem.hidden[3]" or the author's own `id`

  friend bool operator==(const PathGrant&, const PathGrant&) = default;
};

/// What happens to a protected name that appears in the workspace.
enum class Protection : std::uint8_t {
  deny,    ///< existing: read-only; created by a command: moved into quarantine and reported
  report,  ///< allowed, and listed as "will run later" (build files)
};

/// A name that programs outside the sandbox run or obey by themselves: ".vscode/", "Makefile". A
/// trailing "/" means the folder and all below; "*" matches within one name.
struct ProtectedName {
  std::string pattern;
  Protection protection = Protection::deny;
  std::string rule;

  friend bool operator==(const ProtectedName&, const ProtectedName&) = default;
};

struct Filesystem {
  std::string workspace_root;        ///< absolute; given at load and stated by no document
  std::string home_root;             ///< likewise
  Access workspace = Access::write;  ///< read or write
  Access home = Access::hidden;      ///< hidden (an empty private home, listed paths shown) or read
  std::vector<PathGrant>
      grants;  ///< longest path wins; hidden beats read beats write at the same path
  std::vector<ProtectedName> protected_names;
  std::vector<std::string>
      caches;  ///< names from the catalogue: npm, pip, cargo, go, maven, ccache

  friend bool operator==(const Filesystem&, const Filesystem&) = default;
};

enum class Verdict : std::uint8_t { allow, ask, deny };

/// One rule about commands: the first of the list that matches decides. A pattern is a list of
/// words: "git push *" matches argv whose first words are git and push; "*" at the end any rest,
/// "*" elsewhere exactly one word; the first word matches the base name of argv[0]. Without "*" at
/// the end nothing may follow. (A convenience for approvals and no boundary: see decide.hpp.)
struct ExecRule {
  std::string id;
  Verdict verdict = Verdict::deny;
  std::vector<std::string> patterns;
  std::string reason;

  friend bool operator==(const ExecRule&, const ExecRule&) = default;
};

struct Exec {
  Verdict otherwise = Verdict::allow;  ///< what no rule matches
  std::vector<ExecRule> rules;
  /// Rules that can only narrow (never allow), denials first: the stricter of what they and `rules`
  /// say counts. A project's rules end up here, so that none of them can stand in front of a user's
  /// denial.
  std::vector<ExecRule> restrict;

  friend bool operator==(const Exec&, const Exec&) = default;
};

/// What a call is part of: a set-up step may reach registries where a test may not.
enum class Phase : std::uint8_t { setup, agent, test };

struct HostRule {
  std::string id;
  Verdict verdict = Verdict::allow;
  std::string host;  ///< "example.com", "*.example.com" (not the apex), or an address
  std::vector<std::uint16_t> ports;  ///< never empty after loading; 443 by default
  std::vector<Phase> phases;         ///< never empty after loading; all by default
  friend bool operator==(const HostRule&, const HostRule&) = default;
};

struct Network {
  bool loopback =
      true;  ///< a private loopback: servers of one session see each other, not the host's
  std::vector<HostRule> hosts;  ///< first match decides; no match is a denial. Empty: network off
  std::vector<HostRule> restrict;           ///< can only narrow, as in Exec
  std::vector<std::string> private_ranges;  ///< CIDR ranges that allowed names may resolve to
  std::vector<std::uint16_t>
      host_loopback_ports;                ///< services of the host's loopback to be reachable
  std::vector<std::string> unix_sockets;  ///< absolute paths of host sockets to show

  friend bool operator==(const Network&, const Network&) = default;
};

struct EnvironmentVariable {
  std::string name;
  std::string value;
  friend bool operator==(const EnvironmentVariable&, const EnvironmentVariable&) = default;
};

struct Environment {
  std::vector<std::string> pass;  ///< names, or a prefix and "*": "LC_*"
  std::vector<EnvironmentVariable> set;

  friend bool operator==(const Environment&, const Environment&) = default;
};

enum class SecretUse : std::uint8_t { never, per_call };

/// A secret that commands may be given, one call at a time and only after a decision.
struct Secret {
  std::string name;  ///< environment variable of the runtime that holds it, and of the child
  SecretUse use = SecretUse::never;
  friend bool operator==(const Secret&, const Secret&) = default;
};

/// Kernel limits of one session of commands; nullopt is no limit (only where the kernel has none).
struct Limits {
  std::uint64_t memory_bytes = 4ULL << 30;
  std::uint32_t pids = 1024;
  std::uint32_t cpu_percent = 0;  ///< 100 is one core; 0 is no limit
  std::uint32_t fds = 4096;
  std::uint64_t disk_bytes = 16ULL << 30;  ///< written by one command
  std::uint64_t tmp_bytes =
      2ULL << 30;  ///< /tmp, /run, /dev/shm and home together with their files
  std::uint64_t output_bytes = 256ULL
                               << 20;  ///< of standard output and error that one command may write
  std::chrono::milliseconds time{600'000};  ///< wall time of one command

  friend bool operator==(const Limits&, const Limits&) = default;
};

enum class ApprovalMode : std::uint8_t {
  ask,    ///< a person is asked
  never,  ///< no person is there: what would be asked is denied
};

struct Approvals {
  ApprovalMode mode = ApprovalMode::ask;
  std::vector<std::string> never_ask;  ///< escalation kinds denied outright: network, fs_write, ...
  friend bool operator==(const Approvals&, const Approvals&) = default;
};

/// The system-call table (sandbox/seccomp_table.hpp).
enum class SyscallProfile : std::uint8_t { build, debug, strict };

struct Policy {
  std::string name;
  Filesystem filesystem;
  Exec exec;
  Network network;
  Environment env;
  std::vector<Secret> secrets;
  Limits limits;
  Approvals approvals;
  SyscallProfile syscalls = SyscallProfile::build;
  std::vector<Strength> require = default_require();  ///< by Guarantee

  /// Writes and network kernel-enforced, tree kill at least best effort: a container without user
  /// namespaces starts by default, anything weaker needs an explicit opt-in.
  static std::vector<Strength> default_require();

  friend bool operator==(const Policy&, const Policy&) = default;
};

/// What documents, reports and scripts call the values; the order is that of the enumerations.
inline constexpr std::array<std::string_view, kGuarantees> kGuaranteeNames = {
    "fs_write", "fs_read", "protected_paths", "network", "processes", "tree_kill", "memory",
    "pids",     "cpu",     "syscalls"};
inline constexpr std::array<std::string_view, 3> kStrengthNames = {"none", "best_effort",
                                                                   "enforced"};
inline constexpr std::array<std::string_view, 3> kAccessNames = {"hidden", "read", "write"};
inline constexpr std::array<std::string_view, 2> kProtectionNames = {"deny", "report"};
inline constexpr std::array<std::string_view, 3> kVerdictNames = {"allow", "ask", "deny"};
inline constexpr std::array<std::string_view, 3> kPhaseNames = {"setup", "agent", "test"};
inline constexpr std::array<std::string_view, 2> kSecretUseNames = {"never", "per_call"};
inline constexpr std::array<std::string_view, 2> kApprovalModeNames = {"ask", "never"};
inline constexpr std::array<std::string_view, 3> kSyscallProfileNames = {"build", "debug",
                                                                         "strict"};
/// Package caches that a document may name.
inline constexpr std::array<std::string_view, 8> kCacheNames = {"cargo", "ccache", "go",  "gradle",
                                                                "maven", "npm",    "pip", "uv"};
/// What approvals.never_ask may name: the kinds of requests.
inline constexpr std::array<std::string_view, 5> kEscalationNames = {"exec", "fs_read", "fs_write",
                                                                     "network", "secret"};

std::string_view name_of(Guarantee guarantee);
std::string_view name_of(Strength strength);
std::string_view name_of(Access access);
std::string_view name_of(Protection protection);
std::string_view name_of(Verdict verdict);
std::string_view name_of(Phase phase);
std::string_view name_of(SecretUse use);
std::string_view name_of(ApprovalMode mode);
std::string_view name_of(SyscallProfile profile);

}  // namespace fathom::policies
