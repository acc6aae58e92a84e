#include "sandbox/plan.hpp"

#include <linux/mount.h>

#include <array>

namespace fathom::sandbox {
namespace {

using Writer = wire::PlanWriter<std::string>;

void write_step(Writer& out, const MountStep& step) {
  out.u32(static_cast<std::uint32_t>(step.op));
  switch (step.op) {
    case wire::MountOp::clone:
      out.u32(step.slot);
      out.u32(step.index);
      out.text(step.path);
      break;
    case wire::MountOp::given:
      out.u32(step.slot);
      out.u32(step.index);
      break;
    case wire::MountOp::restrict_slot:
      out.u32(step.slot);
      out.u64(step.attributes);
      break;
    case wire::MountOp::attach:
      out.u32(step.slot);
      out.text(step.path);
      break;
    case wire::MountOp::restrict_all:
    case wire::MountOp::restrict_one:
      out.text(step.path);
      out.u64(step.attributes);
      break;
    case wire::MountOp::mkdirs:
      out.u32(step.slot);
      out.text(step.path);
      break;
    case wire::MountOp::file:
      out.u32(step.slot);
      out.text(step.path);
      out.text(step.text);
      break;
    case wire::MountOp::symlink:
      out.text(step.text);
      out.text(step.path);
      break;
    case wire::MountOp::tmpfs:
    case wire::MountOp::overlay:
      out.text(step.path);
      out.text(step.text);
      break;
    case wire::MountOp::devpts:
    case wire::MountOp::sysfs:
    case wire::MountOp::cover:
      out.text(step.path);
      break;
  }
}

void write_texts(Writer& out, const std::vector<std::string>& texts) {
  out.u32(static_cast<std::uint32_t>(texts.size()));
  for (const std::string& text : texts) out.text(text);
}

void write_landlock(Writer& out, const LandlockPlan& landlock) {
  out.u64(landlock.handled_fs);
  out.u64(landlock.handled_network);
  out.u64(landlock.scoped);
  out.u32(static_cast<std::uint32_t>(landlock.paths.size()));
  for (const auto& [path, access] : landlock.paths) {
    out.u64(access);
    out.text(path);
  }
  out.u32(static_cast<std::uint32_t>(landlock.ports.size()));
  for (const auto& [port, access] : landlock.ports) {
    out.u64(access);
    out.u64(port);
  }
}

constexpr std::array<std::string_view, 14> kOpNames = {
    "clone",   "given",  "restrict_all", "restrict_one", "restrict_slot", "attach",  "tmpfs",
    "overlay", "devpts", "sysfs",        "mkdirs",       "file",          "symlink", "cover"};

std::string hex(std::uint64_t value) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  do {
    text.insert(text.begin(), kDigits[value % 16]);
    value /= 16;
  } while (value != 0);
  return "0x" + text;
}

std::string attributes_text(std::uint64_t attributes) {
  std::string text;
  const auto add = [&](std::uint64_t bit, std::string_view name) {
    if ((attributes & bit) != 0) text += " " + std::string(name);
  };
  add(MOUNT_ATTR_RDONLY, "ro");
  add(MOUNT_ATTR_NOSUID, "nosuid");
  add(MOUNT_ATTR_NODEV, "nodev");
  add(MOUNT_ATTR_NOEXEC, "noexec");
  return text;
}

std::string step_text(const MountStep& step) {
  std::string line = "mount " + std::string(kOpNames.at(static_cast<std::size_t>(step.op)));
  const auto slot = " #" + std::to_string(step.slot);
  switch (step.op) {
    case wire::MountOp::clone:
      return line + slot + " " + step.path + (step.index != 0 ? " if present" : "");
    case wire::MountOp::given:
      return line + slot + " idmapped " + std::to_string(step.index);
    case wire::MountOp::restrict_slot:
      return line + slot + attributes_text(step.attributes);
    case wire::MountOp::attach:
      return line + slot + " " + step.path;
    case wire::MountOp::symlink:
      return line + " " + step.path + " -> " + step.text;
    case wire::MountOp::file:
      return line + " " + step.path + " " + std::to_string(step.text.size()) + " bytes";
    default:
      return line + " " + step.path + attributes_text(step.attributes) +
             (step.text.empty() ? "" : " " + step.text);
  }
}

}  // namespace

