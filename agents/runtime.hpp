// Runtime: what sessions stand on, for programs that embed them. `fathom run` is one of those.
//
//   auto runtime = Runtime::start();                      // first thing in main: no threads yet
//   auto report = (*runtime)->run(options, "fix the tests");
//
// examples/hello.cpp and examples/custom_tool.cpp are whole programs.
#pragma once

#include "agents/engines.hpp"
#include "agents/session.hpp"
#include "runtime/async/clock.hpp"
#include "runtime/async/offload.hpp"
#include "runtime/base/paths.hpp"
#include "runtime/base/result.hpp"
#include "sandbox/zygote_process.hpp"

#include <boost/asio/io_context.hpp>

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace fathom::agents {

struct RuntimeOptions {
  GetEnv env = process_env;
  /// As Engines::Services has them; both may be absent.
  std::function<Result<std::string>(std::string_view name)> resolve_engine;
  std::function<engine::KeySources(const engine::EngineSpec& spec)> keys;
};

class Runtime {
 public:
  /// Starts the process that starts the sandboxes: call it before the program has threads.
  static Result<std::unique_ptr<Runtime>> start(RuntimeOptions options = {});
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  /// For sessions that are run side by side: they live on io(), which the caller runs.
  [[nodiscard]] Session::Surroundings surroundings();
  [[nodiscard]] asio::io_context& io() { return io_; }
  [[nodiscard]] Clock& clock() { return clock_; }

  /// One session with one turn, from its start to its end. Blocks.
  Result<TurnReport> run(SessionOptions options, std::string task);

 private:
  Runtime(std::unique_ptr<sandbox::ZygoteProcess> zygote, RuntimeOptions options);

  std::unique_ptr<sandbox::ZygoteProcess> zygote_;
  GetEnv env_;
  SystemClock clock_;
  OffloadPool offload_;
  asio::io_context io_{1};
  Engines engines_;
};

}  // namespace fathom::agents
