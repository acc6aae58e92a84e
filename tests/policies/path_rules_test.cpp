#include "policies/path_rules.hpp"

#include "tests/support/catch.hpp"

using namespace fathom::policies;

TEST_CASE("normal paths are absolute and say nothing twice", "[policies]") {
  for (const char* path : {"/", "/a", "/a/b.c", "/...", "/a/..b", "/ a"})
    CHECK(is_normal_path(path));
  for (const char* path : {"", "a", "./a", "/a/", "//", "//a", "/a//b", "/a/.", "/a/..", "/../a"})
    CHECK_FALSE(is_normal_path(path));
  CHECK_FALSE(is_normal_path(std::string_view("/a\0b", 4)));
  CHECK_FALSE(is_normal_path("/" + std::string(kPathBytesMax, 'a')));
}

TEST_CASE("a folder holds itself and what is below it, not what begins alike", "[policies]") {
  CHECK(is_at_or_below("/a/b", "/a"));
  CHECK(is_at_or_below("/a", "/a"));
  CHECK(is_at_or_below("/a", "/"));
  CHECK_FALSE(is_at_or_below("/ab", "/a"));
  CHECK_FALSE(is_at_or_below("/", "/a"));
}

TEST_CASE("the longest grant decides, and the stricter of two at the same path", "[policies]") {
  Filesystem filesystem;
  filesystem.home_root = "/home/u";
  filesystem.workspace_root = "/home/u/w";
  filesystem.grants = {{"/home/u/w/secret", Access::hidden, "h"},
                       {"/home/u/.cargo", Access::read, "r"},
                       {"/opt", Access::write, "w1"},
                       {"/opt", Access::read, "w2"}};
  CHECK(grant_for(filesystem, "/home/u/x").rule == "filesystem.home");
  CHECK(grant_for(filesystem, "/home/u/w/x").rule == "filesystem.workspace");
  CHECK(grant_for(filesystem, "/home/u/w/secret/x").rule == "h");
  CHECK(grant_for(filesystem, "/home/u/.cargo/bin").rule == "r");
  CHECK(grant_for(filesystem, "/opt/x").rule == "w2");
  CHECK(grant_for(filesystem, "/usr/bin").rule == "filesystem.system");
}

TEST_CASE("protected names are found at every depth", "[policies]") {
  CHECK(matches_protected(".vscode/", ".vscode"));
  CHECK(matches_protected(".vscode/", "a/b/.vscode/settings.json"));
  CHECK_FALSE(matches_protected(".vscode/", "a/x.vscode/y"));
  CHECK_FALSE(matches_protected(".vscode/", ".vscodex"));
  CHECK(matches_protected(".envrc", "a/.envrc"));
  CHECK_FALSE(matches_protected(".envrc", ".envrc/x"));
  CHECK(matches_protected("*.pth", "lib/x.pth"));
  CHECK_FALSE(matches_protected("*.pth", "lib/x.pth.txt"));
  CHECK(matches_protected(".cargo/config.toml", "a/.cargo/config.toml"));
  CHECK_FALSE(matches_protected(".cargo/config.toml", "config.toml"));
  CHECK(matches_protected(".github/hooks/", ".github/hooks/pre"));
  CHECK_FALSE(matches_protected(".github/hooks/", ".github/workflows/ci.yml"));
  CHECK(matches_protected("a*b*c", "aXbYc"));
  CHECK_FALSE(matches_protected("a*b*c", "aXbY"));
  CHECK_FALSE(matches_protected(".envrc", ""));

  Filesystem filesystem;
  filesystem.protected_names = {{"*.mk", Protection::report, "r"}, {"x.mk", Protection::deny, "d"}};
  CHECK(protected_name_for(filesystem, "a/x.mk")->rule == "d");
  CHECK(protected_name_for(filesystem, "a/y.mk")->rule == "r");
  CHECK(protected_name_for(filesystem, "a/y.c") == nullptr);
}
