// Reads a session's plan back into the runtime's own type, in the order that wire.hpp states: the
// twin of SessionPlan::encode(), written apart from it.
#pragma once

#include "sandbox/plan.hpp"

#include <optional>
#include <string>
#include <vector>

namespace fathom::test {

class PlanDecoder {
 public:
  explicit PlanDecoder(const std::string& bytes) : in_(bytes.data(), bytes.size()) {}

  /// Nothing when the bytes are no plan from the first to the last.
  std::optional<sandbox::SessionPlan> session() {
    sandbox::SessionPlan plan;
    plan.namespaces = in_.u32();
    plan.flags = in_.u32();
    plan.cell_flags = in_.u32();
    plan.identity = static_cast<sandbox::wire::Identity>(in_.u32());
    plan.inside_uid = in_.u32();
    plan.outside_uid = in_.u32();
    plan.inside_gid = in_.u32();
    plan.outside_gid = in_.u32();
    plan.idmapped = texts();
    plan.groups = texts();
    plan.host_name = text();
    for (std::uint32_t left = in_.u32(); left > 0 && in_.ok(); --left)
      if (!step(plan.mounts)) return std::nullopt;
    for (std::uint32_t left = in_.u32(); left > 0 && in_.ok(); --left) {
      const auto type = static_cast<int>(in_.u32());
      const auto port = static_cast<std::uint16_t>(in_.u32());
      plan.listeners.push_back({type, port, text()});
    }
    plan.shown = text();
    landlock(plan.landlock);
    plan.proc_read_only = texts();
    plan.filters = texts();
    if (!in_.ok() || !in_.at_end()) return std::nullopt;
    return plan;
  }

 private:
  std::string text() {
    std::size_t size = 0;
    const char* start = in_.text(&size);
    return {start, size};
  }

  std::vector<std::string> texts() {
    std::vector<std::string> all;
    for (std::uint32_t left = in_.u32(); left > 0 && in_.ok(); --left) all.push_back(text());
    return all;
  }

  void landlock(sandbox::LandlockPlan& plan) {
    plan.handled_fs = in_.u64();
    plan.handled_network = in_.u64();
    plan.scoped = in_.u64();
    for (std::uint32_t left = in_.u32(); left > 0 && in_.ok(); --left) {
      const std::uint64_t access = in_.u64();
      plan.paths.emplace_back(text(), access);
    }
    for (std::uint32_t left = in_.u32(); left > 0 && in_.ok(); --left) {
      const std::uint64_t access = in_.u64();
      plan.ports.emplace_back(static_cast<std::uint16_t>(in_.u64()), access);
    }
  }

  // False for an operation that there is not.
  bool step(sandbox::MountRecipe& mounts) {
    using sandbox::wire::MountOp;
    const auto op = static_cast<MountOp>(in_.u32());
    switch (op) {
      case MountOp::clone:
      case MountOp::given:
      case MountOp::restrict_slot:
      case MountOp::attach:
        return slot_step(op, mounts);
      case MountOp::mkdirs:
      case MountOp::file: {
        const std::uint32_t mode = in_.u32();
        std::string path = text();
        if (op == MountOp::mkdirs) return mounts.mkdirs(std::move(path), mode), true;
        return mounts.file(std::move(path), text(), mode), true;
      }
      case MountOp::devpts:
        return mounts.devpts(text()), true;
      case MountOp::sysfs:
        return mounts.sysfs(text()), true;
      case MountOp::cover:
        return mounts.cover(text()), true;
      default:
        return path_step(op, mounts);
    }
  }

  bool slot_step(sandbox::wire::MountOp op, sandbox::MountRecipe& mounts) {
    using sandbox::wire::MountOp;
    const std::uint32_t slot = in_.u32();
    if (op == MountOp::restrict_slot) return mounts.restrict_slot(slot, in_.u64()), true;
    if (op == MountOp::attach) return mounts.attach(slot, text()), true;
    const std::uint32_t index = in_.u32();
    if (op == MountOp::given) return mounts.given(slot, index), true;
    return mounts.clone(slot, text(), index), true;
  }

  bool path_step(sandbox::wire::MountOp op, sandbox::MountRecipe& mounts) {
    using sandbox::wire::MountOp;
    if (op > MountOp::symlink) return false;
    std::string first = text();
    if (op == MountOp::restrict_all) return mounts.restrict_all(std::move(first), in_.u64()), true;
    if (op == MountOp::restrict_one) return mounts.restrict_one(std::move(first), in_.u64()), true;
    if (op == MountOp::tmpfs) return mounts.tmpfs(std::move(first), text()), true;
    if (op == MountOp::overlay) return mounts.overlay(std::move(first), text()), true;
    return mounts.symlink(std::move(first), text()), true;
  }

  sandbox::wire::PlanReader in_;
};

}  // namespace fathom::test
