#include "tools/git/git_request.hpp"

#include "tools/git/beneath.hpp"
#include "tools/git/patch_text.hpp"

#include <algorithm>
#include <array>

namespace fathom::tools {
namespace {

struct Takes {
  std::string_view command;
  std::string_view arguments;  ///< beside command and repository, each between spaces
  std::string_view needs;
};

// In the order of GitCommand.
constexpr std::array<Takes, 9> kTakes = {{{"status", " paths ", ""},
                                          {"diff", " paths rev staged ", ""},
                                          {"log", " paths rev max ", ""},
                                          {"show", " paths rev ", ""},
                                          {"add", " paths ", "paths"},
                                          {"commit", " message ", ""},
                                          {"branch", " name rev switch ", ""},
                                          {"apply", " patch ", "patch"},
                                          {"restore", " paths rev staged ", "paths"}}};
constexpr std::array<std::string_view, 8> kArguments = {"paths", "rev",    "staged", "max",
                                                        "name",  "switch", "patch",  "message"};

Result<std::string> path_in(std::string_view path, std::string_view folder) {
  if (path == folder) return std::string();
  if (path.starts_with(folder) && path.substr(folder.size()).starts_with('/'))
    path.remove_prefix(folder.size() + 1);
  auto plain = plain_path(path);
  if (!plain) return fail(context("git", std::move(plain).error()));
  return plain;
}

}  // namespace

Result<GitRequest> read_git_request(const Arguments& arguments, std::string_view workspace) {
  const std::string command = arguments.text("command").value_or("");
  const auto takes = std::ranges::find(kTakes, command, &Takes::command);
  if (takes == kTakes.end())
    return fail(ErrorCode::usage, "git: unknown command '" + command + "'");
  for (const std::string_view argument : kArguments) {
    const std::string spaced = " " + std::string(argument) + " ";
    if (arguments.has(argument) && takes->arguments.find(spaced) == std::string_view::npos)
      return fail(ErrorCode::usage,
                  "git " + command + ": takes no '" + std::string(argument) + "'");
  }
  if (!takes->needs.empty() && !arguments.has(takes->needs))
    return fail(ErrorCode::usage,
                "git " + command + ": '" + std::string(takes->needs) + "' is missing");
  GitRequest request;
  request.command = static_cast<GitCommand>(takes - kTakes.begin());
  request.repository = TRY(path_in(arguments.text("repository").value_or(""), workspace));
  const std::string folder = request.repository.empty()
                                 ? std::string(workspace)
                                 : std::string(workspace) + "/" + request.repository;
  const std::vector<std::string> paths = arguments.texts("paths");
  if (paths.size() > kGitPathsMax)
    return fail(ErrorCode::too_large,
                "git: more than " + std::to_string(kGitPathsMax) + " paths: name their folder");
  for (const std::string& path : paths) request.paths.push_back(TRY(path_in(path, folder)));
  if (takes->needs == "paths" && request.paths.empty())
    return fail(ErrorCode::usage, "git " + command + ": 'paths' is empty ([\".\"] means all)");
  request.rev = arguments.text("rev").value_or("");
  request.message = arguments.text("message").value_or("");
  request.patch = arguments.text("patch").value_or("");
  request.name = arguments.text("name").value_or("");
  request.staged = arguments.boolean("staged").value_or(false);
  request.switches = arguments.boolean("switch").value_or(false);
  request.max = static_cast<std::size_t>(std::clamp<std::int64_t>(
      arguments.integer("max").value_or(kLogEntriesDefault), 1, kLogEntriesMax));
  for (const std::string* text : {&request.rev, &request.name, &request.message})
    if (text->find('\0') != std::string::npos)
      return fail(ErrorCode::usage, "git: an argument holds a NUL");
  return request;
}

bool is_writing(const GitRequest& request) {
  switch (request.command) {
    case GitCommand::status:
    case GitCommand::diff:
    case GitCommand::log:
    case GitCommand::show:
      return false;
    case GitCommand::branch:
      return !request.name.empty();
    default:
      return true;
  }
}

std::vector<std::string> written_paths(const GitRequest& request) {
  if (request.command == GitCommand::restore && !request.staged) return request.paths;
  std::vector<std::string> paths;
  if (request.command != GitCommand::apply) return paths;
  const auto patches = parse_patch(request.patch);
  if (!patches) return paths;  // said when it runs
  for (const FilePatch& patch : *patches)
    for (const std::string* path : {&patch.old_path, &patch.new_path})
      if (!path->empty()) paths.push_back(*path);
  return paths;
}

}  // namespace fathom::tools
