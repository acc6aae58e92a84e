// Toolbox: the tools of one run, wired to its workspace, policy, sandbox, journal and snapshots.
// It decides nothing; whoever runs an agent, or one call for a person, asks its dispatcher.
#pragma once

#include "agents/run_store.hpp"
#include "engine/session/engine.hpp"
#include "policies/policy.hpp"
#include "runtime/async/clock.hpp"
#include "runtime/async/offload.hpp"
#include "runtime/base/paths.hpp"
#include "runtime/trace/blob_store.hpp"
#include "runtime/trace/journal.hpp"
#include "tools/commands.hpp"
#include "tools/dispatch.hpp"
#include "tools/edit/workspace_files.hpp"
#include "tools/git/snapshots.hpp"
#include "tools/mcp/mcp_servers.hpp"
#include "tools/shell/bash_tool.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fathom::agents {

/// Every tool there is, in the order of reports.
std::vector<std::string_view> known_tools();
/// What an agent has that asks for nothing else: the surface that V4 was trained on.
std::vector<std::string> default_tools();

struct ToolboxOptions {
  std::filesystem::path repository = ".";
  std::string policy;  ///< name or file; "" is default
  /// Policies that can only take away from it: of the sub-agents that this one is the child of.
  std::vector<std::string> narrowed_by;
  std::vector<std::string> tools;  ///< empty: default_tools()
  /// Servers whose tools come on top, as parse_mcp_server() reads them. The Authorization header
  /// of one behind a URL is in FATHOM_MCP_AUTHORIZATION_NAME: command lines are everybody's to
  /// read.
  std::vector<std::string> mcp;
  policies::Verdict start_mcp_if = policies::Verdict::allow;  ///< `ask`: a person has agreed
  tools::Calls calls = tools::Calls::many;                    ///< `one`: no job can be asked about
  /// Where edits go. Unless it is direct, bash, the editor, search, list and tool servers share an
  /// overlay, whose session is opened at once; git and run_tests, which work on the host's files,
  /// refuse every call, and there are no snapshots: nothing is there to undo.
  sandbox::Mode mode = sandbox::Mode::direct;
  /// Of mode transaction: the folder of a sandbox::Transaction that the caller holds meanwhile, and
  /// ends after close().
  std::filesystem::path transaction;
  std::optional<RunId> resume;  ///< a run whose journal goes on; absent: a new one
  /// Further tools, of whoever embeds the runtime.
  std::vector<std::unique_ptr<tools::Tool>> more;
  /// Writes the dispatcher's events; absent: straight into the journal.
  tools::EventSink events;
  tools::Approver approve;  ///< absent: what would be asked is denied
  std::function<void(const std::string& call_id, std::string_view)> on_output;
  tools::ClipOptions clip;
};

class Toolbox {
 public:
  struct Surroundings {
    sandbox::ZygoteProcess& zygote;
    Clock& clock;
    OffloadPool& offload;
    asio::any_io_executor executor;
    const GetEnv& env;
  };
  /// Begins a run: its journal exists from here on. Nothing of the sandbox is started before a
  /// tool needs it; tool servers need it now.
  static asio::awaitable<Result<std::unique_ptr<Toolbox>>> open(Surroundings around,
                                                                ToolboxOptions options);
  ~Toolbox();
  Toolbox(const Toolbox&) = delete;
  Toolbox& operator=(const Toolbox&) = delete;

