#include "agents/cli/doctor.hpp"

#include "agents/cli/terminal.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

#include <nlohmann/json.hpp>

using namespace fathom;
using namespace fathom::agents;

namespace {

const Finding* find(const std::vector<Section>& sections, std::string_view section,
                    std::string_view name) {
  for (const Section& candidate : sections)
    if (candidate.name == section)
      for (const Finding& finding : candidate.findings)
        if (finding.name == name) return &finding;
  return nullptr;
}

}  // namespace

TEST_CASE("doctor finds programs on the given PATH and says how to get the others", "[agents]") {
  const test::TempDir dir;
  std::filesystem::permissions(dir.write("bin/git", "#!/bin/sh\n"),
                               std::filesystem::perms::owner_all);
  const auto env = [&](const char* name) -> std::string {
    if (name == std::string_view("PATH")) return "/nowhere::" + (dir / "bin").string();
    if (name == std::string_view("HOME")) return dir.path().string();
    return "";
  };
  const auto sections = examine(env);
  CHECK(find(sections, "programs", "git")->value == (dir / "bin/git").string());
  CHECK(find(sections, "programs", "rg")->health == Health::note);
  CHECK(find(sections, "programs", "rg")->fix == "apt-get install ripgrep");
  CHECK(
      find(sections, "files", "state")->value.starts_with((dir / ".local/state/fathom").string()));
  CHECK_FALSE(std::filesystem::exists(dir / ".local"));  // looking creates nothing
}

TEST_CASE("without a home, doctor says what to set and is not healthy", "[agents]") {
  const auto sections = examine([](const char*) { return std::string(); });
  CHECK(find(sections, "files", "state")->health == Health::missing);
  CHECK_FALSE(is_healthy(sections));
  const auto json = nlohmann::json::parse(to_json(sections));
  CHECK(json.at("healthy") == false);
}

TEST_CASE("doctor's text marks what is missing and gives the fix", "[agents]") {
  const Terminal terminal(ColourMode::never, [](const char*) { return std::string(); });
  const std::vector<Section> sections = {
      {"kernel",
       {{"seccomp", Health::ok, "yes", ""}, {"landlock", Health::missing, "no", "boot with it"}}}};
  CHECK(to_text(sections, terminal) ==
        "kernel\n  + seccomp          yes\n  - landlock         no\n                     fix: boot "
        "with it\n"
        "something needed is missing: see the lines marked '-' and their fixes\n");
}

TEST_CASE("doctor says which kernels were chosen, or what is wrong with the choice", "[agents]") {
  const auto kernels = [](const std::string& wanted) {
    const auto sections = agents::examine([&](const char* name) {
      return std::string_view(name) == "FATHOM_ISA" ? wanted : std::string();
    });
    for (const auto& section : sections)
      for (const auto& finding : section.findings)
        if (finding.name == "kernels") return finding;
    FAIL("no finding about kernels");
    return agents::Finding{};
  };
  CHECK(kernels("").value.contains("scalar "));
  CHECK(kernels("scalar").value.starts_with("scalar, FATHOM_ISA=scalar"));
  CHECK(kernels("foo").health == agents::Health::missing);
  CHECK(kernels("foo").value.contains("unknown instruction set 'foo'"));
}
