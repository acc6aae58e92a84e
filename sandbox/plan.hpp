// SessionPlan: everything the zygote does for a session, as data. compile() makes it from a policy,
// encode() puts it into the order of wire.hpp, to_text() shows it to people and golden tests.
#pragma once

#include "sandbox/zygote/wire.hpp"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace fathom::sandbox {

/// One operation of a mount recipe. Which fields count is the operation's own matter
/// (wire::MountOp).
struct MountStep {
  wire::MountOp op{};
  std::uint32_t slot = 0;        ///< slot; mode of mkdirs and file
  std::uint32_t index = 0;       ///< clone flags; index of a given tree
  std::uint64_t attributes = 0;  ///< MOUNT_ATTR_…
  std::string path;
  std::string text;  ///< options, contents or link target

  friend bool operator==(const MountStep&, const MountStep&) = default;
};

/// Builds a recipe step by step; each call is one wire::MountOp.
class MountRecipe {
 public:
  void clone(std::uint32_t slot, std::string path, std::uint32_t flags = 0);
  void given(std::uint32_t slot, std::uint32_t index);
  void restrict_all(std::string path, std::uint64_t attributes);
  void restrict_one(std::string path, std::uint64_t attributes);
  void restrict_slot(std::uint32_t slot, std::uint64_t attributes);
  void attach(std::uint32_t slot, std::string path);
  void tmpfs(std::string path, std::string options);
  void overlay(std::string path, std::string options);
  void devpts(std::string path);
  void sysfs(std::string path);
  void mkdirs(std::string path, std::uint32_t mode);
  void file(std::string path, std::string contents, std::uint32_t mode);
  void symlink(std::string target, std::string path);
  void cover(std::string path);

  void append(MountRecipe more);

  [[nodiscard]] const std::vector<MountStep>& steps() const { return steps_; }
  [[nodiscard]] bool empty() const { return steps_.empty(); }

  /// Count and operations, as the zygote reads them.
  [[nodiscard]] std::string encode() const;

 private:
  std::vector<MountStep> steps_;
};

struct ListenerPlan {
  int type = 0;  ///< SOCK_STREAM or SOCK_DGRAM
  std::uint16_t port = 0;
  std::string address;  ///< dotted IPv4; empty is every address of both families
};

/// A Landlock rule set: what is handled is denied but for the rules.
struct LandlockPlan {
  std::uint64_t handled_fs = 0;
  std::uint64_t handled_network = 0;
  std::uint64_t scoped = 0;
  std::vector<std::pair<std::string, std::uint64_t>> paths;
  std::vector<std::pair<std::uint16_t, std::uint64_t>> ports;
};

struct SessionPlan {
  std::uint32_t namespaces = 0;  ///< CLONE_NEW…
  std::uint32_t flags = 0;       ///< wire::kSession…
  std::uint32_t cell_flags = 0;  ///< wire::kCell…
  wire::Identity identity = wire::Identity::unchanged;
  std::uint32_t inside_uid = 0;
  std::uint32_t outside_uid = 0;
  std::uint32_t inside_gid = 0;
  std::uint32_t outside_gid = 0;
  std::vector<std::string> idmapped;  ///< trees whose root-owned files appear as the session's own
  std::vector<std::string> groups;    ///< folders of control groups; removed at the session's end
  std::string host_name = "sandbox";
  MountRecipe mounts;
  std::vector<ListenerPlan> listeners;
  std::string shown;  ///< folder that the runtime gets as the session sees it; "" for none
  LandlockPlan landlock;
  std::vector<std::string> proc_read_only;  ///< paths below /proc
  std::vector<std::string> filters;         ///< seccomp programs as bytes

  [[nodiscard]] std::string encode() const;
  /// One line a decision, stable; filters by size only.
  [[nodiscard]] std::string to_text() const;
};

/// The body of a Launch, and what goes beside it.
struct LaunchPlan {
  std::string working_dir = "/";
  std::vector<std::string> argv;
  std::vector<std::string> env;                       ///< NAME=value
  std::vector<std::pair<int, std::uint64_t>> limits;  ///< RLIMIT_…, value
  std::uint32_t umask = 022;
  bool terminal = false;
  bool self_check = false;  ///< argv are the operands of a self check

  [[nodiscard]] std::string encode() const;
};

std::string_view name_of(wire::Stage stage);

}  // namespace fathom::sandbox