  [[nodiscard]] tools::Dispatcher& dispatcher() { return *dispatcher_; }
  [[nodiscard]] const tools::ToolSet& tools() const { return tools_; }
  [[nodiscard]] trace::Journal& journal() { return *journal_; }
  [[nodiscard]] const trace::BlobStore& blobs() const { return *blobs_; }
  [[nodiscard]] const policies::Policy& policy() const { return policy_; }
  [[nodiscard]] const std::string& workspace() const { return workspace_; }
  [[nodiscard]] const RunId& run() const { return run_; }
  /// After close(): whether the workspace is another one than before the first writing call. There
  /// is something to undo then.
  [[nodiscard]] bool has_changed() const { return has_changed_; }
  /// After close(): what the workspace has become since the first writing call, whoever made it so;
  /// absent when it is as before. Of a run that is resumed, since that.
  asio::awaitable<Result<std::optional<tools::SnapshotDiff>>> changes();
  /// After close(): what became of `.git` meanwhile that undo does not take back, a line each.
  [[nodiscard]] std::vector<std::string> git_changes() const;
  /// Names the state of the workspace before the last writing call; absent before the first.
  [[nodiscard]] std::optional<std::string> workspace_key() const;
  /// What of the tool servers is not there, a line each.
  [[nodiscard]] std::vector<std::string> notes() const;
  /// Why the tool server that a tool of this name would be of has none; null when it is not that.
  [[nodiscard]] const tools::McpServers::Trouble* trouble_behind(std::string_view tool) const;
  /// How commands of the run are run, for those that no model asks for. Nobody decides about them.
  [[nodiscard]] tools::Commands& commands() { return *commands_; }
  /// What calls can usefully be now, by tool; those of which any will do are not among them. Blocks
  /// on files.
  [[nodiscard]] std::vector<engine::CallForms> forms() const;
  /// The shell's jobs, a line each; "" when there are none.
  [[nodiscard]] std::string jobs_text() const;
  /// Where all of a result is that was cut, as a path that the model can read; its name where no
  /// file has it any more.
  [[nodiscard]] std::string whole_at(std::string_view blob) const;
  /// Processor time of all commands so far.
  [[nodiscard]] Duration cpu_used() const { return commands_->cpu_used(); }
  /// Whether edits go straight into the workspace: only there is something to come back to.
  [[nodiscard]] bool is_direct() const { return mode_ == sandbox::Mode::direct; }

  /// Takes a snapshot to come back to; the journal has it as one before a call named `call`, so an
  /// undo of the run goes back to it too. `unsupported` where edits are kept apart.
  asio::awaitable<Result<tools::SnapshotId>> mark(std::string call);
  /// Ends the shell's jobs, and makes the workspace what it was at the mark: what of it is not
  /// ignored. `Restored::before` is how it was until now.
  asio::awaitable<Result<tools::Snapshots::Restored>> go_back(tools::SnapshotId mark);

  /// What the sandbox lacks, when opening it was refused.
  [[nodiscard]] const std::optional<sandbox::Refusal>& refusal() const;

  /// Ends jobs and the sandbox, takes the last snapshot, and ends the journal with `run.finished`.
  asio::awaitable<Result<>> close(std::string finished_data);

 private:
  explicit Toolbox(Surroundings around) : around_(std::move(around)) {}
  Result<> begin(const ToolboxOptions& options);
  asio::awaitable<Result<>> open_sandbox();
  asio::awaitable<Result<>> start_servers(std::vector<tools::McpServerConfig> configs,
                                          policies::Verdict start_if);
  Result<> finish(ToolboxOptions options);
  asio::awaitable<void> end_commands();
  Result<> open_journal(const ToolboxOptions& options);
  Result<> make_tools(const std::vector<std::string>& names,
                      std::vector<std::unique_ptr<tools::Tool>> more);
  Result<std::unique_ptr<tools::Tool>> make_tool(std::string_view name);
  Result<std::unique_ptr<tools::WorkspaceFiles>> open_files();
  asio::awaitable<Result<tools::SnapshotRecord>> snapshot(std::string label);
  Result<> open_snapshots();
  asio::awaitable<Result<>> end_snapshots();
  asio::awaitable<Result<std::string>> take_snapshot(const ToolCall& call);

  Surroundings around_;
  std::optional<RunStore> runs_;
  RunId run_;
  std::string workspace_;
  policies::Policy policy_;
  std::optional<trace::BlobStore> blobs_;
  std::unique_ptr<trace::Journal> journal_;
  std::unique_ptr<tools::SandboxCommands> commands_;
  std::unique_ptr<tools::McpServers> servers_;
  std::optional<tools::OutputFiles> outputs_;
  std::unique_ptr<tools::WorkspaceFiles> files_;
  std::optional<tools::Snapshots> snapshots_;
  tools::BashTool* bash_ = nullptr;  ///< one of tools_: its jobs end before the sandbox does
  tools::ToolSet tools_;
  std::string start_snapshot_;  ///< before tool servers, which may write as they start
  tools::Calls calls_ = tools::Calls::many;
  sandbox::Mode mode_ = sandbox::Mode::direct;
  std::optional<tools::SnapshotRecord> first_;  ///< before the first writing call
  std::optional<tools::SnapshotRecord> left_;   ///< after close()
  std::optional<tools::ObjectId> last_root_;
  bool has_changed_ = false;
  std::optional<tools::Dispatcher> dispatcher_;
};

/// What a person is told of a tool.
struct ToolDoc {
  tools::ToolSpec spec;
  std::string signature;
  bool is_default = false;
};
/// Of every known tool, without a run.
Result<std::vector<ToolDoc>> tool_docs();

}  // namespace fathom::agents
