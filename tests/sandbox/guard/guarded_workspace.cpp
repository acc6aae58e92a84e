#include "tests/sandbox/guard/guarded_workspace.hpp"

#include "tests/support/run_program.hpp"

#include <algorithm>
#include <stdexcept>

namespace fathom::test {

GuardedWorkspace::GuardedWorkspace(std::string_view setup, const std::filesystem::path& parent)
    : dir_(parent),
      root_(std::filesystem::canonical(dir_.path()) / "ws"),
      home_(std::filesystem::canonical(dir_.path()) / "home") {
  for (const auto& folder : {root_, home_, root_.parent_path() / "quarantine"})
    std::filesystem::create_directory(folder);
  if (!setup.empty()) run(setup);
  auto tree = sandbox::ProtectedTree::create({.workspace = root_.string(),
                                              .names = names(),
                                              .quarantine = root_.parent_path() / "quarantine",
                                              .limits = {},
                                              .now_ns = {}});
  if (!tree) throw std::runtime_error(tree.error().message);
  tree_.emplace(*std::move(tree));
}

std::string GuardedWorkspace::run(std::string_view script) const {
  ProgramOptions options;
  options.environment = {"PATH=/usr/bin:/bin:/usr/sbin:/sbin",
                         "HOME=" + home_.string(),
                         "GIT_AUTHOR_NAME=a",
                         "GIT_AUTHOR_EMAIL=a@example.com",
                         "GIT_COMMITTER_NAME=a",
                         "GIT_COMMITTER_EMAIL=a@example.com",
                         "GIT_CONFIG_COUNT=2",
                         "GIT_CONFIG_KEY_0=protocol.file.allow",
                         "GIT_CONFIG_VALUE_0=always",
                         "GIT_CONFIG_KEY_1=init.defaultBranch",
                         "GIT_CONFIG_VALUE_1=main",
                         "GIT_EDITOR=true"};
  const std::string text = "set -e; cd '" + root_.string() + "'\n" + std::string(script);
  const ProgramResult result = run_program({"bash", "-c", text}, options);
  if (result.exit_code != 0)
    throw std::runtime_error("the script failed: " + std::string(script) + "\n" + result.out +
                             result.err);
  return result.out;
}

sandbox::AuditReport GuardedWorkspace::command(std::string_view script,
                                               const std::vector<std::string>& pinned) {
  run(script);
  return tree_->audit(pinned);
}

std::string GuardedWorkspace::slurp(std::string_view name) const {
  return test::slurp(root_ / name);
}

bool GuardedWorkspace::exists(std::string_view name) const {
  return std::filesystem::exists(std::filesystem::symlink_status(root_ / name));
}

std::vector<std::string> GuardedWorkspace::quarantined() const {
  std::vector<std::string> names;
  for (const auto& entry :
       std::filesystem::directory_iterator(root_.parent_path() / "quarantine")) {
    const std::string name = entry.path().filename().string();
    names.push_back(name.substr(name.find('-') + 1));
  }
  std::ranges::sort(names);
  return names;
}

std::vector<policies::ProtectedName> GuardedWorkspace::names() {
  using enum policies::Protection;
  return {{".vscode/", deny, "names.vscode"},
          {".mcp.json", deny, "names.mcp"},
          {".envrc", deny, "names.envrc"},
          {".github/hooks/", deny, "names.github"},
          {"*.pth", deny, "names.pth"},
          {"Makefile", report, "names.make"},
          {".github/workflows/", report, "names.workflows"}};
}

std::vector<std::string> lines_of(const sandbox::AuditReport& report) {
  std::vector<std::string> lines;
  for (const sandbox::Finding& finding : report.findings)
    lines.push_back(std::string(name_of(finding.action)) + ' ' + finding.rule + ' ' + finding.path);
  for (const sandbox::Finding& finding : report.will_run_later)
    lines.push_back("later " + finding.rule + ' ' + finding.path);
  for (const std::string& line : report.incomplete) lines.push_back(line);
  std::ranges::sort(lines);
  return lines;
}

}  // namespace fathom::test
