// What the demo says: around one repair, and of many.
#pragma once

#include "agents/demo/demo_repositories.hpp"
#include "agents/demo/demo_trial.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace fathom::agents {

struct DemoReport {
  struct Repair {
    DemoRepository repository;
    DemoTrial trial;
  };
  std::string set;
  std::uint64_t seed = 0;
  std::filesystem::path folder;
  std::vector<Repair> trials;
};

/// Whole lines, for a person.
[[nodiscard]] std::string demo_opening(std::uint64_t seed, const std::filesystem::path& folder);
/// What the model can and cannot do, by what was measured of it, and what to do next.
[[nodiscard]] std::string demo_closing(std::uint64_t seed, const std::filesystem::path& folder);

[[nodiscard]] std::string to_text(const DemoReport& report);
/// One object in one line, with its end.
[[nodiscard]] std::string to_json(const DemoReport& report);

}  // namespace fathom::agents
