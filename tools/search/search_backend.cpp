#include "tools/search/search_backend.hpp"

#include "runtime/base/text.hpp"
#include "tools/search/match_list.hpp"

#include <utility>

namespace fathom::tools {
namespace {

std::vector<std::string> ripgrep(const SearchQuery& query) {
  std::vector<std::string> argv = {"rg",
                                   "--no-config",
                                   "--null",
                                   "--line-number",
                                   "--color",
                                   "never",
                                   "--no-heading",
                                   "--with-filename",
                                   "--max-columns-preview",
                                   "--max-columns",
                                   std::to_string(kMatchLineBytesMax + 1)};
  if (query.letter_case == SearchQuery::Case::ignored) argv.emplace_back("--ignore-case");
  if (query.syntax == SearchQuery::Syntax::literal) argv.emplace_back("--fixed-strings");
  if (!query.glob.empty()) argv.insert(argv.end(), {"--glob", query.glob});
  argv.insert(argv.end(), {"--regexp", query.pattern, "--", query.path.empty() ? "." : query.path});
  return argv;
}

// GNU grep's options; git grep shares these.
void add_grep_options(std::vector<std::string>& argv, const SearchQuery& query) {
  argv.insert(argv.end(), {"-I", "-n", "--null", "--color=never"});
  argv.emplace_back(query.syntax == SearchQuery::Syntax::literal ? "-F" : "-E");
  if (query.letter_case == SearchQuery::Case::ignored) argv.emplace_back("-i");
}

std::vector<std::string> git_grep(const SearchQuery& query) {
  std::vector<std::string> argv = {"git", "--no-pager", "grep", "--untracked", "--full-name"};
  add_grep_options(argv, query);
  argv.insert(argv.end(), {"-e", query.pattern, "--", query.path.empty() ? "." : query.path});
  if (!query.glob.empty())
    argv.back() = ":(glob)" + (query.path.empty() ? "" : query.path + "/") +
                  (query.glob.contains('/') ? "" : "**/") + query.glob;
  return argv;
}

std::vector<std::string> plain_grep(const SearchQuery& query) {
  std::vector<std::string> argv = {"grep", "-r", "-H", "--exclude-dir=.git"};
  add_grep_options(argv, query);
  if (!query.glob.empty()) argv.push_back("--include=" + query.glob);
  argv.insert(argv.end(), {"-e", query.pattern, "--", query.path.empty() ? "." : query.path});
  return argv;
}

}  // namespace

std::vector<std::string> search_command(SearchProgram program, const SearchQuery& query) {
  switch (program) {
    case SearchProgram::ripgrep:
      return ripgrep(query);
    case SearchProgram::git:
      return git_grep(query);
    case SearchProgram::plain:
      return plain_grep(query);
  }
  return {};
}

std::vector<std::string> list_command(SearchProgram program, const std::string& path) {
  const std::string& where = path.empty() ? "." : path;
  switch (program) {
    case SearchProgram::ripgrep:
      return {"rg",     "--no-config", "--no-messages", "--files", "--hidden",
              "--glob", "!.git",       "--null",        "--",      where};
    case SearchProgram::git:
      return {"git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", where};
    case SearchProgram::plain:
      return {"find",  where, "-name", ".git",  "-prune", "-o", "(",
              "-type", "f",   "-o",    "-type", "l",      ")",  "-print0"};
  }
  return {};
}

asio::awaitable<Result<Printed>> SearchBackend::run_one(std::vector<std::string> argv) {
  Printed printed;
  sandbox::Command command;
  command.argv = std::move(argv);
  command.on_output = [&](sandbox::OutputStream stream, std::string_view bytes) {
    if (stream != sandbox::OutputStream::out) return;
    const std::size_t room = kSearchBytesMax - printed.bytes.size();
    printed.bytes += bytes.substr(0, room);
    if (bytes.size() > room) printed.cut = true;
  };
  auto running = commands_.run(std::move(command));
  CO_TRY(printed.outcome, co_await std::move(running));
  co_return printed;
}

asio::awaitable<Result<PathKind>> SearchBackend::look_at(const std::string& path) {
  auto looking = run_one({"/bin/sh", "-c", R"(if [ -d "$1" ]; then echo folder
elif [ -e "$1" ]; then echo file
else echo missing; fi)",
                          "sh", path});
  CO_TRY(const Printed printed, co_await std::move(looking));
  if (printed.bytes == "missing\n") co_return PathKind::missing;
  if (printed.bytes == "file\n") co_return PathKind::file;
  if (printed.bytes == "folder\n") co_return PathKind::folder;
  co_return fail(ErrorCode::io, "look at " + to_printable(path) + ": " + summary(printed.outcome));
}

asio::awaitable<Result<Printed>> SearchBackend::run(MakeCommand make) {
  for (;;) {
    auto running = run_one(make(program_));
    CO_TRY(Printed printed, co_await std::move(running));
    const sandbox::Outcome& outcome = printed.outcome;
    const bool is_missing = outcome.ending == sandbox::Ending::not_started &&
                            outcome.stage == sandbox::wire::Stage::exec;
    // 128: git outside of a repository, 129: a git that does not know an option.
    const bool is_unfit = program_ == SearchProgram::git && outcome.exit_code >= 128;
    if (program_ == SearchProgram::plain || (!is_missing && !is_unfit)) co_return printed;
    program_ = program_ == SearchProgram::ripgrep ? SearchProgram::git : SearchProgram::plain;
  }
}

}  // namespace fathom::tools
