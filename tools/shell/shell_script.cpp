#include "tools/shell/shell_script.hpp"

namespace fathom::tools {
namespace {

// One line and one brace group: all of it is parsed before the first command runs, so that neither
// the aliases nor the line numbers of the user's commands are disturbed by it. It starts no
// process. $1 is the ticket to save to, $2 the tickets to restore from, $3 the command.
//
// It opens one file for writing, because each such open is asked of the runtime (50 to 80 us of
// the call): what must not be said goes to a closed descriptor, not to /dev/null, and the names of
// the environment come from /proc. So the mark of a whole state is its last line, and it is read
// before it is evaluated.
//
// Saving must work whatever the command did to the shell. Functions may hide every builtin but the
// special ones of POSIX mode, which an assignment turns on: there `unset` is itself, removes a
// function `builtin`, and from then on `builtin` reaches the rest.
constexpr std::string_view kSave =
    R"(__fathom_save() { )"
    R"(__fathom_shopt=$BASHOPTS; __fathom_set=:$SHELLOPTS:; POSIXLY_CORRECT=y; )"
    R"(trap - DEBUG ERR RETURN; set +euv; )"
    R"(set -- "$1" "$__fathom_dir" "$__fathom_ticket" "$__fathom_shopt" "$__fathom_set" )"
    R"(${#FUNCNAME[@]}; )"
    R"(unset -v __fathom_dir __fathom_ticket __fathom_command __fathom_shopt __fathom_set; )"
    R"(unset -f builtin __fathom_save; )"
    R"([[ $5 == *:posix:* ]] || unset -v POSIXLY_CORRECT; )"
    R"([[ $3 ]] || builtin return "$1"; )"
    R"(builtin set -- "$1" "$2.${3#*:}" "${3%:*}" "$4" "${5//:errexit:/:}" "$6"; )"
    R"(builtin set -- "$1" "$2" "$3" "$4" "${5//:xtrace:/:}" "$6"; )"
    R"(builtin set -- "$1" "$2" "$3" "$4" "${5//:verbose:/:}" "$6"; )"
    R"(builtin set -- "$1" "$2" "$3" "$4" "${5//:noexec:/:}" "$6"; )"
    R"(builtin set -- "$1" "$2" "$3" "$4" "${5%:}" "$6"; )"
    // Options first: extglob decides how functions are read.
    R"({ builtin printf )"
    R"('[[ $BASHOPTS == %s ]] || { shopt -u ${BASHOPTS//:/ }; shopt -s %s; }\n' )"
    R"("$4" "${4//:/ }" && )"
    // Inside a function that called exit its locals hide the globals: each unset uncovers one more.
    R"(if (($6 > 1)); then builtin shopt -u localvar_unset; )"
    R"(builtin compgen -v >|"$2.names"; )"
    R"(builtin mapfile -t __fathom_names <"$2.names"; )"
    R"(for __fathom_name in "${__fathom_names[@]}"; do )"
    R"(case $__fathom_name in _|FUNCNAME|__fathom_*) builtin continue;; esac; )"
    R"(for ((__fathom_depth = $6; __fathom_depth > 0; --__fathom_depth)); do )"
    R"(builtin declare -p "$__fathom_name" && )"
    R"(builtin unset -v "$__fathom_name" || builtin break; )"
    R"(done; done; else builtin declare -p; fi && )"
    // In one group, because it is read before its aliases count.
    R"(builtin printf '{\n' && builtin umask -p && builtin alias -p && builtin declare -f && )"
    R"(builtin declare -Fx && builtin declare -Fr && )"
    R"(builtin printf '[[ $SHELLOPTS == %s ]] || builtin set )"
    R"(+o braceexpand +o hashall +o interactive-comments%s\n}\n# %s\n' )"
    R"("${5#:}" "${5//:/ -o }" "$3"; )"
    R"(} >|"$2"; builtin return "$1"; }; )";

constexpr std::string_view kRestore =
    R"(for __fathom_state in $2; do )"
    R"([[ -r $__fathom_dir.${__fathom_state#*:} ]] && )"
    R"(IFS= read -rd '' __fathom_text <"$__fathom_dir.${__fathom_state#*:}"; )"
    R"([[ $__fathom_text == *$'}\n# '"${__fathom_state%:*}"$'\n' ]] && break; )"
    R"(__fathom_lost=y; __fathom_state=; done; )"
    R"(if [[ $__fathom_state ]]; then )"
    R"([[ $__fathom_lost ]] && )"
    R"(echo '[shell] the command before left no state (exec, an EXIT trap, )"
    R"(or its files removed): cwd, variables and functions are those before it'; )"
    // What the shell's state has unset must not come back with the environment.
    R"({ mapfile -d '' -t __fathom_names </proc/self/environ || )"
    R"({ compgen -e >|"$__fathom_dir.names"; mapfile -t __fathom_names <"$__fathom_dir.names"; }; )"
    R"(unset -v PWD OLDPWD SHLVL "${__fathom_names[@]%%=*}" __fathom_names; )"
    R"(builtin eval "$__fathom_text"; } 2>&-; RANDOM=${SRANDOM:-$RANDOM}; )"
    R"(if [[ $PWD != "$__fathom_here" ]]; then __fathom_mark=${OLDPWD-}; )"
    R"(if builtin cd -- "$PWD" 2>/dev/null; then OLDPWD=$__fathom_mark; else )"
    R"(builtin printf '[shell] %s is gone: now in %s\n' "$PWD" "$__fathom_here"; )"
    R"(builtin cd -- "$__fathom_here"; fi; fi; )"
    R"(elif [[ $__fathom_lost ]]; then )"
    R"(echo '[shell] the state of the shell is gone: it starts anew'; fi; )";

// Nearly everything that wants a person ends by itself: there is no terminal to open and stdin is
// at its end. Vim, and it alone of what was tried, then reads its standard error, a pipe that is
// never ready. It waits for a key longest after its scripts and its input are through, which is
// when CursorHold comes; so `vim -c … -c wq` and keys through a pipe do what they did. A swap file
// that is there already would be one more question.
constexpr const char* kVimInit =
    "set noswapfile updatetime=1000|autocmd CursorHold,CursorHoldI * silent !echo '[shell] nobody "
    "is there to type into an editor: write the file by a tool or a script' >&2\ncquit";

std::string make_wrapper() {
  std::string text =
      R"({ exec 2>&1; unset -v BASH_EXECUTION_STRING; __fathom_dir=${XDG_RUNTIME_DIR:-}; )"
      R"([[ -d $__fathom_dir && -w $__fathom_dir ]] || __fathom_dir=${TMPDIR:-/tmp}; )"
      R"(__fathom_dir+=/fathom-shell; __fathom_ticket=$1; __fathom_command=$3; )"
      R"(__fathom_here=$PWD; __fathom_mark=; __fathom_lost=; __fathom_state=; __fathom_text=; )";
  text += kSave;
  text += kRestore;
  // After a save the trap finds nothing to do; the command's own EXIT trap takes its place.
  text +=
      R"(builtin set --; )"
      R"(builtin unset -v __fathom_here __fathom_mark __fathom_lost __fathom_state __fathom_text; )"
      R"(builtin trap '{ [[ -v __fathom_dir ]] && __fathom_save "$?"; } >&- 2>&-' EXIT; )"
      R"(LINENO=0; builtin eval "$__fathom_command"; { __fathom_save "$?"; } >&- 2>&-; })";
  return text;
}

std::string words_of(const ShellTicket& ticket) {
  return std::to_string(ticket.call) + ":" + std::to_string(ticket.slot);
}

}  // namespace

Result<> check_command(std::string_view command) {
  if (command.contains('\0'))
    return fail(ErrorCode::usage, "bash: the command holds a NUL byte: write it as \\0 in printf");
  if (command.size() > kCommandBytesMax)
    return fail(ErrorCode::too_large,
                "bash: the command is longer than " + std::to_string(kCommandBytesMax) +
                    " bytes: write it to a file with str_replace_editor and run that");
  return {};
}

std::vector<std::string> shell_argv(const std::vector<ShellTicket>& restore,
                                    std::optional<ShellTicket> save, std::string command) {
  static const std::string wrapper = make_wrapper();
  std::string from;
  for (const ShellTicket& ticket : restore) from += (from.empty() ? "" : " ") + words_of(ticket);
  return {"bash",
          "--noprofile",
          "--norc",
          "-c",
          wrapper,
          "bash",
          save ? words_of(*save) : "",
          std::move(from),
          std::move(command)};
}

const std::vector<policies::EnvironmentVariable>& shell_environment() {
  static const std::vector<policies::EnvironmentVariable> environment = {
      {"TERM", "dumb"},
      {"NO_COLOR", "1"},
      {"PAGER", "cat"},
      {"GIT_PAGER", "cat"},
      {"MANPAGER", "cat"},
      {"EDITOR", "true"},
      {"VISUAL", "true"},
      {"GIT_EDITOR", "true"},
      // Not a failure: with --autosquash the list is right as it is.
      {"GIT_SEQUENCE_EDITOR",
       "echo '[shell] nobody edits the list of the rebase: it is taken as it is (set "
       "GIT_SEQUENCE_EDITOR to a command that edits the file)' >&2; true"},
      {"VIMINIT", kVimInit},
      {"GIT_TERMINAL_PROMPT", "0"},
      {"DEBIAN_FRONTEND", "noninteractive"},
      {"PIP_NO_INPUT", "1"},
      {"NPM_CONFIG_YES", "true"},
      // Else the last words of a program that is stopped are still in its buffer.
      {"PYTHONUNBUFFERED", "1"},
  };
  return environment;
}

}  // namespace fathom::tools
