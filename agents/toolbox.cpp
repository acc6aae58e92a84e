#include "agents/toolbox.hpp"

#include "agents/config.hpp"
#include "agents/run_start.hpp"
#include "policies/policy_files.hpp"
#include "policies/shipped.hpp"
#include "runtime/base/ensure.hpp"
#include "runtime/base/file.hpp"
#include "runtime/base/text.hpp"
#include "sandbox/environment.hpp"
#include "tools/edit/editor_tool.hpp"
#include "tools/edit/overlay_files.hpp"
#include "tools/git/git_tool.hpp"
#include "tools/refused_tool.hpp"
#include "tools/run_tests.hpp"
#include "tools/search/list_tool.hpp"
#include "tools/search/search_tool.hpp"
#include "tools/shell/bash_tool.hpp"

#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <exception>
#include <utility>

namespace fathom::agents {
namespace {

struct KnownTool {
  const tools::ToolSpec& (*description)();
  bool is_default = false;
};

// The header that a server behind a URL asks for, from the environment.
Result<std::vector<tools::McpServerConfig>> server_configs(const std::vector<std::string>& texts,
                                                           const GetEnv& env) {
  std::vector<tools::McpServerConfig> configs;
  for (const std::string& text : texts) {
    configs.push_back(TRY(tools::parse_mcp_server(text)));
    tools::McpServerConfig& config = configs.back();
    if (!config.url) continue;
    std::string variable = "FATHOM_MCP_AUTHORIZATION_";
    for (const char c : config.name)
      variable += c == '-' ? '_' : c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    std::string value = env(variable.c_str());
    if (!std::ranges::all_of(value, [](char c) { return c >= ' ' && c < '\x7f'; }))
      return fail(ErrorCode::usage, variable + ": a header's value is visible ASCII");
    if (!value.empty()) config.headers.add("Authorization", std::move(value));
  }
  return configs;
}

constexpr std::array kKnownTools = {KnownTool{&tools::BashTool::description, true},
                                    KnownTool{&tools::EditorTool::description, true},
                                    KnownTool{&tools::SearchTool::description},
                                    KnownTool{&tools::ListTool::description},
                                    KnownTool{&tools::GitTool::description},
                                    KnownTool{&tools::RunTests::description}};

}  // namespace

std::vector<std::string_view> known_tools() {
  std::vector<std::string_view> names;
  names.reserve(kKnownTools.size());
  for (const KnownTool& known : kKnownTools) names.emplace_back(known.description().name);
  return names;
}

std::vector<std::string> default_tools() {
  std::vector<std::string> names;
  for (const KnownTool& known : kKnownTools)
    if (known.is_default) names.push_back(known.description().name);
  return names;
}

Result<std::vector<ToolDoc>> tool_docs() {
  std::vector<ToolDoc> docs;
  for (const KnownTool& known : kKnownTools) {
    const tools::ToolSpec& spec = known.description();
    const auto schema = TRY(tools::ArgumentSchema::compile(spec.name, spec.parameters));
    docs.push_back({spec, schema.signature(), known.is_default});
  }
  return docs;
}

Toolbox::~Toolbox() = default;

asio::awaitable<Result<std::unique_ptr<Toolbox>>> Toolbox::open(Surroundings around,
                                                                ToolboxOptions options) {
  CO_TRY(auto configs, server_configs(options.mcp, around.env));
  std::unique_ptr<Toolbox> box(new Toolbox(std::move(around)));
  if (const Result<> begun = box->begin(options); !begun) co_return fail(begun.error());
  std::exception_ptr unwinding;
  Result<> ready;
  try {
    auto opening = box->open_sandbox();
    ready = co_await std::move(opening);
    if (ready) {
      auto starting = box->start_servers(std::move(configs), options.start_mcp_if);
      ready = co_await std::move(starting);
    }
  } catch (const boost::system::system_error&) {
    unwinding = std::current_exception();
  }
  if (ready && !unwinding) ready = box->finish(std::move(options));
  if (ready && !unwinding) co_return box;
  co_await asio::this_coro::throw_if_cancelled(false);
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  co_await box->end_commands();
  if (unwinding) std::rethrow_exception(unwinding);
  co_return fail(ready.error());
}

// An overlay is there while a session holds it, so the editor cannot wait for the first command.
asio::awaitable<Result<>> Toolbox::open_sandbox() {
  if (mode_ == sandbox::Mode::direct) co_return Result<>{};
  auto opening = commands_->open();
  co_return co_await std::move(opening);
}

asio::awaitable<Result<>> Toolbox::start_servers(std::vector<tools::McpServerConfig> configs,
                                                 policies::Verdict start_if) {
  if (configs.empty()) co_return Result<>{};
  if (mode_ == sandbox::Mode::direct) {
    auto taking = snapshot("run " + run_.to_string() + " tool servers");
    CO_TRY(const tools::SnapshotRecord before, co_await std::move(taking));
    start_snapshot_ = before.id.to_string();
    first_ = before;
  }
  CO_TRY(servers_, tools::McpServers::create({around_.executor, around_.clock, *commands_, policy_,
                                              workspace_, around_.env, start_if},
                                             std::move(configs)));
  auto starting = servers_->start();
  co_await std::move(starting);
  co_return Result<>{};
}

Result<> Toolbox::begin(const ToolboxOptions& options) {
  sandbox::LauncherOptions launcher;
  launcher.host = sandbox::look_at_host(around_.env);
  launcher.workspace = TRY(sandbox::open_workspace(options.repository.string(), launcher.host));
  workspace_ = launcher.workspace.root;
  auto effective = TRY(policies::load_effective_policy(
      {workspace_, options.policy, options.narrowed_by}, around_.env));
  policy_ = std::move(effective.policy);
  auto state = TRY(state_dir(around_.env));
  runs_ = TRY(RunStore::open(std::move(state)));
  calls_ = options.calls;
  mode_ = options.mode;
  launcher.mode = options.mode;
  launcher.transaction = options.transaction;
  run_ = options.resume ? *options.resume : RunStore::new_run(around_.clock);
  runs_->sweep_outputs();
  blobs_ = TRY(trace::BlobStore::open(runs_->blobs()));
  outputs_ =
      TRY(tools::OutputFiles::create(runs_->outputs(workspace_) / run_.to_string(), *blobs_));
  // What was cut from a result is read through the same sandbox as everything else.
  policy_.filesystem.grants.push_back(
      {runs_->outputs(workspace_).string(), policies::Access::read, "run.outputs"});
  launcher.policy = policy_;
  launcher.environment = sandbox::process_environment();
  launcher.state = runs_->state();
  launcher.blobs = &*blobs_;
  launcher.offload = &around_.offload;
  commands_ = std::make_unique<tools::SandboxCommands>(
      around_.zygote, around_.clock, std::move(launcher), TRY(cache_dir(around_.env)));
  return {};
}

Result<> Toolbox::finish(ToolboxOptions options) {
  TRY(make_tools(options.tools.empty() ? default_tools() : options.tools, std::move(options.more)));
  TRY(open_journal(options));
  tools::DispatchServices services{around_.clock,
                                   around_.offload,
                                   policy_,
                                   workspace_,
                                   std::move(options.events),
                                   &*blobs_,
                                   &*outputs_,
                                   std::move(options.approve),
                                   [this](const ToolCall& call) { return take_snapshot(call); },
                                   std::move(options.clip),
                                   std::move(options.on_output)};
  if (!services.events)
    services.events = [this](trace::EventDraft draft) {
      return journal_->append(std::move(draft));
    };
  if (mode_ != sandbox::Mode::direct) services.snapshot = {};
  dispatcher_.emplace(tools_, std::move(services));
  return {};
}

Result<> Toolbox::open_journal(const ToolboxOptions& options) {
  journal_ = TRY(trace::Journal::open({around_.executor, around_.clock, around_.offload},
                                      runs_->journal(run_), run_));
  trace::EventDraft started;
  started.type = options.resume ? "run.resumed" : "run.started";
  RunStart start;
  start.workspace = workspace_;
  start.policy = policy_.name;
  const bool is_file = !options.policy.empty() && policies::shipped_policy(options.policy).empty();
  start.policy_asked =
      is_file ? std::filesystem::absolute(options.policy).string() : options.policy;
  start.narrowed_by = options.narrowed_by;
  start.mode = mode_;
  start.transaction = options.transaction.filename().string();
  start.mcp = options.mcp;
  started.data = encode(start, tools_.names());
  TRY(journal_->append(std::move(started)));
  if (start_snapshot_.empty()) return {};
  trace::EventDraft snapshot;
  snapshot.type = "tool.snapshot";
  snapshot.data =
      nlohmann::ordered_json({{"call", "tool servers"}, {"snapshot", start_snapshot_}}).dump();
  TRY(journal_->append(std::move(snapshot)));
  return {};
}

Result<> Toolbox::make_tools(const std::vector<std::string>& names,
                             std::vector<std::unique_ptr<tools::Tool>> more) {
  std::vector<std::unique_ptr<tools::Tool>> made;
  made.reserve(names.size() + more.size());
  for (const std::string& name : names) made.push_back(TRY(make_tool(name)));
  if (servers_)
    for (std::unique_ptr<tools::Tool>& remote : servers_->make_tools())
      made.push_back(std::move(remote));
  for (std::unique_ptr<tools::Tool>& tool : more) made.push_back(std::move(tool));
  tools_ = TRY(tools::ToolSet::create(std::move(made)));
  return {};
}

Result<std::unique_ptr<tools::Tool>> Toolbox::make_tool(std::string_view name) {
  if (name == "bash") {
    auto bash = std::make_unique<tools::BashTool>(*commands_, around_.clock, workspace_, calls_);
    bash_ = bash.get();
    return bash;
  }
  if (name == "str_replace_editor") {
    files_ = TRY(open_files());
    return std::make_unique<tools::EditorTool>(*files_, around_.offload);
  }
  if (mode_ != sandbox::Mode::direct && (name == "git" || name == "run_tests"))
    return std::make_unique<tools::RefusedTool>(
        name == "git" ? tools::GitTool::description() : tools::RunTests::description(),
        std::string(name) + ": edits of this run are kept beside the workspace, where this tool " +
            "does not see them: do it in bash");
  if (name == "git")
    return std::make_unique<tools::GitTool>(around_.offload, workspace_, around_.env);
  if (name == "run_tests") {
    auto earlier = std::make_unique<tools::BaselineFile>(
        around_.offload, runs_->test_baseline(workspace_),
        tools::BaselineFile::Owner{run_.to_string(), to_valid_utf8(workspace_)});
    return std::make_unique<tools::RunTests>(*commands_, workspace_, load_test_settings(workspace_),
                                             std::move(earlier));
  }
  if (name == "search") return std::make_unique<tools::SearchTool>(*commands_, workspace_);
  if (name == "list") return std::make_unique<tools::ListTool>(*commands_, workspace_);
  const auto known = known_tools();
  const std::string_view near = nearest(name, known);
  return fail(ErrorCode::usage,
              "no tool '" + to_printable(clip_prefix(name, 64)) + "'" +
                  (near.empty() ? "" : " (did you mean '" + std::string(near) + "'?)"));
}

Result<std::unique_ptr<tools::WorkspaceFiles>> Toolbox::open_files() {
  const std::vector<std::filesystem::path> readable{runs_->outputs(workspace_)};
  if (mode_ == sandbox::Mode::direct) return TRY(tools::HostFiles::create(workspace_, readable));
  return std::make_unique<tools::OverlayFiles>(workspace_, TRY(tools::without_links(readable)),
                                               [this] { return commands_->view(); });
}

asio::awaitable<Result<tools::SnapshotRecord>> Toolbox::snapshot(std::string label) {
  auto taking = offload(around_.offload, [this, &label]() -> Result<tools::SnapshotRecord> {
    TRY(open_snapshots());
    return TRY(snapshots_->take(label)).record;
  });
  co_return co_await std::move(taking);
}

Result<> Toolbox::open_snapshots() {
  if (snapshots_) return {};
  tools::SnapshotOptions options;
  options.store = runs_->snapshots();
  options.workspace = workspace_;
  snapshots_.emplace(TRY(tools::Snapshots::open(std::move(options))));
  return {};
}

asio::awaitable<Result<tools::SnapshotId>> Toolbox::mark(std::string call) {
  if (!is_direct())
    co_return fail(ErrorCode::unsupported,
                   "edits of this run are kept beside the workspace, where no snapshot is taken: "
                   "run it with --mode direct");
  ToolCall marked;
  marked.id = std::move(call);
  auto taking = take_snapshot(marked);
  CO_TRY(const std::string id, co_await std::move(taking));
  trace::EventDraft draft;
  draft.type = "tool.snapshot";
  draft.data = nlohmann::ordered_json({{"call", marked.id}, {"snapshot", id}}).dump();
  CO_TRY_VOID(journal_->append(std::move(draft)));
  const auto parsed = tools::SnapshotId::parse(id);
  ENSURE(parsed.has_value(), "it was made from an id");
  co_return *parsed;
}

// What the run left is what is there now: others' edits since the mark cannot be told from its own.
asio::awaitable<Result<tools::Snapshots::Restored>> Toolbox::go_back(tools::SnapshotId mark) {
  if (bash_ != nullptr) co_await bash_->close();
  auto restoring = offload(around_.offload, [this, &mark]() -> Result<tools::Snapshots::Restored> {
    TRY(open_snapshots());
    return snapshots_->restore(mark, std::nullopt, tools::Conflicts::stop);
  });
  auto restored = co_await std::move(restoring);
  for (const tools::ToolSet::Entry& entry : tools_.entries()) entry.tool->restored();
  co_return restored;
}

std::string Toolbox::jobs_text() const { return bash_ == nullptr ? "" : bash_->jobs_text(); }

std::string Toolbox::whole_at(std::string_view blob) const {
  const std::filesystem::path path = outputs_ ? outputs_->path_of(blob) : std::filesystem::path();
  return path.empty() ? std::string(blob) : path.string();
}

std::vector<engine::CallForms> Toolbox::forms() const {
  const tools::MayDo may = [this](const policies::Request& request) {
    return policies::decide(policy_, request).verdict == policies::Verdict::allow;
  };
  std::vector<engine::CallForms> out;
  for (const tools::ToolSet::Entry& entry : tools_.entries()) {
    std::vector<std::string> schemas = entry.tool->forms(may);
    if (!schemas.empty()) out.push_back({entry.tool->spec().name, std::move(schemas)});
  }
  return out;
}

asio::awaitable<Result<std::string>> Toolbox::take_snapshot(const ToolCall& call) {
  auto taking = snapshot("run " + run_.to_string() + " call " + call.id);
  CO_TRY(const tools::SnapshotRecord taken, co_await std::move(taking));
  if (!first_) first_ = taken;
  last_root_ = taken.root;
  co_return taken.id.to_string();
}

std::optional<std::string> Toolbox::workspace_key() const {
  if (!last_root_) return std::nullopt;
  return tools::to_hex(*last_root_);
}

const std::optional<sandbox::Refusal>& Toolbox::refusal() const { return commands_->refusal(); }

std::vector<std::string> Toolbox::notes() const {
  return servers_ ? servers_->notes() : std::vector<std::string>{};
}

const tools::McpServers::Trouble* Toolbox::trouble_behind(std::string_view tool) const {
  return servers_ ? servers_->trouble_behind(tool) : nullptr;
}

std::vector<std::string> Toolbox::git_changes() const {
  if (!first_ || !left_) return {};
  return tools::git_changes(first_->git, left_->git);
}

asio::awaitable<Result<std::optional<tools::SnapshotDiff>>> Toolbox::changes() {
  if (!first_ || !has_changed_) co_return std::nullopt;
  if (!left_)
    co_return fail(ErrorCode::io,
                   "changes: what the run left could not be looked at (git diff shows it)");
  auto comparing = offload(around_.offload, [this]() -> Result<tools::SnapshotDiff> {
    return snapshots_->diff(first_->id, left_->id);
  });
  CO_TRY(tools::SnapshotDiff diff, co_await std::move(comparing));
  co_return std::optional(std::move(diff));
}

// Servers are commands of the session: they end before it does.
asio::awaitable<void> Toolbox::end_commands() {
  if (bash_ != nullptr) co_await bash_->close();
  if (servers_) co_await servers_->close();
  co_await commands_->close();
}

// What the run leaves. Without it an undo cannot tell the run's changes from other people's, but it
// still works.
asio::awaitable<Result<>> Toolbox::end_snapshots() {
  if (!first_) co_return Result<>{};
  has_changed_ = true;
  auto taking = snapshot("run " + run_.to_string() + " end");
  Result<tools::SnapshotRecord> left = co_await std::move(taking);
  if (!left) co_return Result<>{};
  left_ = *std::move(left);
  has_changed_ = left_->root != first_->root;
  trace::EventDraft last;
  last.type = "tool.snapshot";
  last.data =
      nlohmann::ordered_json({{"snapshot", left_->id.to_string()}, {"changed", has_changed_}})
          .dump();
  CO_TRY_VOID(journal_->append(std::move(last)));
  co_return Result<>{};
}

asio::awaitable<Result<>> Toolbox::close(std::string finished_data) {
  co_await end_commands();
  auto ending = end_snapshots();
  CO_TRY_VOID(co_await std::move(ending));
  trace::EventDraft finished;
  finished.type = "run.finished";
  finished.data = std::move(finished_data);
  CO_TRY_VOID(journal_->append(std::move(finished)));
  co_return journal_->flush();
}

}  // namespace fathom::agents
