// The programs that search for us, inside the sandbox: ripgrep where it is installed, else git grep
// in a repository, else grep. A pattern is somebody else's program; whatever it costs, it costs it
// in there, and the command's deadline ends it.
#pragma once

#include "tools/commands.hpp"

#include <boost/asio/awaitable.hpp>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::tools {

inline constexpr std::size_t kSearchBytesMax = 8UL << 20;  // read of one search's output

enum class SearchProgram : std::uint8_t { ripgrep, git, plain };

struct SearchQuery {
  std::string pattern;
  std::string path;  ///< absolute or relative to the workspace; "" is all of it
  std::string glob;  ///< files whose path matches; "" is all
  enum class Case : std::uint8_t { exact, ignored } letter_case = Case::exact;
  enum class Syntax : std::uint8_t {
    regular_expression,
    literal
  } syntax = Syntax::regular_expression;
};

std::vector<std::string> search_command(SearchProgram program, const SearchQuery& query);
/// Lists files, each ended by NUL; ignored ones are left out where the program knows them.
std::vector<std::string> list_command(SearchProgram program, const std::string& path);

/// What stands at a path, as the sandbox shows it.
enum class PathKind : std::uint8_t { missing, file, folder };

/// What a program printed, whole up to kSearchBytesMax.
struct Printed {
  std::string bytes;
  bool cut = false;
  sandbox::Outcome outcome;
};

/// Runs the first program that is there, and remembers which that was.
class SearchBackend {
 public:
  SearchBackend(Commands& commands, std::string workspace)
      : commands_(commands), workspace_(std::move(workspace)) {}

  using MakeCommand = std::function<std::vector<std::string>(SearchProgram)>;
  asio::awaitable<Result<Printed>> run(MakeCommand make);

  /// Costs a command, so it is asked when nothing was found, to say why.
  asio::awaitable<Result<PathKind>> look_at(const std::string& path);

  [[nodiscard]] const std::string& workspace() const { return workspace_; }
  [[nodiscard]] SearchProgram program() const { return program_; }

 private:
  asio::awaitable<Result<Printed>> run_one(std::vector<std::string> argv);

  Commands& commands_;
  std::string workspace_;
  SearchProgram program_ = SearchProgram::ripgrep;
};

}  // namespace fathom::tools
