#include "tests/tools/git/git_fixture.hpp"

#include "tests/support/catch.hpp"
#include "tools/git/handles.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <git2.h>
#include <nlohmann/json.hpp>

#include <exception>

namespace fathom::tools::test {

GitWorkspace::GitWorkspace() {
  start_libgit2();
  for (const int level : {GIT_CONFIG_LEVEL_SYSTEM, GIT_CONFIG_LEVEL_GLOBAL, GIT_CONFIG_LEVEL_XDG})
    git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, level, "/nonexistent");
  root = std::filesystem::canonical(root);
  git(root, {"init", "-q"});
  git(root, {"config", "user.name", "Ann Other"});
  git(root, {"config", "user.email", "ann@example.com"});
}

void GitWorkspace::commit(std::string_view name, std::string_view bytes) const {
  write(name, bytes);
  git(root, {"add", std::string(name)});
  git(root, {"commit", "-q", "-m", "add " + std::string(name)});
}

Result<ToolOutput> GitWorkspace::call(std::string_view arguments) const {
  const auto parsed = Arguments::parse(arguments);
  REQUIRE(parsed);
  OffloadPool pool;
  GitTool tool(pool, root.string(), [this](const char* name) {
    if (on_environment) on_environment();
    const auto found = environment.find(name);
    return found == environment.end() ? std::string() : found->second;
  });
  boost::asio::io_context io;
  const std::string id = "call";
  Result<ToolOutput> answer;
  const Call call{id, *parsed, {}};  // outlives the coroutine, which keeps a reference
  boost::asio::co_spawn(io, tool.run(call),
                        [&](const std::exception_ptr& failed, Result<ToolOutput> output) {
                          if (failed) std::rethrow_exception(failed);
                          answer = std::move(output);
                        });
  io.run();
  return answer;
}

Result<Intent> GitWorkspace::intent(std::string_view arguments) const {
  const auto parsed = Arguments::parse(arguments);
  REQUIRE(parsed);
  OffloadPool pool;
  return GitTool(pool, root.string()).intent(*parsed);
}

std::string GitWorkspace::text(std::string_view arguments) const {
  const auto output = call(arguments);
  if (!output) FAIL(output.error().message);
  return output->text.text();
}

nlohmann::json GitWorkspace::data(std::string_view arguments) const {
  const auto output = call(arguments);
  if (!output) FAIL(output.error().message);
  return nlohmann::json::parse(output->data);
}

std::string GitWorkspace::error(std::string_view arguments) const {
  const auto output = call(arguments);
  REQUIRE_FALSE(output);
  return output.error().message;
}

}  // namespace fathom::tools::test

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
// libgit2 1.5 loses the paths of a patch and the entry of a tree that it refuses, some ten bytes
// each, and has no symbols here that would name just these two. Objects it gives out are in handles
// (handles.hpp), which give them back.
extern "C" const char* __lsan_default_suppressions();  // NOLINT: the sanitizer's name for it
extern "C" const char* __lsan_default_suppressions() { return "leak:libgit2.so\n"; }  // NOLINT
#endif
#endif
