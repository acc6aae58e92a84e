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
#include "sandbox/hidden_paths.hpp"
#include "sandbox/host.hpp"
#include "sandbox/ladder.hpp"
#include "sandbox/metadata_broker.hpp"
#include "sandbox/outcome.hpp"
#include "sandbox/prober.hpp"
#include "sandbox/refusal.hpp"
#include "sandbox/run_command.hpp"
#include "sandbox/scratch_folder.hpp"
#include "sandbox/session.hpp"
#include "sandbox/shared_memory.hpp"
#include "sandbox/workspace_guard.hpp"

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace fathom::sandbox {

struct Brokers;  // notify_supervisor.hpp

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
  std::optional<Rung> rung;  ///< this rung or none; by default the strongest that works
  OnEgressRecord on_egress;  ///< hears every connection and look-up; may be empty
  std::function<void(EgressOptions&)> change_egress;  ///< tests' own name servers; may be empty
  std::size_t prepared_cells = 1;           ///< kept ready, so that the next command starts sooner
  const trace::BlobStore* blobs = nullptr;  ///< takes whole outputs; may be absent
  FilterCache* filters = nullptr;           ///< shared by several launchers; may be absent
  OffloadPool* offload = nullptr;  ///< blocking work leaves the calling thread; may be absent
};

/// How long a command may go on: as long as the policy says, or, for a server of the session's own,
/// until the session ends it. Every other limit holds for both; of a service's output, which is a
/// conversation, only head and tail are kept.
enum class Lifetime : std::uint8_t { limited, service };

struct Command {
  std::vector<std::string> argv;
  std::string working_dir;  ///< absolute; "" is the workspace
  std::vector<policies::EnvironmentVariable> environment;
  std::optional<Duration> time;  ///< shorter than the policy's, never longer
  Lifetime lifetime = Lifetime::limited;
  int input = -1;
  std::function<void(OutputStream, std::string_view)> on_output;
  std::function<void(UniqueFd)> on_terminal;  ///< set: it runs on a pseudo-terminal of its own
};

/// The workspace as commands see it when edits are not direct, for tools in the runtime's own
/// process. Files are made through `folder` only by the session's own ids.
struct WorkspaceView {
  UniqueFd folder;  ///< opened as a path
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
};

class LimitWatch;

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

  /// For one use: the session may be opened anew with any command, and a view that outlives it
  /// would be another overlay over the same layer.
  [[nodiscard]] Result<WorkspaceView> view() const;

  [[nodiscard]] const std::vector<GuaranteeState>& guarantees() const { return guarantees_; }
  [[nodiscard]] Rung rung() const { return footing_.rung; }
  /// Processor time of all commands so far; of those that run, as it was up to kLookInterval ago.
  [[nodiscard]] std::chrono::milliseconds cpu_used() const;
  /// The session's plan, for `explain` and tests.
  [[nodiscard]] const SessionPlan& plan() const { return plan_; }

 private:
  Launcher(ZygoteProcess& zygote, Clock& clock, LauncherOptions options);
  struct Attempt;
  Result<> make_services(const asio::any_io_executor& executor);
  void take_egress(const EgressRecord& record);
  Result<std::unique_ptr<Cell>> begin();
  Result<> cover_hidden(MountRecipe& extra);
  asio::awaitable<Result<>> reopen();
  asio::awaitable<Result<>> renew_rules();
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
  [[nodiscard]] Brokers brokers() const;
  void explain(Outcome& outcome, const GroupCounts& before) const;

  ZygoteProcess& zygote_;
  Clock& clock_;
  LauncherOptions options_;
  ControlGroups groups_;
  std::map<std::string, HostPath> looked_at_;  ///< links are resolved once a session
  FileFences fences_;
  HiddenPaths hidden_;
  ScratchFolder scratch_;
  std::unique_ptr<ConnectBroker> broker_;
  MetadataBroker metadata_{fences_};
  std::optional<SharedMemory> shared_memory_;  ///< of a session that has no mounts
  bool may_listen_ = true;                     ///< until the kernel refuses a seccomp listener
  SessionPlan plan_;
  Footing footing_;
  std::vector<GuaranteeState> guarantees_;
  std::optional<WorkspaceGuard> guard_;  ///< of a workspace that is written directly
  std::unique_ptr<EgressBroker> egress_;
  std::unique_ptr<Session> session_;
  std::vector<std::unique_ptr<Cell>> prepared_;
  std::vector<std::vector<EgressRecord>*> running_;  ///< where each command's connections are noted
  std::vector<const LimitWatch*> watched_;           ///< of the commands that run
  std::chrono::microseconds cpu_ended_{0};           ///< of those that have ended
  std::optional<TaskGroup> tasks_;                   ///< what serves the session
};

}  // namespace fathom::sandbox
