#include "policies/command_words.hpp"

#include "tests/support/catch.hpp"

using namespace fathom::policies;

namespace {

// Words in brackets of their own, commands between bars; "..." where there is more.
std::string text_of(const Commands& commands) {
  std::string out;
  for (const Words& words : commands.commands) {
    if (!out.empty()) out += " | ";
    for (const std::string& word : words) out += "<" + word + ">";
  }
  return out + (commands.whole ? "" : " ...");
}

std::string split(std::string_view script) { return text_of(split_script(script)); }

}  // namespace

TEST_CASE("a script of simple commands is read as a whole", "[policies]") {
  CHECK(split("git push") == "<git><push>");
  CHECK(split("a && b; c | d & e\nf") == "<a> | <b> | <c> | <d> | <e> | <f>");
  CHECK(split("a 'b c' \"d e\" f\\ g") == "<a><b c><d e><f g>");
  CHECK(split("a '' b") == "<a><><b>");
  CHECK(split("X=1 Y='2 3' a Z=4") == "<a><Z=4>");
  CHECK(split("a > out 2>&1 < in b >>c 2> e") == "<a><b>");
  CHECK(split("a &> out; b") == "<a> | <b>");
  CHECK(split("a # git push\nb") == "<a> | <b>");
  CHECK(split("a b#c") == "<a><b#c>");
  CHECK(split("ls *.txt") == "<ls><*.txt>");
  CHECK(split("a \\\n b") == "<a><b>");
  CHECK(split("") == "");
}

TEST_CASE("of anything else, the commands that can be seen and that there is more", "[policies]") {
  CHECK(split("echo $(git push)") == "<echo> | <git><push> ...");
  CHECK(split("echo \"$(git push)\" && rm x") == "<echo><> | <git><push> | <rm><x> ...");
  CHECK(split("echo `git push`") == "<echo> | <git><push> ...");
  CHECK(split("(cd x; git push)") == "<cd><x> | <git><push> ...");
  CHECK(split("if a; then git push; fi") == "<a> | <git><push> ...");
  CHECK(split("f() { git push; }") == "<f> | <git><push> | <}> ...");
  CHECK(split("$X push") == "<$X><push> ...");
  CHECK(split("eval 'git push'") == "<eval><git push> ...");
  CHECK(split("cat <<E\ngit push\nE") == "<cat> | <git><push> | <E> ...");
  CHECK(split("echo 'a") == "<echo><a> ...");
  CHECK(split("echo \"a") == "<echo><a> ...");
  CHECK(split("g*t push") == "<g*t><push> ...");
  CHECK(split("echo '$(git push)'") == "<echo><$(git push)>");
  CHECK(split(")") == " ...");
  CHECK(split("'") == "<> ...");
  CHECK(split("\\") == "");
  CHECK_FALSE(split_script(std::string(kScriptBytesMax + 1, 'a')).whole);
}

TEST_CASE("plain wrappers are seen through", "[policies]") {
  CHECK(text_of(unwrap({"env", "-i", "-u", "X", "A=1", "git", "push"})) == "<git><push>");
  CHECK(text_of(unwrap({"/usr/bin/env", "git"})) == "<git>");
  CHECK(text_of(unwrap({"env", "-S", "git push"})) == " ...");
  CHECK(text_of(unwrap({"env"})) == "");
  CHECK(text_of(unwrap({"nice", "-n", "5", "git"})) == "<git>");
  CHECK(text_of(unwrap({"timeout", "-k", "5", "--foreground", "10", "git"})) == "<git>");
  CHECK(text_of(unwrap({"timeout", "10"})) == "");
  CHECK(text_of(unwrap({"nohup", "git"})) == "<git>");
  CHECK(text_of(unwrap({"bash", "-c", "a; b", "name"})) == "<a> | <b>");
  CHECK(text_of(unwrap({"/bin/sh", "-lc", "a"})) == "<a>");
  CHECK(text_of(unwrap({"bash", "--norc", "-o", "pipefail", "-ec", "a"})) == "<a>");
  CHECK(text_of(unwrap({"bash", "script.sh", "-c", "x"})) == "");
  CHECK(text_of(unwrap({"git", "push"})) == "");
  CHECK(text_of(unwrap({})) == "");
}
