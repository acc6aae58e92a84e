#include "agents/cli/doctor.hpp"

#include "agents/cli/memory_limit.hpp"
#include "agents/cli/terminal.hpp"
#include "engine/cpu/cpu_info.hpp"
#include "engine/cpu/kernels.hpp"
#include "engine/cpu/thread_pool.hpp"
#include "runtime/base/file.hpp"
#include "runtime/base/text.hpp"

#include <boost/version.hpp>
#include <nlohmann/json.hpp>

#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace fathom::agents {
namespace {

constexpr std::size_t kProcFileBytesMax = 1024 * 1024;

Finding ok(std::string name, std::string value) {
  return {std::move(name), Health::ok, std::move(value), ""};
}

Section examine_build() {
  const auto sanitizers = std::string_view(FATHOM_BUILD_SANITIZE);
  return {
      "build",
      {ok("version", FATHOM_VERSION), ok("compiler", __VERSION__), ok("type", FATHOM_BUILD_TYPE),
       ok("sanitizers", sanitizers.empty() ? "none" : std::string(sanitizers)),
       ok("boost", BOOST_LIB_VERSION), ok("cuda", "not built in")}};
}

// What the engine computes with, and what each instruction set needed in the probe.
Finding examine_kernels(const GetEnv& env) {
  const auto choice = engine::choose_kernels(env("FATHOM_ISA"));
  if (!choice) return {"kernels", Health::missing, choice.error().message, "unset FATHOM_ISA"};
  std::string value = std::string(engine::name_of(choice->kernels->isa)) + ", " + choice->reason;
  for (const engine::IsaProbe& probe : choice->probes) {
    value += "; " + std::string(engine::name_of(probe.isa));
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), " %.0f us", probe.probe_us);
    value += !probe.usable ? " is not here" : probe.probe_us == 0 ? " not measured" : text.data();
  }
  return ok("kernels", value);
}

Section examine_cpu(const GetEnv& env) {
  const engine::CpuInfo info = engine::cpu_info();
  Section section{"cpu", {ok("model", info.model), ok("threads", std::to_string(info.threads))}};
  std::string present;
  for (const engine::CpuFeature& feature : info.features)
    if (feature.present) present += (present.empty() ? "" : " ") + feature.name;
  const bool fast = present.find("avx2") != std::string::npos || info.features.empty();
  section.findings.push_back(
      {"features", fast ? Health::ok : Health::note, present.empty() ? "none" : present,
       fast ? "" : "the engine runs, slowly: it is made for AVX2 and newer"});
  section.findings.push_back(ok("engine_threads", std::to_string(engine::usable_cores())));
  section.findings.push_back(examine_kernels(env));
  return section;
}

// "MemTotal:  123 kB" of /proc/meminfo in bytes; 0 when absent.
unsigned long long meminfo(std::string_view text, std::string_view key) {
  const auto at = text.find(key);
  if (at == std::string_view::npos) return 0;
  return std::strtoull(text.data() + at + key.size(), nullptr, 10) * 1024;
}

Section examine_memory() {
  Section section{"memory", {}};
  const auto info = read_file("/proc/meminfo", kProcFileBytesMax);
  if (!info) return {"memory", {{"total", Health::note, info.error().message, "mount /proc"}}};
  section.findings.push_back(ok("total", format_bytes(meminfo(*info, "MemTotal:"))));
  section.findings.push_back(ok("available", format_bytes(meminfo(*info, "MemAvailable:"))));
  if (const auto limit = memory_limit())
    section.findings.push_back(ok("cgroup_limit", format_bytes(*limit)));
  return section;
}

Finding kernel_file(std::string name, const char* path, std::string_view wanted, std::string fix) {
  auto text = read_file(path, kProcFileBytesMax);
  if (!text)
    return {std::move(name), Health::note, "unknown (no " + std::string(path) + ")",
            std::move(fix)};
  while (text->ends_with('\n')) text->pop_back();
  const bool good = text->find(wanted) != std::string::npos;
  return {std::move(name), good ? Health::ok : Health::missing, good ? "yes" : "no",
          good ? "" : std::move(fix)};
}

// Asks the kernel for its Landlock ABI version, which every process may do: the flag 1 creates
// nothing.
Finding landlock() {
  const long abi = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, 1);
  if (abi > 0) return ok("landlock", "ABI " + std::to_string(abi));
  return {"landlock", Health::note, errno == EOPNOTSUPP ? "built in but switched off" : "no",
          "boot a kernel of 5.13 or newer with landlock in its lsm= list"};
}

// Three switches can be off; a kernel without the file does not have that switch.
Finding user_namespaces() {
  struct Switch {
    const char* path;
    char off;
    const char* fix;
  };
  constexpr std::array kSwitches = {
      Switch{"/proc/sys/user/max_user_namespaces", '0', "sysctl user.max_user_namespaces=10000"},
      Switch{"/proc/sys/kernel/unprivileged_userns_clone", '0',
             "sysctl kernel.unprivileged_userns_clone=1"},
      Switch{"/proc/sys/kernel/apparmor_restrict_unprivileged_userns", '1',
             "sysctl kernel.apparmor_restrict_unprivileged_userns=0, or an AppArmor profile"}};
  for (const Switch& one : kSwitches) {
    const auto text = read_file(one.path, kProcFileBytesMax);
    if (text && text->size() == 2 && text->front() == one.off)
      return {"user_namespaces", Health::note, "switched off (" + std::string(one.path) + ")",
              one.fix};
  }
  return ok("user_namespaces", "yes");
}

