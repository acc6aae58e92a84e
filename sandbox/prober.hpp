// The prober: which rungs of the ladder this machine really holds. Every rung is opened as a
// session and a restricted child tries what it must not be able to do (zygote/self_check.cpp);
// nothing is concluded from versions or from files below /proc. Costs about 10 ms a rung and is
// kept per boot.
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

/// The kept report of this boot and user, or a fresh one.
asio::awaitable<ProbeReport> probe_once_a_boot(ZygoteProcess& zygote, Clock& clock, HostFacts host,
                                               std::filesystem::path cache);

std::string to_json(const ProbeReport& report);
Result<ProbeReport> probe_report_from_json(std::string_view json);

}  // namespace fathom::sandbox
