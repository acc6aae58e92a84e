#include "policies/policy_explain.hpp"

#include "policies/shipped.hpp"
#include "tests/policies/fixture.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

#include <cstdlib>
#include <fstream>

using namespace fathom;
using namespace fathom::policies;

namespace {

void add(PolicyMerge& merge, const std::string& text, const std::string& file, Layer layer,
         Trust trust) {
  const std::string prefix = file == "default.yaml" ? "" : file.substr(0, file.find('.')) + ":";
  auto patch = load_policy_patch(text, file, test_context(prefix));
  if (!patch) FAIL(patch.error().message);
  merge.add(*patch, layer, trust);
}

void add_shipped(PolicyMerge& merge, const std::string& name) {
  add(merge, std::string(shipped_policy(name)), name + ".yaml", Layer::built_in, Trust::full);
}

}  // namespace

// UPDATE_GOLDEN=1 writes the files anew. A change in them is a change of what agents may do by
// default: read the difference before committing it.
TEST_CASE("what the shipped policies allow is what was reviewed", "[policies]") {
  for (const std::string name : {"default", "readonly", "ci-repair"}) {
    PolicyMerge merge(test_context());
    add_shipped(merge, "default");
    if (name != "default") add_shipped(merge, name);
    const std::string text = explain_text(std::move(merge).finish());
    const std::string path = "tests/golden/policies/" + name + ".txt";
    if (std::getenv("UPDATE_GOLDEN") != nullptr) std::ofstream(path, std::ios::binary) << text;
    INFO(path);
    CHECK(text == test::slurp(path));
  }
}

TEST_CASE("explain names the layer and line of each value, and what was ignored", "[policies]") {
  PolicyMerge merge(test_context());
  add_shipped(merge, "default");
  add(merge, document("env: {pass: [EDITOR]}\nlimits: {pids: 2000}\n"), "/home/u/user.yaml",
      Layer::user, Trust::full);
  add(merge, document("limits: {pids: 1000, fds: 9999}\n"), "/home/u/w/.fathom/policy.yaml",
      Layer::project, Trust::narrow_only);
  const std::string text = explain_text(std::move(merge).finish());
  for (const char* line :
       {"\nlayer built-in default.yaml\n", "\nlayer user /home/u/user.yaml\n",
        "\nlayer project /home/u/w/.fathom/policy.yaml (narrows only)\n",
        "\nignored limits.fds = 9999: widens what the layers below allow   [project "
        "(/home/u/w/.fathom/policy.yaml:4)]\n",
        "\nlimits.pids = 1000   [project (/home/u/w/.fathom/policy.yaml:4)]\n",
        "\nlimits.fds = 4096   [built-in (default.yaml)]\n",
        "\nenv.pass = passed   [user (/home/u/user.yaml:4)]\n    EDITOR\n",
        "sha256sum /home/u/w/.fathom/policy.yaml >> ~/.config/fathom/pins"}) {
    INFO(line << text.substr(0, 900));
    CHECK(text.find(line) != std::string::npos);
  }
}

TEST_CASE("explain prints nothing a terminal would obey", "[policies]") {
  PolicyMerge merge(test_context());
  add(merge, document("env: {set: {A: \"\\e]0;x\\a\\n\"}}\n"), "a\x1b.yaml", Layer::user,
      Trust::full);
  CHECK(explain_text(std::move(merge).finish()).find('\x1b') == std::string::npos);
}
