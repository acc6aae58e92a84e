#include "tools/search/list_tool.hpp"

#include "runtime/base/text.hpp"
#include "tools/search/file_tree.hpp"
#include "tools/search/search_tool.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <utility>

namespace fathom::tools {
ListTool::ListTool(Commands& commands, std::string workspace)
    : backend_(commands, std::move(workspace)) {}

const ToolSpec& ListTool::description() {
  static const ToolSpec spec{
      "list", "List the files of a folder as a tree. Ignored files are left out.",
      R"({"type":"object","properties":{)"
      R"("path":{"type":"string","description":"folder, default: the workspace"},)"
      R"("depth":{"type":"integer","minimum":1,"maximum":16}},)"
      R"("additionalProperties":false})"};
  return spec;
}

Result<Intent> ListTool::intent(const Arguments& arguments) const {
  const std::string path = arguments.text("path").value_or("");
  if (path.contains('\0')) return fail(ErrorCode::usage, "list: 'path' holds a NUL byte");
  return Intent{Effect::read,
                {policies::request::ReadPath{absolute_path(backend_.workspace(), path)}}};
}

asio::awaitable<Result<ToolOutput>> ListTool::run(const Call& call) {
  const std::string path =
      absolute_path(backend_.workspace(), call.arguments.text("path").value_or(""));
  auto listing = backend_.run([&](SearchProgram program) { return list_command(program, path); });
  CO_TRY(const Printed printed, co_await std::move(listing));
  const sandbox::Outcome& outcome = printed.outcome;
  if (outcome.ending != sandbox::Ending::exited)
    co_return fail(ErrorCode::timeout, "list: " + summary(outcome));
  // git prints what it lists relative to the workspace, the others as it was asked.
  const bool is_git = backend_.program() == SearchProgram::git;
  const std::string within =
      path == backend_.workspace()
          ? ""
          : path.substr(std::min(path.size(), backend_.workspace().size() + 1));
  const std::string base = is_git ? (within.empty() ? "" : within + "/") : path + "/";
  const auto depth = static_cast<std::size_t>(
      call.arguments.integer("depth").value_or(static_cast<int>(kListDepth)));
  const FileTree tree = file_tree(printed.bytes, base, depth, kListedMax);
  if (tree.files == 0) {
    auto looking = backend_.look_at(path);
    CO_TRY(const PathKind kind, co_await std::move(looking));
    if (kind == PathKind::missing)
      co_return fail(ErrorCode::not_found, "list: there is no folder '" + to_printable(path) + "'");
    if (kind == PathKind::file)
      co_return fail(ErrorCode::bad_data,
                     "list: '" + to_printable(path) + "' is a file: list its folder or view it");
  }
  ToolOutput output = ToolOutput::of(tree.text);
  output.digest = to_printable(path) + ": " + std::to_string(tree.files) +
                  (tree.files == 1 ? " file" : " files");
  if (tree.cut || printed.cut) output.digest += ", not all shown: list a folder or a smaller depth";
  output.denials = outcome.denials;
  output.data =
      nlohmann::ordered_json({{"files", tree.files}, {"cut", tree.cut || printed.cut}}).dump();
  co_return output;
}

}  // namespace fathom::tools
