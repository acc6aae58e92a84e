#include "sandbox/git_config.hpp"

#include "tests/sandbox/guard/machine.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/run_program.hpp"
#include "tests/support/temp_dir.hpp"

using namespace fathom;
using namespace fathom::sandbox;

namespace {

std::vector<GitSetting> parsed(std::string_view text) {
  auto settings = parse_git_config(text);
  REQUIRE(settings);
  return *settings;
}

// What `git config --list -z` prints.
std::string as_git_lists(const std::vector<GitSetting>& settings) {
  std::string out;
  for (const GitSetting& setting : settings) {
    out += name_of(setting);
    if (setting.value) out += '\n' + *setting.value;
    out += '\0';
  }
  return out;
}

}  // namespace

TEST_CASE("a git config is read as git reads it", "[sandbox]") {
  if (!test::has_git()) return;
  const std::string text = GENERATE(
      as<std::string>{}, "[core]\n\tbare = true\n", "[core] bare = true ; said\n", "[CoRe]\nBaRe\n",
      "[remote \"Ori\\\"gin\\\\x\"]\nurl = a\n", "[branch.Main]\nremote=x",
      "\xEF\xBB\xBF[a]\nb=1\n", "[a]\r\nb = 1\r\n", "[a]\nb = one \\\n two\n",
      "[a]\nb = \" x \" # c\n", "[a]\nb = x\\ty\\\\z\\\"\n", "[a]\nb = \"#\";c\n", "[a]\nb =\n",
      "[a]\nb = \"\"\n", "[a \"\"]\nb = 1\n", "# only\n; comments", "[a]b=1\n[a]c=2",
      "[a-b]\nc-d = e\n", "[a]\nb = x   \n", "[a]\nb = u\"v\"w\n", "[a]\nb = \"x\\\ny\"\n");
  INFO(text);
  test::TempDir dir;
  const auto file = dir.write("config", text);
  const auto git = test::run_program({"git", "config", "--list", "-z", "--file", file.string()});
  REQUIRE(git.exit_code == 0);
  CHECK(as_git_lists(parsed(text)) == git.out);
}

TEST_CASE("what is printed is read the same by git and by us", "[sandbox]") {
  if (!test::has_git()) return;
  const std::vector<GitSetting> settings = {{"core", {}, "bare", "false"},
                                            {"core", {}, "flag", {}},
                                            {"a", "sub\"\\ x", "b", "  q\"\\\n\t# ; "},
                                            {"a", "", "b", ""},
                                            {"core", {}, "last", "x"}};
  const std::string text = print_git_config(settings);
  CHECK(parsed(text) == settings);
  test::TempDir dir;
  const auto file = dir.write("config", text);
  const auto git = test::run_program({"git", "config", "--list", "-z", "--file", file.string()});
  CHECK(git.out == as_git_lists(settings));
}

TEST_CASE("a git config that could be read in two ways is refused with its line", "[sandbox]") {
  const auto [text, why] = GENERATE(table<std::string, std::string>({
      {"bare = true", "line 1: a key needs a section before it"},
      {"[core\nbare", "line 1: a section's name ends with ']'"},
      {"[]\n", "line 1: a section needs a name"},
      {"[a \"b]\n", "line 1: a subsection ends with a double quote"},
      {"[a b]\n", "line 1: a subsection stands in double quotes"},
      {"[a.b \"c\"]\n", "line 1: a section's name has no '.'"},
      {"[a]\n1b = 2\n", "line 2: expected a section, a key or a comment"},
      {"[a]\nb c\n", "line 2: a key is followed by '='"},
      {"[a]\nb = \\q\n", "line 2: an unknown escape"},
      {"[a]\nb = \"x\n", "line 3: a quote is left open"},
      {"[a]\nb = x \"\"\n", "line 2: text beside empty quotes"},
      {"[a]\nb = \"\" x\n", "line 2: text beside empty quotes"},
      {std::string("[a]\nb = x\0y\n", 12), "line 2: a control character"},
      {"[a]\nb = x\ry\n", "line 2: a control character"},
      {"[a]\nb = x\\", "line 2: a continued line is missing"},
  }));
  INFO(text);
  const auto settings = parse_git_config(text);
  REQUIRE_FALSE(settings);
  CHECK(settings.error().message == why);
}

TEST_CASE("a git config beyond the bounds is refused", "[sandbox]") {
  CHECK(parse_git_config(std::string(kGitConfigBytesMax + 1, '#')).error().code ==
        ErrorCode::too_large);
  std::string many = "[a]\n";
  for (std::size_t i = 0; i <= kGitConfigEntriesMax; ++i) many += "b\n";
  CHECK_FALSE(parse_git_config(many));
}

