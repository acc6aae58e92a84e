#include "tools/search/file_tree.hpp"

#include "tests/support/catch.hpp"

using namespace fathom::tools;

namespace {

std::string nul_joined(std::initializer_list<std::string_view> paths) {
  std::string printed;
  for (const std::string_view path : paths) printed.append(path) += '\0';
  return printed;
}

}  // namespace

TEST_CASE("files stand in a tree that is opened to a depth", "[tools]") {
  const std::string printed =
      nul_joined({"./b.txt", "a/x.c", "a/deep/1.c", "a/deep/2.c", "a/deep/er/3.c"});
  const FileTree one = file_tree(printed, "", 1, 100);
  CHECK(one.text == "a/ (4 files)\nb.txt\n");
  CHECK(one.files == 5);
  CHECK(file_tree(printed, "", 2, 100).text == "a/deep/ (3 files)\na/x.c\nb.txt\n");
  CHECK(file_tree(printed, "", 9, 100).text ==
        "a/deep/1.c\na/deep/2.c\na/deep/er/3.c\na/x.c\nb.txt\n");
}

TEST_CASE("a tree of a folder leaves out what is elsewhere", "[tools]") {
  const std::string printed = nul_joined({"/w/a/x", "/w/ab", "/w/a/y/z"});
  CHECK(file_tree(printed, "/w/a/", 1, 100).text == "x\ny/ (1 file)\n");
}

TEST_CASE("a tree has a bound of lines and says so", "[tools]") {
  const FileTree tree = file_tree(nul_joined({"a", "b", "c"}), "", 1, 2);
  CHECK(tree.text == "a\nb\n");
  CHECK(tree.cut);
  CHECK(tree.files == 3);
}

TEST_CASE("hostile names are printable", "[tools]") {
  CHECK(file_tree(nul_joined({"a\nb\x1b[31m"}), "", 1, 9).text == "a\\x0ab\\x1b[31m\n");
  CHECK(file_tree(std::string(9'000, 'x'), "", 1, 9).text.empty());
}
