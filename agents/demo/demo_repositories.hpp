// Repositories with something wrong in them, for the demo: made by the generator that the model's
// training text comes from (examples/demo/train/repos.py), of names and functions that training
// never saw. It runs in the sandbox, as everything does that Fathom starts.
#pragma once

#include "agents/toolbox.hpp"
#include "runtime/base/result.hpp"

#include <boost/asio/awaitable.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace fathom::agents {

inline constexpr std::size_t kDemoRepositoriesMax = 10'000;

struct DemoWish {
  std::string set = "names";  ///< held out from training: "names", or "templates" (both)
  std::uint64_t seed = 1;
  std::size_t count = 1;
  std::filesystem::path folder;  ///< is there and empty; each repository is a folder in it
};

struct DemoRepository {
  std::filesystem::path folder;
  std::string bug_class;  ///< "boundary", "operator", …
  std::string file;
  std::string function;
  std::string wrong;  ///< the line as it is, and as it was, without indentation
  std::string right;
};

/// `not_found` without python3, which the repositories need anyway.
asio::awaitable<Result<std::vector<DemoRepository>>> make_demo_repositories(
    Toolbox::Surroundings around, DemoWish wish);

/// What the agent is asked: the model was trained with the list of the modules in the task.
[[nodiscard]] std::string demo_task(const std::filesystem::path& repository);

}  // namespace fathom::agents