Section examine_kernel() {
  utsname name{};
  ::uname(&name);
  Section section{"kernel", {ok("release", std::string(name.release) + " " + name.machine)}};
  section.findings.push_back(
      kernel_file("seccomp", "/proc/sys/kernel/seccomp/actions_avail", "user_notif",
                  "use a kernel of 5.0 or newer with CONFIG_SECCOMP_FILTER"));
  section.findings.push_back(landlock());
  section.findings.push_back(user_namespaces());
  section.findings.push_back(kernel_file("cgroup_v2", "/sys/fs/cgroup/cgroup.controllers", "",
                                         "mount the unified cgroup hierarchy at /sys/fs/cgroup"));
  return section;
}

// Whether we could create files below `dir`: asked of the nearest folder that exists, creating
// none.
Finding writable(std::string name, const Result<std::filesystem::path>& dir) {
  if (!dir) return {std::move(name), Health::missing, dir.error().message, "set HOME"};
  std::filesystem::path at = *dir;
  std::error_code ignored;
  while (!std::filesystem::exists(at, ignored) && at.has_relative_path()) at = at.parent_path();
  if (::access(at.c_str(), W_OK | X_OK) != 0)
    return {std::move(name), Health::missing,
            dir->string() + " (cannot write to " + at.string() + ")",
            "make it writable, or set XDG_STATE_HOME and XDG_CACHE_HOME to folders that are"};
  struct statvfs disk{};
  const auto free =
      ::statvfs(at.c_str(), &disk) == 0
          ? ", " + format_bytes(static_cast<unsigned long long>(disk.f_bavail) * disk.f_frsize) +
                " free"
          : "";
  return ok(std::move(name), dir->string() + free);
}

Section examine_files(const GetEnv& env) {
  Section section{"files", {writable("state", state_dir(env)), writable("cache", cache_dir(env))}};
  std::string store = env("SSL_CERT_FILE");
  if (store.empty()) store = "/etc/ssl/certs/ca-certificates.crt";
  const bool there = ::access(store.c_str(), R_OK) == 0;
  section.findings.push_back(
      {"certificates", there ? Health::ok : Health::note, there ? store : "none at " + store,
       there ? "" : "apt-get install ca-certificates (https engines need it)"});
  return section;
}

Finding program(std::string name, const GetEnv& env, const std::string& use,
                const std::string& package) {
  const std::string path = env("PATH");
  for (std::size_t at = 0; at <= path.size();) {
    const std::size_t colon = std::min(path.find(':', at), path.size());
    const std::string candidate = path.substr(at, colon - at) + "/" + name;
    if (colon > at && ::access(candidate.c_str(), X_OK) == 0) return ok(std::move(name), candidate);
    at = colon + 1;
  }
  return {std::move(name), Health::note, "not on PATH (" + use + ")", "apt-get install " + package};
}

Section examine_programs(const GetEnv& env) {
  return {"programs",
          {program("git", env, "agents use it in the shell", "git"),
           program("rg", env, "makes the search tool faster", "ripgrep"),
           program("python3", env, "runs the demo's repositories", "python3")}};
}

std::string_view name_of(Health health) {
  switch (health) {
    case Health::ok:
      return "ok";
    case Health::note:
      return "note";
    case Health::missing:
      return "missing";
  }
  return "?";
}

}  // namespace

std::vector<Section> examine(const GetEnv& env) {
  return {examine_build(),  examine_cpu(env),   examine_memory(),
          examine_kernel(), examine_files(env), examine_programs(env)};
}

bool is_healthy(const std::vector<Section>& sections) {
  for (const Section& section : sections)
    for (const Finding& finding : section.findings)
      if (finding.health == Health::missing) return false;
  return true;
}

std::string to_json(const std::vector<Section>& sections) {
  nlohmann::ordered_json json = {{"healthy", is_healthy(sections)},
                                 {"sections", nlohmann::ordered_json::object()}};
  for (const Section& section : sections) {
    nlohmann::ordered_json findings = nlohmann::ordered_json::array();
    for (const Finding& finding : section.findings) {
      nlohmann::ordered_json entry = {{"name", finding.name},
                                      {"health", name_of(finding.health)},
                                      {"value", to_valid_utf8(finding.value)}};
      if (!finding.fix.empty()) entry["fix"] = finding.fix;
      findings.push_back(std::move(entry));
    }
    json["sections"][section.name] = std::move(findings);
  }
  return json.dump(2) + "\n";
}

std::string to_text(const std::vector<Section>& sections, const Terminal& terminal) {
  constexpr std::size_t kNameColumns = 17;
  std::string out;
  for (const Section& section : sections) {
    out += terminal.paint(Colour::bold, section.name) + "\n";
    for (const Finding& finding : section.findings) {
      const Colour colour = finding.health == Health::ok     ? Colour::green
                            : finding.health == Health::note ? Colour::yellow
                                                             : Colour::red;
      const std::string_view mark = finding.health == Health::ok     ? "+"
                                    : finding.health == Health::note ? "~"
                                                                     : "-";
      std::string name = finding.name;
      name.resize(std::max(name.size() + 1, kNameColumns), ' ');
      out += "  " + terminal.paint(colour, mark) + " " + name + to_printable(finding.value) + "\n";
      if (!finding.fix.empty())
        out += "      " + std::string(kNameColumns - 2, ' ') + "fix: " + finding.fix + "\n";
    }
  }
  out += is_healthy(sections)
             ? "nothing needed is missing\n"
             : "something needed is missing: see the lines marked '-' and their fixes\n";
  return out;
}

std::string version_text() { return std::string("fathom ") + FATHOM_VERSION; }

}  // namespace fathom::agents
