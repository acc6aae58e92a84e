#include "tools/git/git_tool.hpp"

#include "sandbox/write_fence.hpp"
#include "tools/git/git_commands.hpp"
#include "tools/git/git_request.hpp"
#include "tools/git/repository.hpp"

#include <algorithm>
#include <future>
#include <iterator>

namespace fathom::tools {
namespace {

constexpr std::string_view kParameters =
    R"({"type":"object","properties":{)"
    R"("command":{"type":"string","enum":["status","diff","log","show","add","commit",)"
    R"("branch","apply","restore"]},)"
    R"("paths":{"type":"array","items":{"type":"string"},)"
    R"("description":"Relative to the repository; literal, no globs."},)"
    R"("rev":{"type":"string",)"
    R"("description":"diff: REV or A..B. show: REV or REV:PATH. log, branch, restore: REV."},)"
    R"("staged":{"type":"boolean",)"
    R"("description":"diff: what a commit would hold. restore: unstage."},)"
    R"("message":{"type":"string"},)"
    R"("patch":{"type":"string","description":"apply: unified diff; all of it or nothing."},)"
    R"("name":{"type":"string","description":"branch: make it; absent: list."},)"
    R"("switch":{"type":"boolean","description":"branch: be on it; same commit only."},)"
    R"("max":{"type":"integer","description":"log: commits, 20 unless given."},)"
    R"("repository":{"type":"string","description":"Folder, when not the workspace."}},)"
    R"("required":["command"],"additionalProperties":false})";

// On a thread of its own, which is fenced for good.
Result<ToolOutput> perform(const std::string& workspace, const GitRequest& request,
                           const GetEnv& env) {
  auto reach = inspect_repository(workspace, request.repository);
  if (!reach) return fail(context("git", std::move(reach).error()));
  std::vector<std::string> written = {workspace};
  std::ranges::copy(reach->own, std::back_inserter(written));
  std::ranges::copy(reach->uses, std::back_inserter(written));
  if (const auto fenced = sandbox::fence_writes_of_thread(written); !fenced)
    return fail(context("git", fenced.error()));
  auto opened = open_repository(workspace, request.repository);
  if (!opened) return fail(context("git", std::move(opened).error()));
  const Repository& repository = *opened;
  switch (request.command) {
    case GitCommand::status:
      return show_status(repository, request);
    case GitCommand::diff:
      return show_diff(repository, request);
    case GitCommand::log:
      return show_log(repository, request);
    case GitCommand::show:
      return show_revision(repository, request);
    case GitCommand::add:
      return add_paths(repository, request);
    case GitCommand::commit:
      return commit_index(repository, request, env);
    case GitCommand::branch:
      return manage_branches(repository, request);
    case GitCommand::apply:
      return apply_patch(repository, request);
    case GitCommand::restore:
      break;
  }
  return restore_paths(repository, request);
}

}  // namespace

GitTool::GitTool(OffloadPool& offload_pool, std::string workspace, GetEnv env)
    : offload_(offload_pool), workspace_(std::move(workspace)), env_(std::move(env)) {}

const ToolSpec& GitTool::description() {
  static const ToolSpec spec = {
      "git", "Works on the git repository of the workspace. Runs no hooks and no filters.",
      std::string(kParameters)};
  return spec;
}

Result<Intent> GitTool::intent(const Arguments& arguments) const {
  const GitRequest request = TRY(read_git_request(arguments, workspace_));
  auto reach = inspect_repository(workspace_, request.repository);
  if (!reach) return fail(context("git", std::move(reach).error()));
  const bool writes = is_writing(request);
  Intent intent{writes ? Effect::write : Effect::read,
                {policies::request::ReadPath{reach->place.folder}}};
  if (writes) intent.requests.emplace_back(policies::request::WritePath{reach->place.folder});
  for (const std::string& path : reach->reads)
    intent.requests.emplace_back(policies::request::ReadPath{path});
  for (const std::string& path : reach->own)
    intent.requests.emplace_back(policies::request::UseGit{path, writes});
  for (const std::string& path : reach->uses) {
    intent.requests.emplace_back(policies::request::ReadPath{path});
    if (writes) intent.requests.emplace_back(policies::request::WritePath{path});
  }
  // Protected names (.vscode/) are the policy's to refuse, path by path, so a folder is not enough.
  std::vector<std::string> written = written_paths(request);
  if (request.command == GitCommand::restore && !request.staged) {
    const auto opened = open_repository(workspace_, request.repository);
    if (!opened) return fail(context("git", opened.error()));
    std::vector<std::string> files = TRY(restored_files(*opened, request));
    for (std::string& path : files)
      if (std::ranges::find(request.paths, path) == request.paths.end())
        written.push_back(std::move(path));
  }
  for (const std::string& path : written)
    intent.requests.emplace_back(
        policies::request::WritePath{reach->place.folder + (path.empty() ? "" : "/" + path)});
  return intent;
}

asio::awaitable<Result<ToolOutput>> GitTool::run(const Call& call) {
  CO_TRY(GitRequest request, read_git_request(call.arguments, workspace_));
  auto working = offload(offload_, [this, request = std::move(request)] {
    auto working_alone =
        std::async(std::launch::async, [&] { return perform(workspace_, request, env_); });
    return working_alone.get();
  });
  co_return co_await std::move(working);
}

}  // namespace fathom::tools
