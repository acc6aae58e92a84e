#include "runtime/base/file.hpp"
#include "sandbox/prober.hpp"

#include <nlohmann/json.hpp>

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>

namespace fathom::sandbox {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kReportBytesMax = 64UL << 10;
constexpr int kReportVersion = 1;  // of this file's form and of what is probed

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

std::string boot_id() {
  auto text = read_file("/proc/sys/kernel/random/boot_id", 128);
  if (!text) return "";
  std::erase(*text, '\n');
  return *text;
}

}  // namespace

std::string to_json(const ProbeReport& report) {
  Json rungs = Json::array();
  for (const RungProbe& rung : report.rungs)
    rungs.push_back({{"rung", name_of(rung.rung)},
                     {"root_mode", name_of(rung.root_mode)},
                     {"works", rung.works},
                     {"failure", rung.failure}});
  const Json json = {{"version", kReportVersion},
                     {"boot", boot_id()},
                     {"rungs", rungs},
                     {"user_notify", report.user_notify},
                     {"landlock_abi", report.landlock_abi},
                     {"memory", name_of(report.memory)},
                     {"pids", name_of(report.pids)}};
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<ProbeReport> probe_report_from_json(std::string_view text) {
  const Error malformed{ErrorCode::bad_data, "probe report: not of this boot, or malformed"};
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object() || json.value("version", Json()) != Json(kReportVersion) ||
      json.value("boot", Json()) != Json(boot_id()))
    return fail(malformed);
  const Json rungs = json.value("rungs", Json());
  const Json notify = json.value("user_notify", Json());
  const Json abi = json.value("landlock_abi", Json());
  if (!rungs.is_array() || !notify.is_boolean() || !abi.is_number_integer()) return fail(malformed);
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
  // Not below home, which may be closed to the id that root's commands run under.
  std::string scratch = (std::filesystem::temp_directory_path() / "fathom-probe-XXXXXX").string();
  if (::mkdtemp(scratch.data()) == nullptr) co_return ProbeReport{};
  ProbeReport report = co_await probe(zygote, clock, host, scratch);
  std::error_code ignored;
  std::filesystem::remove_all(scratch, ignored);
  if (create_private_dirs(cache))
    (void)write_file_atomic(report_file(cache, host), to_json(report), Sync::no);
  co_return report;
}

asio::awaitable<ProbeReport> probe_once_a_boot(ZygoteProcess& zygote, Clock& clock, HostFacts host,
                                               std::filesystem::path cache) {
  if (const auto text = read_file(report_file(cache, host), kReportBytesMax))
    if (auto kept = probe_report_from_json(*text)) co_return *std::move(kept);
  co_return co_await probe_anew(zygote, clock, std::move(host), std::move(cache));
}

}  // namespace fathom::sandbox
