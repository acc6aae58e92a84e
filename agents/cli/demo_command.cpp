#include "agents/cli/demo_command.hpp"

#include "agents/cli/demo_report.hpp"
#include "agents/cli/progress.hpp"
#include "agents/cli/run_command.hpp"
#include "agents/demo/demo_repositories.hpp"
#include "agents/demo/demo_trial.hpp"
#include "agents/document/agent_files.hpp"
#include "agents/document/effective_config.hpp"
#include "agents/document/key_sources.hpp"
#include "agents/runtime.hpp"
#include "runtime/base/file.hpp"
#include "runtime/base/text.hpp"

#include <CLI/CLI.hpp>
#include <boost/asio/co_spawn.hpp>

#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <utility>
#include <vector>

namespace fathom::agents {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kSeedsByClock = 1'000'000;
constexpr int kFoldersOfASeedMax = 1'000;
constexpr const char* kAgent = "demo";

// Runs a coroutine to its end; nothing else lives on the loop.
template <class T>
Result<T> wait_for(Runtime& runtime, asio::awaitable<Result<T>> task) {
  std::optional<Result<T>> out;
  std::exception_ptr failed;
  asio::co_spawn(runtime.io(), std::move(task), [&](std::exception_ptr error, Result<T> result) {
    failed = error;
    if (!error) out = std::move(result);
  });
  runtime.io().restart();
  runtime.io().run();
  if (failed) std::rethrow_exception(failed);
  return *std::move(out);
}

std::uint64_t seed_of(const DemoOptions& options) {
  if (options.seed) return *options.seed;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(
             std::chrono::duration_cast<std::chrono::milliseconds>(now).count()) %
         kSeedsByClock;
}

// Not there, or an empty folder: links lead elsewhere, and a file is somebody's.
bool is_free(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::symlink_status(path, error);
  if (!fs::exists(status)) return true;
  return fs::is_directory(status) && fs::is_empty(path, error) && !error;
}

// The folder of all demos has a name that anybody can guess, in a place where anybody may write.
Result<> check_own(const fs::path& folder) {
  struct stat found{};
  if (::lstat(folder.c_str(), &found) != 0)
    return fail(system_error("look at " + folder.string(), errno));
  const bool is_own = S_ISDIR(found.st_mode) && found.st_uid == ::geteuid() &&
                      (found.st_mode & (S_IWGRP | S_IWOTH)) == 0;
  if (is_own) return {};
  return fail(ErrorCode::permission, folder.string() +
                                         ": is not a folder that only you can write: remove it, or "
                                         "name another place with --repo");
}

Result<fs::path> choose_folder(const DemoOptions& options, const std::string& name) {
  std::error_code error;
  if (!options.folder.empty()) {
    fs::path folder = fs::absolute(options.folder, error).lexically_normal();
    if (!folder.has_filename()) folder = folder.parent_path();  // behind a slash
    if (!error && is_free(folder)) return folder;
    return fail(ErrorCode::usage, "--repo " + options.folder.string() +
                                      ": is no empty folder, and the demo makes its own "
                                      "repository: name another one, or let the model try yours "
                                      "with fathom run --engine demo --repo " +
                                      options.folder.string() + " 'make the tests pass'");
  }
  const fs::path temporary = fs::temp_directory_path(error);
  if (error)
    return fail(ErrorCode::not_found,
                "there is no temporary folder (TMPDIR): name a place with --repo");
  const fs::path parent = temporary / ("fathom-demo-" + std::to_string(::geteuid()));
  TRY(create_private_dirs(parent));
  TRY(check_own(parent));
  for (int i = 1; i <= kFoldersOfASeedMax; ++i)
    if (fs::path path = parent / (name + (i == 1 ? "" : "-" + std::to_string(i))); is_free(path))
      return path;
  return fail(ErrorCode::in_use, parent.string() + ": is full of demos: remove it");
}

// The generator gets a folder of its own beside the one that is wanted.
Result<std::vector<DemoRepository>> make(Runtime& runtime, DemoWish wish, const fs::path& into) {
  TRY(create_private_dirs(into.parent_path()));
  std::string made = (into.parent_path() / ".making-XXXXXX").string();
  if (::mkdtemp(made.data()) == nullptr) return fail(system_error("make " + made, errno));
  wish.folder = made;
  const bool is_one = wish.count == 1;
  auto repositories =
      wait_for(runtime, make_demo_repositories(runtime.surroundings().machine, std::move(wish)));
  std::error_code error;
  if (repositories) {
    const fs::path from = is_one ? repositories->front().folder : fs::path(made);
    fs::rename(from, into, error);  // over an empty folder, if one is there
    if (error) repositories = fail(system_error("make " + into.string(), error.value()));
  }
  if (repositories)
    for (DemoRepository& one : *repositories)
      one.folder = is_one ? into : into / one.folder.filename();
  fs::remove_all(made, error);
  return repositories;
}

RuntimeOptions standing_of(const EffectiveConfig& config, const GetEnv& env) {
  RuntimeOptions standing;
  standing.env = env;
  standing.resolve_engine = [&config](std::string_view name) -> Result<std::string> {
    return TRY(resolve_engine(name, config)).to_string();
  };
  standing.keys = [&config, &env](const engine::EngineSpec& spec) {
    return key_sources(spec, config.user, env);
  };
  return standing;
}

Result<ExitCode> show_one(const DemoOptions& options, const EffectiveConfig& config,
                          const GetEnv& env, Terminal& terminal) {
  const std::uint64_t seed = seed_of(options);
  const fs::path folder = TRY(choose_folder(options, "seed-" + std::to_string(seed)));
  {
    const auto runtime = TRY(Runtime::start(standing_of(config, env)));
    TRY(make(*runtime, {options.set, seed, 1, {}}, folder));
  }
  if (!options.json) terminal.aside(demo_opening(seed, folder));
  RunOptions run;
  run.task = demo_task(folder);
  run.repository = folder;
  run.agent = kAgent;
  run.engine = options.engine;
  run.json = options.json;
  run.verbose = true;  // to see what it reads and thinks is what a demo is for
  const ExitCode code = TRY(run_agent(run, env, terminal));
  if (!options.json) terminal.aside(demo_closing(seed, folder));
  return code;
}

Result<ExitCode> try_many(const DemoOptions& options, const EffectiveConfig& config,
                          const GetEnv& env, Terminal& terminal) {
  const std::uint64_t seed = seed_of(options);
  const fs::path folder = TRY(choose_folder(options, "seeds-" + std::to_string(seed)));
  const FoundAgent found = TRY(find_agent(kAgent, folder.parent_path(), env));
  const RunSettings settings = TRY(settle(config, found));
  const auto runtime = TRY(Runtime::start(standing_of(config, env)));
  TRY(wait_for(*runtime, runtime->surroundings().open_engine(options.engine)));
  const auto repositories = TRY(make(*runtime, {options.set, seed, options.count, {}}, folder));
  DemoReport report{options.set, seed, folder, {}};
  Progress progress("repairing");
  for (const DemoRepository& repository : repositories) {
    SessionOptions session;
    session.agent = found.agent;
    session.agent.budget = settings.budget;
    session.document = found.text;
    session.engine = options.engine;
    session.tools.repository = repository.folder;
    auto trial = wait_for(*runtime, try_repair(runtime->surroundings(), std::move(session),
                                               demo_task(repository.folder)));
    if (!trial) {  // the others are as good as without it
      terminal.note(repository.folder.string() + ": " + trial.error().message);
      trial = DemoTrial{};
      trial->why = "it was not tried to its end";
    }
    report.trials.push_back({repository, *std::move(trial)});
    progress.show(report.trials.size(), repositories.size(), "repositories");
  }
  terminal.out(options.json ? to_json(report) : to_text(report));
  return ExitCode::ok;
}

}  // namespace

