#include "agents/cli/sandbox_report.hpp"

#include "runtime/base/file.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <unistd.h>

#include <optional>

namespace fathom::agents {
namespace {

Health health_of(policies::Strength strength) {
  switch (strength) {
    case policies::Strength::enforced:
      return Health::ok;
    case policies::Strength::best_effort:
      return Health::note;
    case policies::Strength::none:
      return Health::note;  // a policy decides what it needs; `require` refuses to run without
  }
  return Health::missing;
}

std::string rung_text(sandbox::Rung rung, sandbox::RootMode mode, bool root) {
  std::string text(sandbox::name_of(rung));
  if (root && rung != sandbox::Rung::container && rung != sandbox::Rung::container_old)
    text += " (" + std::string(sandbox::name_of(mode)) + ")";
  return text;
}

}  // namespace

Result<sandbox::ProbeReport> probe_sandbox(const GetEnv& env) {
  const auto zygote = TRY(sandbox::ZygoteProcess::start());
  const std::filesystem::path cache = TRY(cache_dir(env));
  SystemClock clock;
  asio::io_context io{1};
  std::optional<sandbox::ProbeReport> report;
  asio::co_spawn(io, sandbox::probe_anew(*zygote, clock, sandbox::look_at_host(env), cache),
                 [&](std::exception_ptr error, sandbox::ProbeReport probed) {
                   if (error) std::rethrow_exception(error);
                   report = std::move(probed);
                 });
  io.run();
  return *std::move(report);
}

Section describe_sandbox(const sandbox::ProbeReport& report, bool root) {
  Section section{"sandbox", {}};
  const std::optional<sandbox::Footing> best = report.best(root);
  section.findings.push_back(
      best ? Finding{"rung", Health::ok, rung_text(best->rung, best->root_mode, root), ""}
           : Finding{"rung", Health::missing, "none: no command can be confined here",
                     "allow user namespaces, or boot a kernel of 6.7 or newer with landlock in its "
                     "lsm= list"});
  if (best)
    for (const sandbox::GuaranteeState& state : sandbox::guarantees_of(*best)) {
      std::string value = std::string(policies::name_of(state.strength)) + ": " + state.mechanism;
      if (!state.reason.empty()) value += "; " + state.reason;
      section.findings.push_back({std::string(policies::name_of(state.guarantee)),
                                  health_of(state.strength), std::move(value), state.fix});
    }
  section.findings.push_back(
      {"user_notify", report.user_notify ? Health::ok : Health::note,
       report.user_notify ? "answers" : "no: denials are not named, containers get no loopback",
       report.user_notify
           ? ""
           : "use a kernel of 5.14 or newer and an outer filter that allows seccomp(2)"});
  for (const sandbox::RungProbe& rung : report.rungs)
    if (!rung.works)
      section.findings.push_back({"without", Health::note,
                                  rung_text(rung.rung, rung.root_mode, root) + ": " + rung.failure,
                                  ""});
  return section;
}

}  // namespace fathom::agents
