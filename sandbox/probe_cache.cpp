#include "runtime/base/file.hpp"
#include "sandbox/prober.hpp"

#include <nlohmann/json.hpp>

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>

namespace fathom::sandbox {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kReportBytesMax = 64UL << 10;
constexpr int kReportVersion = 3;  // of this file's form and of what is probed

constexpr std::array kRungs = {Rung::full, Rung::no_network_ns, Rung::container,
                               Rung::container_old};
constexpr std::array kLimitsBy = {LimitBy::cgroup_v2, LimitBy::cgroup_v1, LimitBy::user_namespace,
                                  LimitBy::polling, LimitBy::nothing};
constexpr std::array kRootModes = {RootMode::idmapped, RootMode::workspace, RootMode::unmapped};

template <class Values>
Result<typename Values::value_type> named(const Json& json, const char* key, const Values& values) {
  const auto entry = json.find(key);
  if (entry != json.end() && entry->is_string())
    for (const auto value : values)
      if (name_of(value) == entry->template get_ref<const std::string&>()) return value;
  return fail(ErrorCode::bad_data, std::string("probe report: no ") + key);
}

constexpr std::size_t kSettingBytesMax = 8UL << 10;

// What decides whether namespaces can be made. One that this kernel lacks is empty.
constexpr std::array kSettings = {"kernel/unprivileged_userns_clone",
                                  "kernel/apparmor_restrict_unprivileged_userns",
                                  "kernel/apparmor_restrict_unprivileged_unconfined",
                                  "user/max_user_namespaces",
                                  "user/max_mnt_namespaces",
                                  "user/max_net_namespaces",
                                  "user/max_pid_namespaces"};

std::string line_of(const std::string& path) {
  std::string text = read_file(path, kSettingBytesMax).value_or("");
  std::erase(text, '\n');
  return text;
}

std::string settings_text() {
  std::string text;
  for (const char* setting : kSettings)
    text += std::string(setting) + "=" + line_of("/proc/sys/" + std::string(setting)) + ";";
  // A container's filters are part of what was found, and are not those of the next one.
  const std::string status = read_file("/proc/self/status", kSettingBytesMax).value_or("");
  for (const char* field : {"NoNewPrivs:", "Seccomp:", "Seccomp_filters:", "CapEff:", "CapBnd:"}) {
    const std::size_t at = status.find("\n" + std::string(field));
    if (at == std::string::npos) continue;
    text += status.substr(at + 1, status.find('\n', at + 1) - at - 1) + ";";
  }
  std::ranges::replace(text, '\t', ' ');
  return text;
}

std::string identity_of(const char* path) {
  struct stat info{};
  if (::stat(path, &info) != 0) return "unknown";
  return std::to_string(info.st_dev) + ":" + std::to_string(info.st_ino) + " " +
         std::to_string(info.st_size) + " " + std::to_string(info.st_ctim.tv_sec) + "." +
         std::to_string(info.st_ctim.tv_nsec);
}

std::int64_t milliseconds(Instant instant) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(instant.time_since_epoch()).count();
}

// Nothing better is to be found by looking again.
bool is_best(const ProbeReport& report) {
  return !report.rungs.empty() && report.rungs.front().works && report.user_notify;
}

}  // namespace

ProbeKey probe_key(const HostFacts& host) {
  return {.program = identity_of("/proc/self/exe"),
          .boot = line_of("/proc/sys/kernel/random/boot_id"),
          .user = std::to_string(host.uid) + " in " + identity_of("/proc/self/ns/user"),
          .settings = settings_text()};
}

