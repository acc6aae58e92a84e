#include "agents/demo/demo_repositories.hpp"

#include "agents/demo/bundled_files.hpp"
#include "policies/policy_files.hpp"
#include "runtime/base/file.hpp"
#include "runtime/base/text.hpp"
#include "runtime/base/unique_fd.hpp"
#include "sandbox/environment.hpp"
#include "sandbox/host.hpp"

#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>
#include <nlohmann/json.hpp>

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <string_view>
#include <utility>

namespace fathom::agents {
namespace {

namespace fs = std::filesystem;

constexpr const char* kTask = "The tests fail. Find and fix the bug.";
constexpr std::string_view kModulesPart = "repositories/";
constexpr std::size_t kAnswersBytesMax = std::size_t{16} << 20;
constexpr std::size_t kErrorBytesShown = 300;
constexpr std::size_t kModulesNamedMax = 64;

// The modules as one script, since a command sees nothing of what Fathom has: JSON's strings are
// Python's as well.
std::string generator_script() {
  std::string script = "import sys, types\n";
  for (const BundledFile& file : bundled_files()) {
    if (!file.path.starts_with(kModulesPart)) continue;
    std::string_view name = file.path.substr(kModulesPart.size());
    name.remove_suffix(std::string_view(".py").size());
    const std::string quoted = nlohmann::json(name).dump();
    script += "m = sys.modules[" + quoted + "] = types.ModuleType(" + quoted + ")\n";
    script += "exec(compile(" + nlohmann::json(file.bytes).dump() + ", " + quoted +
              ", 'exec'), m.__dict__)\n";
  }
  return script + "sys.modules['repos'].main()\n";
}

Result<UniqueFd> as_input(std::string_view script) {
  UniqueFd fd(::memfd_create("fathom-demo", MFD_CLOEXEC));
  if (!fd) return fail(system_error("memfd_create", errno));
  TRY(write_all(fd.get(), script, "the demo's generator"));
  if (::lseek(fd.get(), 0, SEEK_SET) != 0) return fail(system_error("lseek", errno));
  return fd;
}

Result<> check_ended(const sandbox::Outcome& outcome) {
  if (outcome.ending == sandbox::Ending::not_started)
    return fail(ErrorCode::not_found,
                "demo: python3 was not started (" + outcome.evidence +
                    "): install it, as the repositories that the model repairs are Python");
  if (outcome.ending == sandbox::Ending::exited && outcome.exit_code == 0) return {};
  return fail(ErrorCode::io, "demo: the repositories were not made: " + sandbox::summary(outcome) +
                                 ": " +
                                 to_printable(clip_prefix(outcome.err.text(), kErrorBytesShown)));
}

asio::awaitable<Result<>> run_generator(tools::Commands& commands, const DemoWish& wish) {
  CO_TRY(const UniqueFd script, as_input(generator_script()));
  sandbox::Command command;
  command.argv = {"python3",
                  "-B",
                  "-",
                  "--count",
                  std::to_string(wish.count),
                  "--seed",
                  std::to_string(wish.seed),
                  "--set",
                  wish.set,
                  "--out",
                  "."};
  command.input = script.get();
  auto running = commands.run(std::move(command));
  CO_TRY(const sandbox::Outcome outcome, co_await std::move(running));
  co_return check_ended(outcome);
}

Result<std::vector<DemoRepository>> read_answers(const DemoWish& wish) {
  const std::string text = TRY(read_file(wish.folder / "answers.tsv", kAnswersBytesMax));
  std::vector<DemoRepository> out;
  std::string_view rest = text;
  for (bool is_head = true; !rest.empty(); is_head = false) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (is_head) continue;
    std::array<std::string, 6> cells;
    for (std::string& cell : cells) {
      const std::size_t tab = std::min(line.find('\t'), line.size());
      cell = line.substr(0, tab);
      line.remove_prefix(std::min(tab + 1, line.size()));
    }
    const fs::path name = cells[0];
    if (name.empty() || name != name.filename())
      return fail(ErrorCode::bad_data, "demo: answers.tsv names no folder: " + to_printable(text));
    out.push_back({wish.folder / name, cells[1], cells[2], cells[3], cells[4], cells[5]});
  }
  if (out.size() != wish.count)
    return fail(ErrorCode::bad_data, "demo: " + std::to_string(out.size()) + " repositories of " +
                                         std::to_string(wish.count) + " were made");
  return out;
}

}  // namespace

asio::awaitable<Result<std::vector<DemoRepository>>> make_demo_repositories(
    Toolbox::Surroundings around, DemoWish wish) {
  sandbox::LauncherOptions options;
  options.host = sandbox::look_at_host(around.env);
  CO_TRY(options.workspace, sandbox::open_workspace(wish.folder.string(), options.host));
  wish.folder = options.workspace.root;
  CO_TRY(auto effective,
         policies::load_effective_policy({options.workspace.root, "default", {}}, around.env));
  options.policy = std::move(effective.policy);
  // The folder is made by Fathom and becomes a repository only now: nothing is there to protect.
  options.policy.filesystem.protected_names.clear();
  options.environment = sandbox::process_environment();
  CO_TRY(options.state, state_dir(around.env));
  options.offload = &around.offload;
  CO_TRY(auto cache, cache_dir(around.env));
  tools::SandboxCommands commands(around.zygote, around.clock, std::move(options),
                                  std::move(cache));
  Result<> made;
  std::exception_ptr unwinding;
  try {
    auto running = run_generator(commands, wish);
    made = co_await std::move(running);
  } catch (const boost::system::system_error&) {
    unwinding = std::current_exception();
  }
  co_await asio::this_coro::throw_if_cancelled(false);
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  co_await commands.close();
  if (unwinding) std::rethrow_exception(unwinding);
  if (!made) co_return fail(made.error());
  co_return read_answers(wish);
}

std::string demo_task(const fs::path& repository) {
  std::vector<std::string> modules;
  std::error_code error;
  for (const char* below : {".", "src", "lib"}) {
    fs::directory_iterator file(repository / below, error);
    for (; !error && file != fs::directory_iterator(); file.increment(error)) {
      const std::string path = file->path().lexically_relative(repository).lexically_normal();
      const bool is_module = path.ends_with(".py") && path != "test.py" && path != "check.py";
      if (is_module && modules.size() < kModulesNamedMax) modules.push_back(path);
    }
  }
  std::ranges::sort(modules);
  std::string task = kTask;
  for (const std::string& path : modules) task += "\n" + path;
  return task;
}

}  // namespace fathom::agents
