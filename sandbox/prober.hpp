// The prober: which rungs of the ladder this machine really holds. Every rung is opened as a
// session and a restricted child tries what it must not be able to do (zygote/self_check.cpp);
// nothing is concluded from versions or from files below /proc. Costs about 10 ms a rung and is
// kept (probe_cache.cpp).
#pragma once

#include "runtime/async/clock.hpp"
#include "sandbox/control_groups.hpp"
#include "sandbox/ladder.hpp"
#include "sandbox/zygote_process.hpp"

#include <boost/asio/awaitable.hpp>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace fathom::sandbox {

struct RungProbe {
  Rung rung = Rung::full;
  RootMode root_mode = RootMode::idmapped;
  bool works = false;
  std::string failure;  ///< stage and errno, or the names of the checks that failed

  friend bool operator==(const RungProbe&, const RungProbe&) = default;
};

struct ProbeReport {
  std::vector<RungProbe> rungs;  ///< strongest first
  bool user_notify = false;
  int landlock_abi = 0;
  LimitBy memory = LimitBy::polling;
  LimitBy pids = LimitBy::nothing;
  LimitBy cpu = LimitBy::nothing;

  /// What a session of the strongest working rung stands on; nullopt: nothing works.
  [[nodiscard]] std::optional<Footing> best(bool root) const;

  friend bool operator==(const ProbeReport&, const ProbeReport&) = default;
};

/// Tries everything. `scratch` is an existing private folder of this user.
asio::awaitable<ProbeReport> probe(ZygoteProcess& zygote, Clock& clock, HostFacts host,
                                   std::filesystem::path scratch);

/// A fresh report, kept below `cache` for others. What cannot be kept costs time, nothing else.
asio::awaitable<ProbeReport> probe_anew(ZygoteProcess& zygote, Clock& clock, HostFacts host,
                                        std::filesystem::path cache);

/// The kept report, when it is still about this program, boot, user and the settings of the kernel
/// that it depends on, or a fresh one.
asio::awaitable<ProbeReport> probe_once_a_boot(ZygoteProcess& zygote, Clock& clock, HostFacts host,
                                               std::filesystem::path cache);

/// What a report is about. One that was made under another is of no use.
struct ProbeKey {
  std::string program;   ///< device, inode, size and change of the program's file
  std::string boot;      ///< id of the boot
  std::string user;      ///< its id and its user namespace
  std::string settings;  ///< of the kernel, and the filters that lie on this process

  friend bool operator==(const ProbeKey&, const ProbeKey&) = default;
};
ProbeKey probe_key(const HostFacts& host);

/// A report that says that the strongest rung does not work is believed for so long: the next
/// command after a fix need not be `doctor`.
inline constexpr Duration kNegativeKept = std::chrono::minutes(10);

/// `made` and `now` are instants of one boot.
std::string to_json(const ProbeReport& report, const ProbeKey& key, Instant made);
Result<ProbeReport> probe_report_from_json(std::string_view json, const ProbeKey& key, Instant now);

}  // namespace fathom::sandbox
