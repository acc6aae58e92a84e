// Launcher: one agent's sandbox. Opens a session on the strongest rung that this machine allows,
// refuses when the policy requires more than that, and runs commands in it.
#pragma once

#include "runtime/async/clock.hpp"
#include "runtime/async/task_group.hpp"
#include "sandbox/connect_broker.hpp"
#include "sandbox/control_groups.hpp"
#include "sandbox/denied_paths.hpp"
#include "sandbox/egress/egress_broker.hpp"
#include "sandbox/filter_cache.hpp"
#include "sandbox/host.hpp"
#include "sandbox/ladder.hpp"
#include "sandbox/outcome.hpp"
#include "sandbox/prober.hpp"
#include "sandbox/run_command.hpp"
#include "sandbox/scratch_folder.hpp"
#include "sandbox/session.hpp"
#include "sandbox/workspace_guard.hpp"

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace fathom::sandbox {

enum class GroupUse : std::uint8_t {
  where_possible,
  never,  ///< limits by the user namespace and by polling: a session opens 5 to 10 ms sooner under
          ///< v1
};

struct LauncherOptions {
  policies::Policy policy;
  HostFacts host;
  Workspace workspace;
  Mode mode = Mode::direct;
  policies::Phase phase = policies::Phase::agent;
  std::vector<std::string> environment;  ///< the runtime's, of which the policy passes some
  std::filesystem::path state;  ///< folder for quarantine and overlays, outside the workspace
  std::filesystem::path
      transaction;  ///< of transaction mode: an existing folder with "upper" and "work"
  std::optional<ProbeReport> probes;  ///< rungs that it saw fail are not tried
  GroupUse groups = GroupUse::where_possible;
  std::optional<Rung> rung;        ///< this rung or none; by default the strongest that works
  OnEgressRecord on_egress;        ///< hears every connection and look-up; may be empty
  std::size_t prepared_cells = 1;  ///< kept ready, so that the next command starts sooner
  const trace::BlobStore* blobs = nullptr;  ///< takes whole outputs; may be absent
  FilterCache* filters = nullptr;           ///< shared by several launchers; may be absent
  OffloadPool* offload = nullptr;  ///< blocking work leaves the calling thread; may be absent
};

struct Command {
  std::vector<std::string> argv;
  std::string working_dir;  ///< absolute; "" is the workspace
  std::vector<policies::EnvironmentVariable> environment;
  std::optional<Duration> time;  ///< shorter than the policy's, never longer
  int input = -1;
  std::function<void(OutputStream, std::string_view)> on_output;
  std::function<void(UniqueFd)> on_terminal;  ///< set: it runs on a pseudo-terminal of its own
};

/// Why a launcher did not open, for people and --json.
struct Refusal {
  std::string message;
  std::vector<GuaranteeState> missing;  ///< what the policy requires and this machine does not give
};

class Launcher {
 public:
  /// Nothing has run when this fails. `refusal` then says which guarantees are missing, if that was
  /// it.
  static asio::awaitable<Result<std::unique_ptr<Launcher>>> open(ZygoteProcess& zygote,
                                                                 Clock& clock,
                                                                 LauncherOptions options,
                                                                 Refusal* refusal = nullptr);
  ~Launcher();
  Launcher(const Launcher&) = delete;
  Launcher& operator=(const Launcher&) = delete;

  /// Runs one command to its end. The policy's decision about it is the caller's to ask
  /// (policies::decide); what the kernel enforces is the same whatever was decided.
  asio::awaitable<Outcome> run(Command command);

  /// Ends the session and waits for its last process.
  asio::awaitable<void> close();

  [[nodiscard]] const std::vector<GuaranteeState>& guarantees() const { return guarantees_; }
  [[nodiscard]] Rung rung() const { return footing_.rung; }
  /// The session's plan, for `explain` and tests.
  [[nodiscard]] const SessionPlan& plan() const { return plan_; }

 private:
  Launcher(ZygoteProcess& zygote, Clock& clock, LauncherOptions options);
  struct Attempt;
  Result<> make_services(const asio::any_io_executor& executor);
  void take_egress(const EgressRecord& record);
  Result<std::unique_ptr<Cell>> begin();
  asio::awaitable<Result<>> open_strongest();
  void finish(Outcome& outcome);
  asio::awaitable<Result<>> try_open(const Attempt& attempt);
  void make_groups(const Attempt& attempt);
  [[nodiscard]] std::vector<Attempt> attempts() const;
  Result<std::unique_ptr<Cell>> prepare_cell(const MountRecipe* extra = nullptr);
  Result<std::unique_ptr<Cell>> take_cell();
  [[nodiscard]] LaunchPlan launch_plan(const Command& command) const;
  Result<> make_scratch();
  asio::awaitable<Outcome> run_once(const Command& command);
  void name_reads(Outcome& outcome, const Command& command) const;
  HostPath look_once(const std::string& path);
  void explain(Outcome& outcome, const GroupCounts& before) const;

  ZygoteProcess& zygote_;
  Clock& clock_;
  LauncherOptions options_;
  ControlGroups groups_;
  std::map<std::string, HostPath> looked_at_;  ///< links are resolved once a session
  FileFences fences_;
  ScratchFolder scratch_;
  std::unique_ptr<ConnectBroker> broker_;
  bool may_listen_ = true;  ///< until the kernel refuses a seccomp listener
  SessionPlan plan_;
  Footing footing_;
  std::vector<GuaranteeState> guarantees_;
  std::optional<WorkspaceGuard> guard_;  ///< of a workspace that is written directly
  std::unique_ptr<EgressBroker> egress_;
  std::unique_ptr<Session> session_;
  std::vector<std::unique_ptr<Cell>> prepared_;
  std::vector<std::vector<EgressRecord>*> running_;  ///< where each command's connections are noted
  std::optional<TaskGroup> tasks_;                   ///< what serves the session
};

}  // namespace fathom::sandbox
