// Sessions of the real runtime, with their toolbox and their journal on disk, around a model that
// costs nothing: what is measured is what the runtime adds.
#pragma once

#include "agents/runtime.hpp"
#include "tests/support/temp_dir.hpp"

#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace fathom::agents {

using Steady = std::chrono::steady_clock;

/// Calls `note` a number of times, then answers. Unlike the tests' ScriptedEngine it keeps no
/// copies, and renders a transcript as engines do: only what is new.
class CallingEngine final : public engine::Engine {
 public:
  struct Asked {
    Steady::time_point at;
    std::size_t messages = 0;
    std::size_t body_bytes = 0;
  };

  explicit CallingEngine(std::uint64_t calls);
  [[nodiscard]] const engine::EngineInfo& info() const override { return info_; }
  Result<std::unique_ptr<engine::Session>> open(engine::SessionSetup setup) override;

  [[nodiscard]] std::uint64_t calls() const { return calls_; }
  /// Of all sessions, in their order; the last of each is the answer's.
  std::vector<Asked> asked;
  /// Waited for before an answer; may be empty.
  std::function<asio::awaitable<void>()> before_answer;

 private:
  std::uint64_t calls_;
  engine::EngineInfo info_;
};

/// A home and a workspace of their own, removed with everything in them.
class BenchPlace {
 public:
  BenchPlace();

  [[nodiscard]] const std::filesystem::path& root() const { return dir_.path(); }
  [[nodiscard]] std::filesystem::path home() const { return dir_ / "home"; }
  [[nodiscard]] std::filesystem::path workspace() const { return dir_ / "work"; }
  [[nodiscard]] GetEnv env() const;
  /// A session of the shipped coder with the tool `note`, whose results have so many bytes.
  [[nodiscard]] SessionOptions session(std::size_t result_bytes) const;

 private:
  test::TempDir dir_;
};

/// One session with one turn; throws when that does not end in an answer.
asio::awaitable<void> one_session(Session::Surroundings around, SessionOptions options);

/// A number in kB from /proc/self/status, such as "VmRSS"; of "Threads" the number itself.
std::uint64_t own_status(std::string_view key);

}  // namespace fathom::agents
