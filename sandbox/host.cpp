#include "sandbox/host.hpp"

#include <linux/landlock.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>

namespace fathom::sandbox {
namespace {

PathType type_of(const std::string& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) return PathType::missing;
  if (S_ISDIR(info.st_mode)) return PathType::folder;
  return S_ISREG(info.st_mode) ? PathType::file : PathType::other;
}

std::string resolved(const std::string& path) {
  const std::unique_ptr<char, void (*)(void*)> real(::realpath(path.c_str(), nullptr), &std::free);
  return real ? std::string(real.get()) : std::string();
}

}  // namespace

HostPath look_at_path(const std::string& path) {
  if (std::string real = resolved(path); !real.empty()) {
    const PathType type = type_of(real);
    return {std::move(real), type};
  }
  // The missing tail under a parent that exists.
  const std::size_t slash = path.find_last_of('/');
  if (slash == std::string::npos || slash == 0) return {path, PathType::missing};
  const HostPath parent = look_at_path(path.substr(0, slash));
  return {(parent.path == "/" ? "" : parent.path) + path.substr(slash), PathType::missing};
}

HostFacts look_at_host(const GetEnv& env) {
  HostFacts facts;
  facts.uid = ::geteuid();
  facts.gid = ::getegid();
  std::string home = env("HOME");
  if (const passwd* entry = ::getpwuid(facts.uid)) {
    facts.user = entry->pw_name;
    if (home.empty()) home = entry->pw_dir;
  }
  if (!home.empty()) facts.home = look_at_path(home).path;
  if (facts.home == "/") facts.home.clear();
  const long abi =
      ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  facts.landlock_abi = abi > 0 ? static_cast<int>(abi) : 0;
  facts.resolv_conf = resolved("/etc/resolv.conf");
  return facts;
}

Result<Workspace> open_workspace(const std::string& path, const HostFacts& host) {
  const std::string what = "workspace " + path;
  const HostPath at = look_at_path(path);
  if (at.type == PathType::missing) return fail(ErrorCode::not_found, what + ": no such folder");
  if (at.type != PathType::folder)
    return fail(ErrorCode::usage, what + ": not a folder: name the folder that holds it");
  if (at.path == "/" || at.path == host.home)
    return fail(
        ErrorCode::usage,
        what + ": the root and the home folder are too much to hand over: name a project in it");
  struct stat info{};
  if (::stat(at.path.c_str(), &info) != 0) return fail(system_error(what, errno));
  return Workspace{at.path, info.st_uid, info.st_gid};
}

bool has_namespaces(Rung rung) { return rung == Rung::full || rung == Rung::no_network_ns; }

std::string_view name_of(Rung rung) {
  switch (rung) {
    case Rung::full:
      return "full";
    case Rung::no_network_ns:
      return "no_network_ns";
    case Rung::container:
      return "container";
    case Rung::container_old:
      return "container_old";
  }
  return "?";
}

}  // namespace fathom::sandbox
