// The persistent shell in real sandboxes: what survives a call, and what must not disturb the next.
#include "tests/support/catch.hpp"
#include "tests/support/skip.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/tools/shell/live_shell.hpp"

#include <nlohmann/json.hpp>

#include <filesystem>

namespace fathom::tools {
namespace {

using test::LiveShell;

TEST_CASE("cwd, variables, functions, aliases and options survive a call", "[sandbox]") {
  LiveShell shell;
  CHECK(shell
            .sh("cd /usr/share; plain='a  b'; export EXPORTED=é; list=(1 'b c' \"\n\");"
                "declare -A map=([k]=v); declare -i number=4; declare -r FIXED=1;"
                "greet() { echo \"hi $1 $plain\"; }; export -f greet; umask 077;"
                "shopt -s expand_aliases extglob; alias ll='echo LL'; set -o pipefail;"
                "pushd / >/dev/null; cd - >/dev/null")
            .empty());
  CHECK(shell.sh("pwd; echo \"$plain|$EXPORTED|${#list[@]}|${list[1]}|${map[k]}\"; number+=1;"
                 "echo $number $FIXED; greet you; bash -c 'greet child'; ll; umask;"
                 "shopt -q extglob && echo extglob; cd - ; false | true || echo pipefail") ==
        "/usr/share\na  b|é|3|b c|v\n5 1\nhi you a  b\nhi child \nLL\n0077\nextglob\n/\n"
        "pipefail\n");
  CHECK(shell.sh("pwd; unset EXPORTED PAGER; unset -f greet; unalias ll") == "/\n");
  CHECK(shell.sh("echo ${EXPORTED-gone} ${PAGER-gone}; type greet ll 2>&1 | grep -c 'not found'") ==
        "gone gone\n2\n");
}

TEST_CASE("a shell that exits is there again, with what it knew", "[sandbox]") {
  LiveShell shell;
  const ToolOutput exited = shell.run("x=1; cd /usr; exit 3");
  CHECK(exited.status == ToolStatus::failed);
  CHECK(exited.notes == "exit code 3\n");
  CHECK(shell.sh("echo $x; pwd") == "1\n/usr\n");
  // Locals of a function that exits are not the shell's.
  CHECK(shell.run("f() { local IFS=, x=2; exit 4; }; f").notes == "exit code 4\n");
  CHECK(shell.sh("printf '%q %s\\n' \"$IFS\" $x") == "$' \\t\\n' 1\n");
  CHECK(shell.run("set -euo pipefail; y=2; false; echo never").text.text().empty());
  CHECK(shell.sh("echo $y; echo $SHELLOPTS") ==
        "2\nbraceexpand:hashall:interactive-comments:nounset:pipefail\n");
  const ToolOutput unbound = shell.run("echo $nothing_of_that_name; echo never");
  CHECK(unbound.text.text() == "bash: line 1: nothing_of_that_name: unbound variable\n");
}

TEST_CASE("a shell that dies goes on from before, and it is said", "[sandbox]") {
  LiveShell shell;
  (void)shell.run("x=before");
  const ToolOutput killed = shell.run("x=after; kill -9 $$");
  CHECK(killed.notes ==
        "[sandbox] killed by signal 9\n"
        "[shell] the shell died with it: cwd, variables and functions are those before this "
        "call\n");
  CHECK(shell.sh("echo $x") == "before\n");
  CHECK(shell.run("x=after; exec true").status == ToolStatus::ok);
  CHECK(shell.sh("echo $x") ==
        "[shell] the command before left no state (exec, an EXIT trap, or its files removed): cwd, "
        "variables and functions are those before it\nbefore\n");
  CHECK(shell.sh("x=kept; trap 'echo bye' EXIT") == "bye\n");
  CHECK(shell.sh("echo $x; rm -rf ${XDG_RUNTIME_DIR:-/tmp}/fathom-shell*") == "kept\n");
  CHECK(shell.sh("echo $x") == "kept\n");  // the shell saves after the command
  CHECK(shell.run("rm -rf ${XDG_RUNTIME_DIR:-/tmp}/fathom-shell*; exec true").status ==
        ToolStatus::ok);
  CHECK(shell.sh("echo ${x-none}") ==
        "[shell] the state of the shell is gone: it starts anew\nnone\n");
  // A state that was not written to its end is none.
  (void)shell.run("x=kept");
  (void)shell.run(
      "for f in ${XDG_RUNTIME_DIR:-/tmp}/fathom-shell.*; do s=$(head -c -2 $f); printf %s \"$s\" "
      ">$f; done; exec true");
  CHECK(shell.sh("echo ${x-none}") ==
        "[shell] the state of the shell is gone: it starts anew\nnone\n");
}

TEST_CASE("what a command does to its shell does not disturb the next", "[sandbox]") {
  LiveShell shell;
  (void)shell.run(
      "declare() { echo mine; }; builtin() { echo mine; }; cd() { echo mine; };"
      "unset() { echo mine; }; set() { echo mine; }; trap() { echo mine; }; eval() { echo mine; };"
      "printf() { echo mine; }; export PROMPT_COMMAND='echo prompt' BASH_ENV=/nowhere IFS=,;"
      "shopt -s expand_aliases; alias echo='echo alias' builtin=false exec=false; kept=1");
  CHECK(shell.sh("\\echo $kept; declare; cd; type -t builtin") == "1\nmine\nmine\nalias\n");
  CHECK(
      shell.sh("\\unalias -a; command unset -f declare cd unset set trap eval printf; \\echo ok") ==
      "ok\n");
  CHECK(shell.sh("set -Cuf; set -x; true").ends_with("+ true\n"));
  CHECK(shell.sh("set +x +f; set -v; echo $kept") == "1\n");
  CHECK(shell.sh("set -o posix; kept=2").empty());
  CHECK(shell.sh("echo $kept; shopt -qo posix && echo posix; set +o posix") == "2\nposix\n");
  CHECK(shell.sh("set -T; trap 'true debug' DEBUG; trap 'echo err' ERR; kept=3").empty());
  CHECK(shell.sh("echo $kept; false") == "3\n");
  CHECK(shell.sh("readonly kept; kept=4; echo $kept") == "bash: line 1: kept: readonly variable\n");
  CHECK(shell.sh("echo $kept; shopt -s nullglob dotglob; shopt -u sourcepath") == "3\n");
  CHECK(shell.sh("shopt -p nullglob sourcepath") == "shopt -s nullglob\nshopt -u sourcepath\n");
}

TEST_CASE("a working directory that is gone is said, and the workspace is where it goes on",
          "[sandbox]") {
  LiveShell shell;
  CHECK(shell.sh("mkdir sub; cd sub; rmdir ../sub").empty());
  CHECK(shell.sh("pwd") == "[shell] " + shell.workspace() + "/sub is gone: now in " +
                               shell.workspace() + "\n" + shell.workspace() + "\n");
}

TEST_CASE("commands of any spelling arrive as they are written", "[sandbox]") {
  LiveShell shell;
  CHECK(
      shell.sh("cat <<'END'\n$x \"quotes\" 'single' `tick` \\\nünï\nEND\necho \"line $LINENO\"") ==
      "$x \"quotes\" 'single' `tick` \\\nünï\nline 5\n");
  CHECK(shell.sh("# only a comment").empty());
  CHECK(shell.sh("").empty());
  const ToolOutput wrong = shell.run("x=1\nif true; then");
  CHECK(wrong.text.text() == "bash: eval: line 3: syntax error: unexpected end of file\n");
  CHECK(wrong.notes == "exit code 2\n");
  CHECK(shell.sh("echo $x; nosuchcommand") ==
        "1\nbash: line 1: nosuchcommand: command not found\n");
  CHECK(shell.sh(": " + std::string(kCommandBytesMax - 9, 'x') + "\npwd") ==
        shell.workspace() + "\n");
  CHECK(shell.sh("echo one; echo two >&2; echo three") == "one\ntwo\nthree\n");  // in order
}

TEST_CASE("nothing waits for somebody at a terminal", "[sandbox]") {
  LiveShell shell;
  CHECK(shell.sh("read x || echo end; cat; echo $TERM $PAGER") == "end\ndumb cat\n");
  const std::string git =
      "git init -q . && git config user.name n && git config user.email e && touch a && git add a";
  CHECK(shell.sh(git).empty());
  CHECK(shell.run("git commit").notes.starts_with("exit code 1\n"));  // an empty message
  CHECK(shell.sh("git commit -qm first && git log --oneline | cat | wc -l; git log --format=%s") ==
        "1\nfirst\n");
  const std::string rebased = shell.sh("git rebase -i --root 2>&1");
  CHECK(rebased.find("[shell] nobody edits the list of the rebase") != std::string::npos);
  CHECK(rebased.find("Successfully rebased") != std::string::npos);
  CHECK(shell.sh(": </dev/tty") == "bash: line 1: /dev/tty: No such device or address\n");
}

TEST_CASE("an editor ends when nobody types, and does what its scripts and its input say",
          "[sandbox]") {
  LiveShell shell;
  if (shell.sh("vi --version").find("VIM - Vi IMproved") == std::string::npos)
    return test::skip("vi is not Vim here: that it does not wait for keys was not tested");
  const ToolOutput waited = shell.call(R"({"command":"vi new","timeout_s":600})");
  CHECK(waited.notes.starts_with("exit code 1\n"));
  CHECK(waited.text.text().find("[shell] nobody is there to type") != std::string::npos);
  (void)shell.run("echo ab > file; vi -c s/a/x/ -c wq file");
  CHECK(shell.sh("cat file") == "xb\n");
  (void)shell.run("printf ':s/b/y/\\r:wq\\r' | vi file");
  CHECK(shell.sh("cat file") == "xy\n");
}

TEST_CASE("functions of any bytes survive", "[sandbox]") {
  LiveShell shell;
  (void)shell.run(
      "eval $'f() { printf \"a\\001\\177\\377\\xc3b\\n# 1\\n\"; }'; v=$'\\001\\177\\377'");
  CHECK(shell.sh("f; printf %s \"$v\"") ==
        "a\001\177\377\xc3"
        "b\n# 1\n\001\177\377");
}

TEST_CASE("output of any bytes comes back as it is", "[sandbox]") {
  LiveShell shell;
  const std::string bytes = shell.sh("printf 'a\\0b\\377\\n'");
  CHECK(bytes == std::string("a\0b\xff\n", 5));
}

TEST_CASE("the tail of a long output is not cut", "[sandbox]") {
  LiveShell shell;
  const ToolOutput output =
      shell.run("echo first; head -c 3000000 /dev/zero | tr '\\0' x; echo; echo FAILED test_42");
  CHECK(output.text.bytes_cut > 0);
  CHECK(output.text.head.starts_with("first\n"));
  CHECK(output.text.tail.ends_with("x\nFAILED test_42\n"));
}

TEST_CASE("300 MB of output end by the policy's limit, with both ends kept", "[sandbox]") {
  LiveShell shell;
  const ToolOutput output = shell.run("x=1; echo first; yes | head -c 300000000; echo never");
  CHECK(output.status == ToolStatus::failed);
  CHECK(output.notes ==
        "[sandbox] stopped: more than 268435456 bytes of output\n"
        "[shell] the shell died with it: cwd, variables and functions are those before this "
        "call\n");
  CHECK(output.text.head.starts_with("first\ny\n"));
  CHECK(output.text.tail.ends_with("y\ny\n"));
  CHECK(output.text.head.size() + output.text.tail.size() <=
        sandbox::kOutputHeadBytes + sandbox::kOutputTailBytes);
}

TEST_CASE("a process tree does not outlive its call", "[sandbox]") {
  LiveShell shell;
  const ToolOutput output =
      shell.run("(trap '' HUP TERM; setsid sleep 1000) & setsid -f sleep 1000; echo started");
  CHECK(output.text.text() == "started\n");
  CHECK(output.notes ==
        "[shell] processes that it left running were killed: use background: true for those that "
        "are to stay\n");
  CHECK(nlohmann::json::parse(output.data)["left_processes"] == true);
  CHECK(shell.sh("n=0; for p in /proc/[0-9]*/comm; do read -r c <$p && [[ $c == sleep ]] && "
                 "((++n)); done; echo $n") == "0\n");
}

TEST_CASE("ten thousand functions survive", "[sandbox]") {
  LiveShell shell;
  (void)shell.run("for i in {1..10000}; do eval \"f$i() { echo $i; }\"; done");
  CHECK(shell.sh("declare -F | grep -c ' f[0-9]*$'; f10000") == "10000\n10000\n");
}

}  // namespace
}  // namespace fathom::tools