TEST_CASE("keys that run or redirect nothing are inert, and no others", "[sandbox]") {
  for (std::string_view inert :
       {"[core]\nbare", "[core]\nhooksPath=/dev/null", "[core]\nfsmonitor=false",
        "[remote \"o\"]\nurl=https://example.com/x", "[branch \"m\"]\nremote=origin",
        "[branch \"m\"]\nremote=.", "[user]\nname=x", "[submodule \"a\"]\nupdate=checkout",
        "[submodule]\nactive=.", "[extensions]\npartialClone=origin", "[commit]\ngpgSign=false",
        "[advice]\ndetachedHead=false"})
    CHECK(is_inert(parsed(inert).front()));
  for (std::string_view live : {"[core]\nhooksPath=x",
                                "[core]\nhooksPath=",
                                "[core]\nfsmonitor",
                                "[core]\nfsmonitor=true",
                                "[core]\nworktree=..",
                                "[core]\nsshCommand=x",
                                "[core]\ngitProxy=x",
                                "[core]\neditor=x",
                                "[core]\npager=x",
                                "[core]\nattributesFile=x",
                                "[core]\nalternateRefsCommand=x",
                                "[core \"x\"]\nbare=true",
                                "[include]\npath=x",
                                "[includeIf \"gitdir:/\"]\npath=x",
                                "[filter \"x\"]\nclean=x",
                                "[diff \"x\"]\ntextconv=x",
                                "[diff]\nexternal=x",
                                "[merge \"x\"]\ndriver=x",
                                "[alias]\nx=!y",
                                "[gpg]\nprogram=x",
                                "[credential]\nhelper=x",
                                "[remote \"o\"]\nurl=ext::sh",
                                "[remote \"o\"]\nuploadpack=x",
                                "[remote \"o\"]\nvcs=x",
                                "[remote \"o\"]\nreceivepack=x",
                                "[remote \"o\"]\nproxy=x",
                                "[remote \"o\"]\nurl",
                                "[branch \"m\"]\nremote=ext::x",
                                "[submodule \"a\"]\nupdate=!x",
                                "[uploadpack]\nhook=x",
                                "[protocol \"ext\"]\nallow=always",
                                "[url \"ext::\"]\ninsteadOf=https",
                                "[commit]\ngpgSign",
                                "[sequence]\neditor=x",
                                "[pager]\nlog=x",
                                "[interactive]\ndiffFilter=x",
                                "[unknown]\nx=y",
                                "[trailer \"x\"]\ncmd=y",
                                "[difftool \"x\"]\ncmd=y",
                                "[man \"x\"]\ncmd=y",
                                "[user]\nname=a\\nb"})
    CHECK_FALSE(is_inert(parsed(live).front()));
}

TEST_CASE("plain URLs are plain and remote helpers and options are not", "[sandbox]") {
  for (std::string_view plain :
       {"https://example.com/x.git", "http://h", "ssh://git@h:22/x", "git://h/x", "file:///x",
        "git@github.com:a/b.git", "/srv/x", "../x", "x", "ssh://[::1]/x", "h:x"})
    CHECK(is_plain_url(plain));
  for (std::string_view other :
       {"", "ext::sh -c x", "fd::3", "-oProxyCommand=x", "ssh://-oProxyCommand=x/y", "-x:y",
        "ssh://a@-x/y", "a@-x:y", "foo://x", "EXT::x", "https://x\ny", "x::y", "ssh+ext://x",
        "transport::https://x"})
    CHECK_FALSE(is_plain_url(other));
}

TEST_CASE("a change of a config is harmless when nothing runs and no route moves", "[sandbox]") {
  const auto before = parsed(
      "[core]\npager=less\n[remote \"o\"]\nurl=a\nfetch=x\n[branch \"m\"]\nremote=o\nmerge=m\n"
      "[branch \"n\"]\ndescription=d\n");
  const std::string same = "[core]\npager=less\n[remote \"o\"]\nurl=a\n[branch \"m\"]\nremote=o\n";
  CHECK(is_harmless_change(before, before));
  CHECK(is_harmless_change(before, parsed(same + "[remote \"p\"]\nurl=b\n[user]\nname=x\n")));
  CHECK(is_harmless_change(before, parsed(same + "[branch \"n\"]\nremote=o\n")));
  CHECK(is_harmless_change(before, parsed("[core]\npager=less\n")));
  CHECK_FALSE(is_harmless_change(before, parsed("[core]\npager=more\n")));
  CHECK_FALSE(is_harmless_change(before, parsed("[user]\nname=x\n")));
  CHECK_FALSE(is_harmless_change(before, parsed(same + "[core]\neditor=x\n")));
  CHECK_FALSE(is_harmless_change(before, parsed(same + "[remote \"o\"]\nurl=b\n")));
  CHECK_FALSE(is_harmless_change(before, parsed(same + "[remote \"o\"]\npushurl=b\n")));
  CHECK_FALSE(is_harmless_change(before, parsed(same + "[branch \"m\"]\nremote=p\n")));
  CHECK_FALSE(is_harmless_change(
      before, parsed("[core]\npager=less\n[remote \"o\"]\nfetch=x\n[branch \"m\"]\nremote=o\n")));
}
