#include "tests/tidy/words.hpp"

#include "tests/support/catch.hpp"

using namespace fathom::tidy;

namespace {

int banned_in(std::string text) {
  return static_cast<int>(check_banned_words({"a/x.cpp", std::move(text)}).size());
}

int starts_in(std::string text) {
  return static_cast<int>(check_process_starts({"tools/x.cpp", std::move(text)}).size());
}

}  // namespace

TEST_CASE("a promise in a comment says which debt it is", "[tests]") {
  const auto lines = [](std::string text) {
    std::vector<int> found;
    for (const Finding& finding : check_todos({"a/x.cpp", std::move(text)}))
      found.push_back(finding.line);
    return found;
  };
  CHECK(lines("// TODO(perf): a table would do\n").empty());
  CHECK(lines("f(\"TODO\");\n// kTODOs and TODOS\n").empty());
  CHECK(lines("// TODO: later\n") == std::vector{1});
  CHECK(lines("\n/* a\n   TODO(someone): later\n   TODO(perf):\n*/\n") == std::vector{3, 4});
  CHECK(lines("x;  // FIXME\n") == std::vector{1});
}

TEST_CASE("words that give up ownership are banned from code, not from comments", "[tests]") {
  CHECK(banned_in("co_spawn(ex, f(), asio::detached);") == 1);
  CHECK(banned_in("// asio::detached\nf(\"std::endl\");") == 0);
  CHECK(banned_in("out << std::endl;") == 1);
  CHECK(banned_in("std::this_thread::sleep_for(1s);") == 1);
  CHECK(banned_in("::usleep(1000);") == 1);
  CHECK(banned_in("co_await clock.sleep_for(1s);") == 0);
}

TEST_CASE("new and delete need an owner", "[tests]") {
  CHECK(banned_in("auto* x = new X(1);") == 1);
  CHECK(banned_in("delete x;") == 1);
  CHECK(banned_in("delete[] x;") == 1);
  CHECK(banned_in("X(const X&) = delete;") == 0);
  CHECK(banned_in("std::unique_ptr<X>(new X(1))") == 0);
  CHECK(banned_in("std::unique_ptr<X<int>>{new X<int>(1)}") == 0);
  CHECK(banned_in("const std::unique_ptr<X> x(new X(1));") == 0);
  CHECK(banned_in("std::shared_ptr<X>(new X(1))") == 1);
  CHECK(banned_in("new (place) X(1);") == 0);
  CHECK(banned_in("void* operator new(std::size_t);") == 0);
  CHECK(banned_in("#include <new>\n") == 0);
}

TEST_CASE("only the sandbox starts processes", "[tests]") {
  CHECK(starts_in("const pid_t child = ::fork();") == 1);
  CHECK(starts_in("return fork();") == 1);
  CHECK(starts_in("std::system(\"ls\");") == 1);
  CHECK(starts_in("if (::posix_spawnp(&pid, name)) {}") == 1);
  CHECK(starts_in("::syscall(SYS_clone3, &args);") == 1);
  CHECK(starts_in("FILE* out = popen(\"ls\", \"r\");") == 1);
  CHECK(check_process_starts({"sandbox/zygote.cpp", "::fork();"}).empty());
  CHECK(check_process_starts({"tests/x_test.cpp", "::fork();"}).empty());
  CHECK(check_process_starts({"engine/x.cpp", "\n\n::fork();"}) ==
        Findings{{"engine/x.cpp", 3,
                  "fork starts a process, which only sandbox/ does: call sandbox::Launcher"}});
}

TEST_CASE("a member that happens to be called fork starts nothing", "[tests]") {
  CHECK(starts_in("auto branch = timeline.fork(12);") == 0);
  CHECK(starts_in("Result<Timeline> Timeline::fork(std::size_t at) {}") == 0);
  CHECK(starts_in("Timeline fork(std::size_t at);") == 0);
  CHECK(starts_in("boost::system::system_error(e)") == 0);
  CHECK(starts_in("Role::system") == 0);
}

TEST_CASE("names say what is in a file", "[tests]") {
  CHECK(check_names({"tools/edit_match.cpp", ""}).empty());
  CHECK(check_names({"engine/score.cpp", ""}).empty());
  CHECK(check_names({"tools/string_utils.hpp", ""}) ==
        Findings{{"tools/string_utils.hpp", 1,
                  "'string_utils' names nothing: call it after what is in it"}});
  CHECK(check_names({"agents/core/turn.cpp", ""}).size() == 1);
  CHECK(check_names({"tests/agents/helpers_test.cpp", ""}).size() == 1);
  CHECK(check_names({"tools/shell.h", ""}).size() == 1);
}
