#include "tools/search/search_tool.hpp"

#include "runtime/base/text.hpp"
#include "tools/search/match_list.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <utility>

namespace fathom::tools {
namespace {

std::string_view words_of(SearchProgram program) {
  return program == SearchProgram::ripgrep ? "rg"
         : program == SearchProgram::git   ? "git grep"
                                           : "grep";
}

std::string count_of(std::size_t number, std::string_view thing) {
  return std::to_string(number) + " " + std::string(thing) +
         (number == 1             ? ""
          : thing.ends_with("ch") ? "es"
                                  : "s");
}

bool has_nul(const std::optional<std::string>& text) { return text && text->contains('\0'); }

// The first line that says why: "rg: regex parse error:" is followed by the pattern and a caret.
std::string why(const sandbox::Outcome& outcome) {
  std::string text = outcome.err.text();
  if (text.empty()) return summary(outcome);
  std::ranges::replace(text, '\n', ' ');
  while (text.ends_with(' ')) text.pop_back();
  return to_printable(clip_prefix(text, 400));
}

}  // namespace

std::string absolute_path(const std::string& workspace, const std::string& path) {
  const std::filesystem::path whole = std::filesystem::path(workspace) / path;
  std::string text = whole.lexically_normal().string();
  while (text.size() > 1 && text.ends_with('/')) text.pop_back();
  return text;
}

SearchTool::SearchTool(Commands& commands, std::string workspace)
    : backend_(commands, std::move(workspace)) {}

const ToolSpec& SearchTool::description() {
  static const ToolSpec spec{
      "search", "Search file contents (ripgrep). Ignored, hidden and binary files are skipped.",
      R"({"type":"object","properties":{)"
      R"("pattern":{"type":"string","minLength":1,"maxLength":10000,)"
      R"("description":"regular expression"},)"
      R"("path":{"type":"string","description":"file or folder, default: the workspace"},)"
      R"("glob":{"type":"string","description":"only files like *.py"},)"
      R"("literal":{"type":"boolean"},"ignore_case":{"type":"boolean"},)"
      R"("max_results":{"type":"integer","minimum":1,"maximum":2000}},)"
      R"("required":["pattern"],"additionalProperties":false})"};
  return spec;
}

Result<Intent> SearchTool::intent(const Arguments& arguments) const {
  for (const std::string_view name : {"pattern", "path", "glob"})
    if (has_nul(arguments.text(name)))
      return fail(ErrorCode::usage, "search: '" + std::string(name) + "' holds a NUL byte");
  return Intent{Effect::read,
                {policies::request::ReadPath{
                    absolute_path(backend_.workspace(), arguments.text("path").value_or(""))}}};
}

asio::awaitable<Result<ToolOutput>> SearchTool::run(const Call& call) {
  SearchQuery query;
  query.pattern = call.arguments.text("pattern").value_or("");
  query.path = call.arguments.text("path").value_or("");
  query.glob = call.arguments.text("glob").value_or("");
  if (call.arguments.boolean("literal").value_or(false))
    query.syntax = SearchQuery::Syntax::literal;
  if (call.arguments.boolean("ignore_case").value_or(false))
    query.letter_case = SearchQuery::Case::ignored;
  auto searching =
      backend_.run([&](SearchProgram program) { return search_command(program, query); });
  CO_TRY(const Printed printed, co_await std::move(searching));
  const sandbox::Outcome& outcome = printed.outcome;
  // All three programs: 0 found, 1 found nothing, 2 trouble, perhaps with matches before it.
  const bool ended = outcome.ending == sandbox::Ending::exited;
  if (ended && printed.bytes.empty() && !query.path.empty()) {
    auto looking = backend_.look_at(query.path);
    CO_TRY(const PathKind kind, co_await std::move(looking));
    if (kind == PathKind::missing)
      co_return fail(ErrorCode::not_found,
                     "search: there is no file or folder '" + to_printable(query.path) + "'");
  }
  if (!ended || (outcome.exit_code > 1 && printed.bytes.empty()))
    co_return fail(ended ? ErrorCode::bad_data : ErrorCode::timeout, "search: " + why(outcome));
  const MatchList list = parse_matches(printed.bytes);
  const auto wanted = static_cast<std::size_t>(
      call.arguments.integer("max_results").value_or(static_cast<int>(kMatchesShown)));
  const std::size_t shown = std::min({list.matches.size(), wanted, kMatchesShownMax});
  ToolOutput output = ToolOutput::of(show_matches(list, shown));
  output.digest = list.matches.empty() ? "no matches"
                                       : count_of(list.matches.size(), "match") + " in " +
                                             count_of(list.files, "file");
  if (shown < list.matches.size())
    output.digest += ", the first " + std::to_string(shown) + " shown";
  if (printed.cut) output.digest += "; there are more: narrow the pattern or the path";
  output.denials = outcome.denials;
  output.data = nlohmann::ordered_json({{"matches", list.matches.size()},
                                        {"files", list.files},
                                        {"shown", shown},
                                        {"program", words_of(backend_.program())},
                                        {"cut", printed.cut}})
                    .dump();
  co_return output;
}

}  // namespace fathom::tools
