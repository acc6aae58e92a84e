// The tree is held to style.md and to the table of layers in ARCHITECTURE.md by this test.
//
// The rules are functions from a file's path and text to findings (tests/tidy/), so they are tested
// here and beside them on trees that never existed. A finding is one line that says where, what,
// and what to do.
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/tidy/tree.hpp"

#include <algorithm>
#include <iostream>

using namespace fathom::tidy;
using fathom::test::TempDir;

namespace {

std::vector<std::string> lines_of(const Findings& findings) {
  std::vector<std::string> lines;
  for (const Finding& finding : findings) lines.push_back(to_line(finding));
  return lines;
}

std::string repeated(std::string_view text, int count) {
  std::string out;
  for (int i = 0; i < count; ++i) out += text;
  return out;
}

// One file for each rule that breaks it once, and nothing else.
std::vector<SourceFile> bad_tree() {
  const std::string sources =
      "banned.cpp columns.cpp expensive.cpp long.cpp long_function.cpp order.cpp own.cpp "
      "relative.cpp\n"
      "start.cpp third_party.cpp todo.cpp up.cpp misc.cpp\n"
      "absent.cpp\n"
      "todo.cpp\n";
  return {
      {"tools/CMakeLists.txt", sources},
      {"tools/banned.cpp", "\nauto task = asio::detached;\n"},
      {"tools/columns.cpp", "\n// " + repeated("é", 98) + "\n"},
      {"tools/expensive.cpp", "\n#include <boost/asio.hpp>\n"},
      {"tools/guardless.hpp", "// A header.\n"},
      {"tools/long.cpp", repeated("int x;\n", 801)},
      {"tools/long_function.cpp", "\n\nvoid f() {\n" + repeated("x();\n", 69) + "}\n"},
      {"tools/misc.cpp", ""},
      {"tools/open.hpp", "#pragma once\n\nusing namespace std;\n"},
      {"tools/order.cpp", "#include <vector>\n#include <fmt/format.h>\n"},
      {"tools/own.cpp", "// Why.\n#include <vector>\n"},
      {"tools/own.hpp", "#pragma once\n"},
      {"tools/relative.cpp", "#include \"own.hpp\"\n"},
      {"tools/start.cpp", "int f() {\n  return ::execve(a, b, c);\n}\n"},
      {"tools/third_party.cpp", "#include <seccomp.h>\n"},
      {"tools/todo.cpp", "// TODO: later\n"},
      {"tools/unlisted.cpp", ""},
      {"tools/up.cpp", "\n\n#include \"agents/turn.hpp\"\n"},
  };
}

}  // namespace

TEST_CASE("this tree follows its own rules", "[tidy]") {
  const std::vector<SourceFile> tree = read_tree(".");
  if (tree.size() < 50) FAIL("run it in the root of the tree: here are no sources");
  const Findings findings = check_tree(tree);
  // Not through Catch, which would wrap them: one finding a line, as editors and people read them.
  for (const Finding& finding : findings) std::cout << to_line(finding) << '\n';
  CHECK(findings.empty());
}

TEST_CASE("each rule reports what breaks it once, with its line", "[tests]") {
  const std::vector<std::string_view> expected = {
      "tools/CMakeLists.txt:3: tools/absent.cpp does not exist",
      "tools/CMakeLists.txt:4: tools/todo.cpp is already listed",
      "tools/banned.cpp:2: a detached task has no owner",
      "tools/columns.cpp:2: 101 columns",
      "tools/expensive.cpp:2: <boost/asio.hpp> costs seconds",
      "tools/guardless.hpp:1: a header needs `#pragma once`",
      "tools/long.cpp:801: 801 lines",
      "tools/long_function.cpp:3: f has 71 lines",
      "tools/misc.cpp:1: 'misc' names nothing",
      "tools/open.hpp:3: `using namespace` in a header",
      "tools/order.cpp:2: <fmt/format.h> (third-party) stands behind standard",
      "tools/own.cpp:2: the first include must be \"tools/own.hpp\"",
      "tools/relative.cpp:1: \"own.hpp\" must be named from the root",
      "tools/start.cpp:2: execve starts a process",
      "tools/third_party.cpp:1: seccomp is confined to sandbox/*.cpp",
      "tools/todo.cpp:1: TODO must say which debt",
      "tools/unlisted.cpp:1: no CMakeLists.txt lists it",
      "tools/up.cpp:3: tools must not include agents",
  };
  const std::vector<std::string> found = lines_of(check_tree(bad_tree()));
  CHECK(found.size() == expected.size());
  for (std::size_t i = 0; i < std::min(found.size(), expected.size()); ++i)
    CHECK(found[i].substr(0, expected[i].size()) == expected[i]);
}

TEST_CASE("a tree that follows the rules gives no findings", "[tests]") {
  CHECK(check_tree({
                       {"runtime/CMakeLists.txt", "fathom_layer(runtime SOURCES base/x.cpp)\n"},
                       {"runtime/base/x.cpp",
                        "#include \"runtime/base/x.hpp\"\n\n#include <unistd.h>\n\n#include "
                        "<vector>\n\nint f() { return 1; }  // TODO(perf): a table\n"},
                       {"runtime/base/x.hpp", "// X.\n#pragma once\n\nint f();\n"},
                   })
            .empty());
}

TEST_CASE("of a folder on disk, our sources are read and data is not", "[tests]") {
  const TempDir dir;
  dir.write("CMakeLists.txt", "root");
  dir.write("tools/a/x.cpp", "text");
  dir.write("tools/a/x.txt", "no source");
  dir.write("tests/golden/x.cpp", "an expected answer");
  dir.write("build/x.cpp", "made");
  std::vector<std::string> paths;
  for (const SourceFile& file : read_tree(dir.path())) paths.push_back(file.path);
  CHECK(paths == std::vector<std::string>{"CMakeLists.txt", "tools/a/x.cpp"});
  CHECK(read_tree(dir.path()).back().text == "text");
}
