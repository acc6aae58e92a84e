#include "tools/search/search_backend.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/run_coro.hpp"

using namespace fathom;
using namespace fathom::tools;

namespace {

using Words = std::vector<std::string>;

// Programs that are or are not there, in place of a sandbox.
class InstalledPrograms final : public Commands {
 public:
  explicit InstalledPrograms(Words there) : there_(std::move(there)) {}
  Words asked;

  asio::awaitable<Result<sandbox::Outcome>> run(sandbox::Command command) override {
    asked.push_back(command.argv.front());
    sandbox::Outcome outcome;
    const auto known = std::ranges::find(there_, command.argv.front());
    if (known == there_.end()) {
      outcome.end(sandbox::Ending::not_started, "exec: No such file or directory");
      outcome.stage = sandbox::wire::Stage::exec;
      co_return outcome;
    }
    outcome.end(sandbox::Ending::exited, "");
    outcome.exit_code = command.argv.front() == "git" ? git_exit : 0;
    command.on_output(sandbox::OutputStream::out, bytes);
    co_return outcome;
  }

  int git_exit = 0;
  std::string bytes = "found";

 private:
  Words there_;
};

SearchProgram program_used(InstalledPrograms& programs) {
  SearchProgram used{};
  test::run_coro([&](Simulator&) -> asio::awaitable<void> {
    SearchBackend backend(programs, "/w");
    for (int i = 0; i < 2; ++i) {
      const auto printed =
          co_await backend.run([](SearchProgram program) { return list_command(program, ""); });
      CHECK(printed.value().bytes == "found");
    }
    used = backend.program();
  });
  return used;
}

}  // namespace

TEST_CASE("the first program that is there searches, and is asked first from then on", "[tools]") {
  InstalledPrograms all({"rg", "git", "find"});
  CHECK(program_used(all) == SearchProgram::ripgrep);
  CHECK(all.asked == Words{"rg", "rg"});
  InstalledPrograms no_ripgrep({"git", "find"});
  CHECK(program_used(no_ripgrep) == SearchProgram::git);
  CHECK(no_ripgrep.asked == Words{"rg", "git", "git"});
  InstalledPrograms no_repository({"git", "find"});
  no_repository.git_exit = 128;
  CHECK(program_used(no_repository) == SearchProgram::plain);
  CHECK(no_repository.asked == Words{"rg", "git", "find", "find"});
}

TEST_CASE("a flood of output is read up to a bound", "[tools]") {
  test::run_coro([](Simulator&) -> asio::awaitable<void> {
    InstalledPrograms programs({"rg"});
    programs.bytes = std::string(kSearchBytesMax + 5, 'x');
    SearchBackend backend(programs, "/w");
    const auto printed = (co_await backend.run([](SearchProgram program) {
                           return list_command(program, "");
                         })).value();
    CHECK(printed.cut);
    CHECK(printed.bytes.size() == kSearchBytesMax);
  });
}

TEST_CASE("a pattern is one word of the command, whatever it looks like", "[tools]") {
  SearchQuery query;
  query.pattern = "--exec rm";
  query.path = "-rf";
  for (const SearchProgram program :
       {SearchProgram::ripgrep, SearchProgram::git, SearchProgram::plain}) {
    const Words argv = search_command(program, query);
    REQUIRE(argv.size() > 4);
    CHECK(argv[argv.size() - 4] == (program == SearchProgram::ripgrep ? "--regexp" : "-e"));
    CHECK(argv[argv.size() - 3] == "--exec rm");
    CHECK(argv[argv.size() - 2] == "--");
    CHECK(argv.back() == "-rf");
  }
}