std::string to_json(const ProbeReport& report, const ProbeKey& key, Instant made) {
  Json rungs = Json::array();
  for (const RungProbe& rung : report.rungs)
    rungs.push_back({{"rung", name_of(rung.rung)},
                     {"root_mode", name_of(rung.root_mode)},
                     {"works", rung.works},
                     {"failure", rung.failure}});
  const Json json = {{"version", kReportVersion},
                     {"program", key.program},
                     {"boot", key.boot},
                     {"user", key.user},
                     {"settings", key.settings},
                     {"made_ms", milliseconds(made)},
                     {"rungs", rungs},
                     {"user_notify", report.user_notify},
                     {"landlock_abi", report.landlock_abi},
                     {"memory", name_of(report.memory)},
                     {"pids", name_of(report.pids)},
                     {"cpu", name_of(report.cpu)}};
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<ProbeReport> probe_report_from_json(std::string_view text, const ProbeKey& key,
                                           Instant now) {
  const Error malformed{ErrorCode::bad_data, "probe report: of something else, old, or malformed"};
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object() || json.value("version", Json()) != Json(kReportVersion) ||
      json.value("program", Json()) != Json(key.program) ||
      json.value("boot", Json()) != Json(key.boot) ||
      json.value("user", Json()) != Json(key.user) ||
      json.value("settings", Json()) != Json(key.settings))
    return fail(malformed);
  const Json made = json.value("made_ms", Json());
  const Json rungs = json.value("rungs", Json());
  const Json notify = json.value("user_notify", Json());
  const Json abi = json.value("landlock_abi", Json());
  if (!made.is_number_integer() || !rungs.is_array() || !notify.is_boolean() ||
      !abi.is_number_integer())
    return fail(malformed);
  ProbeReport report;
  for (const Json& entry : rungs) {
    if (!entry.is_object() || !entry.value("works", Json()).is_boolean() ||
        !entry.value("failure", Json()).is_string())
      return fail(malformed);
    report.rungs.push_back({TRY(named(entry, "rung", kRungs)),
                            TRY(named(entry, "root_mode", kRootModes)), entry["works"].get<bool>(),
                            entry["failure"].get<std::string>()});
  }
  report.user_notify = notify.get<bool>();
  report.landlock_abi = abi.get<int>();
  report.memory = TRY(named(json, "memory", kLimitsBy));
  report.pids = TRY(named(json, "pids", kLimitsBy));
  report.cpu = TRY(named(json, "cpu", kLimitsBy));
  const std::int64_t age_ms = milliseconds(now) - made.get<std::int64_t>();
  if (age_ms < 0 || (!is_best(report) && age_ms > milliseconds(Instant(kNegativeKept))))
    return fail(malformed);
  return report;
}

namespace {

// The same user may run in several containers of one boot, each with its own file system.
std::filesystem::path report_file(const std::filesystem::path& cache, const HostFacts& host) {
  return cache / ("sandbox-" + std::to_string(host.uid) + ".json");
}

}  // namespace

asio::awaitable<ProbeReport> probe_anew(ZygoteProcess& zygote, Clock& clock, HostFacts host,
                                        std::filesystem::path cache) {
  // Not below home or what TMPDIR names, which may be closed to the id that root's commands run
  // under: the machine would seem to allow less than it does.
  std::string scratch = "/tmp/fathom-probe-XXXXXX";
  if (::mkdtemp(scratch.data()) == nullptr) co_return ProbeReport{};
  const ProbeKey key = probe_key(host);
  ProbeReport report = co_await probe(zygote, clock, host, scratch);
  std::error_code ignored;
  std::filesystem::remove_all(scratch, ignored);
  if (create_private_dirs(cache))
    (void)write_file_atomic(report_file(cache, host), to_json(report, key, clock.now()), Sync::no);
  co_return report;
}

asio::awaitable<ProbeReport> probe_once_a_boot(ZygoteProcess& zygote, Clock& clock, HostFacts host,
                                               std::filesystem::path cache) {
  if (const auto text = read_file(report_file(cache, host), kReportBytesMax))
    if (auto kept = probe_report_from_json(*text, probe_key(host), clock.now()))
      co_return *std::move(kept);
  co_return co_await probe_anew(zygote, clock, std::move(host), std::move(cache));
}

}  // namespace fathom::sandbox
