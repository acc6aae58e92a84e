// A small broken repository, and `fathom run` in it.
#pragma once

#include "tests/agents/cli/desk.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/run_program.hpp"
#include "tests/support/temp_dir.hpp"

#include <nlohmann/json_fwd.hpp>

#include <algorithm>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::test {

inline bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

struct RunDesk : Desk {
  static constexpr std::string_view kBroken = "# Adds two numbers.\necho $(($1 - $2))\n";
  static constexpr std::string_view kFixed = "# Adds two numbers.\necho $(($1 + $2))\n";

  RunDesk() {
    write_project("");
    git({"init", "-q", repo});
    git({"-C", repo, "add", "."});
    git({"-C", repo, "commit", "-q", "-m", "first"});
  }

  /// The same project in a folder of the home: "" is the repository's.
  void write_project(const std::string& folder) const {
    const std::string below = folder.empty() ? "" : "../" + folder + "/";
    write(below + "add.sh", kBroken);
    write(below + "test.sh",
          "got=$(sh add.sh 2 3)\n"
          "if [ \"$got\" != 5 ]; then\n  echo \"expected 5, got $got\"\n  exit 1\nfi\n"
          "echo \"2 + 3 is 5\"\n");
  }

  [[nodiscard]] std::vector<std::string> environment() const {
    std::vector<std::string> all = {"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=" + home};
    all.insert(all.end(), variables.begin(), variables.end());
    return all;
  }
  /// `fathom ARGS`, with the variables as well.
  [[nodiscard]] ProgramResult program(std::vector<std::string> args) const {
    args.insert(args.begin(), FATHOM_PROGRAM);
    return run_program(args, {.environment = environment(), .stdout_path = ""});
  }
  [[nodiscard]] std::vector<std::string> run_words(const std::string& engine,
                                                   std::vector<std::string> more = {}) const {
    more.insert(more.begin(),
                {FATHOM_PROGRAM, "run", "--repo", repo, "--engine", engine, "make the test pass"});
    return more;
  }
  [[nodiscard]] ProgramResult run(const std::string& engine,
                                  std::vector<std::string> more = {}) const {
    return run_program(run_words(engine, std::move(more)),
                       {.environment = environment(), .stdout_path = ""});
  }
  [[nodiscard]] ProgramResult resume(std::vector<std::string> more = {}) const {
    more.insert(more.begin(), {"session", "resume", newest()});
    return program(more);
  }

  /// A script for the replay engine, in the home; the SPEC that plays it.
  [[nodiscard]] std::string script(const std::string& name, std::string_view lines) const {
    write("../" + name, lines);
    return "replay:" + home + "/" + name;
  }

  [[nodiscard]] std::string state() const { return home + "/.local/state/fathom"; }
  [[nodiscard]] std::string journal(const std::string& run) const {
    return state() + "/journals/" + run + ".jsonl";
  }
  /// The run that began last; "" when there is none.
  [[nodiscard]] std::string newest() const {
    std::string last;
    std::error_code error;
    for (const auto& file : std::filesystem::directory_iterator(state() + "/journals", error))
      if (file.path().extension() == ".jsonl") last = std::max(last, file.path().stem().string());
    return last;
  }
  [[nodiscard]] std::vector<nlohmann::json> events() const;
  static std::vector<nlohmann::json> lines_of(std::string_view text);
  /// How many events of a type the newest run has.
  [[nodiscard]] std::ptrdiff_t count(std::string_view type) const;
  /// All texts that tools gave to the model in the newest run.
  [[nodiscard]] std::string results() const;

  std::vector<std::string> variables;  ///< NAME=VALUE, besides PATH and HOME
};

}  // namespace fathom::test
