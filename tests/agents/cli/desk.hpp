// A home, a folder to work in, and the program at work there.
#pragma once

#include "tests/support/run_program.hpp"
#include "tests/support/temp_dir.hpp"

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace fathom::test {

struct Desk {
  TempDir dir;
  std::string home;
  std::string repo;  ///< home + "/w"

  Desk();
  /// The home has a name and an address for commits.
  [[nodiscard]] ProgramResult fathom(const std::vector<std::string>& args) const;
  [[nodiscard]] ProgramResult call(const std::string& tool, const nlohmann::json& arguments,
                                   const std::vector<std::string>& more = {}) const;
  [[nodiscard]] ProgramResult bash(const std::string& command) const;
  /// git outside any sandbox, as the user would; throws when it fails.
  std::string git(std::vector<std::string> words) const;
  [[nodiscard]] std::string file(const std::string& name) const;
  void write(const std::string& name, std::string_view bytes) const;
};

}  // namespace fathom::test