Result<ExitCode> run_demo(const DemoOptions& options, const GetEnv& env, Terminal& terminal) {
  const EffectiveConfig config = TRY(load_effective_config({options.engine, kAgent, ""}, env));
  TRY(resolve_engine(options.engine, config));  // before anything is made
  return options.count == 1 ? show_one(options, config, env, terminal)
                            : try_many(options, config, env, terminal);
}

void add_demo_command(CLI::App& app, DemoOptions& options, const GetEnv& env,
                      const Choose& choose) {
  CLI::App* demo =
      app.add_subcommand("demo", "Make a broken repository, and watch the bundled model repair it");
  demo->add_option_function<std::uint64_t>(
          "--seed", [&options](std::uint64_t seed) { options.seed = seed; },
          "The repository; by default another one each time")
      ->type_name("N");
  demo->add_option("--repo", options.folder, "Where it is made; by default a temporary folder")
      ->type_name("DIR");
  demo->add_option("--count", options.count, "Repair so many, and count")
      ->check(CLI::Range(std::size_t{1}, kDemoRepositoriesMax))
      ->type_name("N");
  demo->add_option("--set", options.set,
                   "names: identifiers that training never saw; templates: functions too")
      ->check(CLI::IsMember({"names", "templates"}))
      ->capture_default_str();
  demo->add_option("--engine", options.engine, "Another engine for the same repository")
      ->capture_default_str();
  demo->add_flag("--json", options.json,
                 "Events as JSON lines; with --count one object with every repair");
  demo->footer(
      "The repository and the run's trace stay, to look at. With --count 1 the exit codes are\n"
      "those of fathom run: 0 repaired, 10 not repaired.\n"
      "Examples:\n"
      "  fathom demo\n"
      "  fathom demo --seed 7 --repo /tmp/seven\n"
      "  fathom demo --count 200 --seed 1 --set templates --json | jq '.fixed'");
  demo->callback([&options, &env, choose] {
    choose([&options, &env](Terminal& terminal) { return run_demo(options, env, terminal); });
  });
}

}  // namespace fathom::agents
