#include "tests/agents/cli/desk.hpp"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <stdexcept>

namespace fathom::test {

namespace {

std::vector<std::string> environment_of(const Desk& desk) {
  return {"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=" + desk.home};
}

}  // namespace

Desk::Desk() : home((std::filesystem::canonical(dir.path()) / "home").string()), repo(home + "/w") {
  std::filesystem::create_directories(repo);
  (void)dir.write("home/.gitconfig",
                  "[user]\n\tname = A\n\temail = a@example.com\n[init]\n\tdefaultBranch = main\n");
}

ProgramResult Desk::fathom(const std::vector<std::string>& args) const {
  return test::fathom(args, {.environment = environment_of(*this), .stdout_path = ""});
}

ProgramResult Desk::call(const std::string& tool, const nlohmann::json& arguments,
                         const std::vector<std::string>& more) const {
  std::vector<std::string> args = {"tool", "call", tool, arguments.dump(), "--repo", repo};
  args.insert(args.end(), more.begin(), more.end());
  return fathom(args);
}

ProgramResult Desk::bash(const std::string& command) const {
  return call("bash", {{"command", command}});
}

std::string Desk::git(std::vector<std::string> words) const {
  words.insert(words.begin(), "git");
  const ProgramResult result =
      run_program(words, {.environment = environment_of(*this), .stdout_path = ""});
  if (result.exit_code != 0) throw std::runtime_error("git: " + result.err);
  return result.out;
}

std::string Desk::file(const std::string& name) const { return slurp(repo + "/" + name); }

void Desk::write(const std::string& name, std::string_view bytes) const {
  (void)dir.write("home/w/" + name, bytes);
}

}  // namespace fathom::test