void MountRecipe::clone(std::uint32_t slot, std::string path, std::uint32_t flags) {
  steps_.push_back({wire::MountOp::clone, slot, flags, 0, std::move(path), ""});
}
void MountRecipe::given(std::uint32_t slot, std::uint32_t index) {
  steps_.push_back({wire::MountOp::given, slot, index, 0, "", ""});
}
void MountRecipe::restrict_all(std::string path, std::uint64_t attributes) {
  steps_.push_back({wire::MountOp::restrict_all, 0, 0, attributes, std::move(path), ""});
}
void MountRecipe::restrict_one(std::string path, std::uint64_t attributes) {
  steps_.push_back({wire::MountOp::restrict_one, 0, 0, attributes, std::move(path), ""});
}
void MountRecipe::restrict_slot(std::uint32_t slot, std::uint64_t attributes) {
  steps_.push_back({wire::MountOp::restrict_slot, slot, 0, attributes, "", ""});
}
void MountRecipe::attach(std::uint32_t slot, std::string path) {
  steps_.push_back({wire::MountOp::attach, slot, 0, 0, std::move(path), ""});
}
void MountRecipe::tmpfs(std::string path, std::string options) {
  steps_.push_back({wire::MountOp::tmpfs, 0, 0, 0, std::move(path), std::move(options)});
}
void MountRecipe::overlay(std::string path, std::string options) {
  steps_.push_back({wire::MountOp::overlay, 0, 0, 0, std::move(path), std::move(options)});
}
void MountRecipe::devpts(std::string path) {
  steps_.push_back({wire::MountOp::devpts, 0, 0, 0, std::move(path), ""});
}
void MountRecipe::sysfs(std::string path) {
  steps_.push_back({wire::MountOp::sysfs, 0, 0, 0, std::move(path), ""});
}
void MountRecipe::mkdirs(std::string path, std::uint32_t mode) {
  steps_.push_back({wire::MountOp::mkdirs, mode, 0, 0, std::move(path), ""});
}
void MountRecipe::file(std::string path, std::string contents, std::uint32_t mode) {
  steps_.push_back({wire::MountOp::file, mode, 0, 0, std::move(path), std::move(contents)});
}
void MountRecipe::symlink(std::string target, std::string path) {
  steps_.push_back({wire::MountOp::symlink, 0, 0, 0, std::move(path), std::move(target)});
}
void MountRecipe::cover(std::string path) {
  steps_.push_back({wire::MountOp::cover, 0, 0, 0, std::move(path), ""});
}

void MountRecipe::append(MountRecipe more) {
  for (MountStep& step : more.steps_) steps_.push_back(std::move(step));
}

std::string MountRecipe::encode() const {
  Writer out;
  out.u32(static_cast<std::uint32_t>(steps_.size()));
  for (const MountStep& step : steps_) write_step(out, step);
  return out.bytes();
}

std::string SessionPlan::encode() const {
  Writer head;
  head.u32(namespaces);
  head.u32(flags);
  head.u32(cell_flags);
  head.u32(static_cast<std::uint32_t>(identity));
  head.u32(inside_uid);
  head.u32(outside_uid);
  head.u32(inside_gid);
  head.u32(outside_gid);
  write_texts(head, idmapped);
  write_texts(head, groups);
  head.text(host_name);
  Writer tail;
  tail.u32(static_cast<std::uint32_t>(listeners.size()));
  for (const ListenerPlan& listener : listeners) {
    tail.u32(static_cast<std::uint32_t>(listener.type));
    tail.u32(listener.port);
    tail.text(listener.address);
  }
  tail.text(shown);
  write_landlock(tail, landlock);
  write_texts(tail, proc_read_only);
  write_texts(tail, filters);
  return head.bytes() + mounts.encode() + tail.bytes();
}

std::string SessionPlan::to_text() const {
  std::string out = "namespaces " + hex(namespaces) + " flags " + hex(flags) + " cells " +
                    hex(cell_flags) + "\nidentity " +
                    std::to_string(static_cast<std::uint32_t>(identity)) + " uid " +
                    std::to_string(inside_uid) + ":" + std::to_string(outside_uid) + " gid " +
                    std::to_string(inside_gid) + ":" + std::to_string(outside_gid) + "\n";
  for (const std::string& path : idmapped) out += "idmap " + path + "\n";
  for (const std::string& path : groups) out += "group " + path + "\n";
  for (const MountStep& step : mounts.steps()) out += step_text(step) + "\n";
  for (const ListenerPlan& listener : listeners)
    out += "listen " + std::to_string(listener.type) + " " + listener.address + ":" +
           std::to_string(listener.port) + "\n";
  if (!shown.empty()) out += "show " + shown + "\n";
  out += "landlock fs " + hex(landlock.handled_fs) + " network " + hex(landlock.handled_network) +
         " scoped " + hex(landlock.scoped) + "\n";
  for (const auto& [path, access] : landlock.paths)
    out += "landlock path " + path + " " + hex(access) + "\n";
  for (const auto& [port, access] : landlock.ports)
    out += "landlock port " + std::to_string(port) + " " + hex(access) + "\n";
  for (const std::string& path : proc_read_only) out += "proc read-only " + path + "\n";
  for (const std::string& filter : filters)
    out += "filter " + std::to_string(filter.size()) + " bytes\n";
  return out;
}

std::string LaunchPlan::encode() const {
  Writer out;
  out.text(working_dir);
  write_texts(out, argv);
  write_texts(out, env);
  out.u32(static_cast<std::uint32_t>(limits.size()));
  for (const auto& [resource, value] : limits) {
    out.u32(static_cast<std::uint32_t>(resource));
    out.u64(value);
  }
  out.u32(umask);
  return out.bytes();
}

std::string_view name_of(wire::Stage stage) {
  constexpr std::array<std::string_view, 23> kNames = {
      "none",        "plan",   "namespaces",   "id_maps",       "identity",  "idmap",
      "cgroup",      "mounts", "loopback",     "routes",        "listeners", "nested_off",
      "landlock",    "cell",   "proc",         "extra_mounts",  "fork",      "terminal",
      "working_dir", "limits", "capabilities", "restrict_self", "seccomp"};
  const auto index = static_cast<std::size_t>(stage);
  return index < kNames.size() ? kNames[index] : "exec";
}

}  // namespace fathom::sandbox
