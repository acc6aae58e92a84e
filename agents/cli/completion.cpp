#include "agents/cli/completion.hpp"

#include "runtime/base/text.hpp"

#include <array>
#include <string_view>

namespace fathom::agents {
namespace {

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : " ") + word;
  return out;
}

// Single quotes for sh and fish: nothing inside is special but the quote itself.
std::string quoted(std::string_view text) {
  std::string out = "'";
  for (char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

// Shared by bash and zsh: walk the words typed so far down the command tree, in `variable`.
std::string walk_cases(const std::vector<CommandNode>& nodes, const std::string& variable) {
  std::string out;
  for (const CommandNode& node : nodes)
    if (node.path.size() > 1)
      out += "      " + quoted(joined(node.path)) + ") " + variable + "=\"$next\" ;;\n";
  return out;
}

std::string bash_script(const std::vector<CommandNode>& nodes) {
  std::string out =
      "# bash completion for fathom; made by: fathom completion bash\n"
      "_fathom() {\n"
      "  local path=fathom next word words=''\n"
      "  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
      "    next=\"$path $word\"\n"
      "    case \"$next\" in\n" +
      walk_cases(nodes, "path") +
      "    esac\n"
      "  done\n"
      "  case \"$path\" in\n";
  for (const CommandNode& node : nodes) {
    std::string words;
    for (const CommandWord& word : node.commands) words += word.name + " ";
    for (const CommandWord& word : node.options) words += word.name + " ";
    out += "    " + quoted(joined(node.path)) + ") words=" + quoted(words) + " ;;\n";
  }
  out +=
      "  esac\n"
      "  COMPREPLY=($(compgen -W \"$words\" -- \"${COMP_WORDS[COMP_CWORD]}\"))\n"
      "}\n"
      "complete -o default -F _fathom fathom\n";
  return out;
}

std::string zsh_script(const std::vector<CommandNode>& nodes) {
  std::string out =
      "#compdef fathom\n"
      "# zsh completion for fathom; made by: fathom completion zsh\n"
      "_fathom() {\n"
      "  local path_=fathom next word\n"
      "  local -a entries\n"
      "  for word in \"${(@)words[2,CURRENT-1]}\"; do\n"
      "    next=\"$path_ $word\"\n"
      "    case \"$next\" in\n" +
      walk_cases(nodes, "path_") +
      "    esac\n"
      "  done\n"
      "  case \"$path_\" in\n";
  for (const CommandNode& node : nodes) {
    out += "    " + quoted(joined(node.path)) + ") entries=(";
    for (const auto* words : {&node.commands, &node.options})
      for (const CommandWord& word : *words)
        out += "\n      " + quoted(word.name + ":" + word.help);
    out += ") ;;\n";
  }
  out +=
      "  esac\n"
      "  _describe 'fathom' entries || _files\n"
      "}\n"
      "# Autoloaded, this file is the function's first call; sourced, it only defines it.\n"
      "if [ \"$funcstack[1]\" = _fathom ]; then _fathom \"$@\"; else compdef _fathom fathom; fi\n";
  return out;
}

std::string fish_script(const std::vector<CommandNode>& nodes) {
  std::string out = "# fish completion for fathom; made by: fathom completion fish\n";
  for (const CommandNode& node : nodes) {
    // The condition: every word of the path was typed, and no sub-command of this node yet.
    std::string condition;
    for (std::size_t i = 1; i < node.path.size(); ++i)
      condition += std::string(condition.empty() ? "" : "; and ") + "__fish_seen_subcommand_from " +
                   node.path[i];
    std::string children;
    for (const CommandWord& word : node.commands) children += " " + word.name;
    if (!children.empty())
      condition += std::string(condition.empty() ? "" : "; and ") +
                   "not __fish_seen_subcommand_from" + children;
    const std::string start = "complete -c fathom -n " + quoted(condition);
    for (const CommandWord& word : node.commands)
      out += start + " -f -a " + word.name + " -d " + quoted(word.help) + "\n";
    for (const CommandWord& word : node.options) {
      const bool is_long = word.name.starts_with("--");
      out += start + (is_long ? " -l " + word.name.substr(2) : " -s " + word.name.substr(1)) +
             " -d " + quoted(word.help) + "\n";
    }
  }
  return out;
}

}  // namespace

Result<std::string> completion_script(const std::string& shell,
                                      const std::vector<CommandNode>& nodes) {
  if (shell == "bash") return bash_script(nodes);
  if (shell == "zsh") return zsh_script(nodes);
  if (shell == "fish") return fish_script(nodes);
  constexpr std::array<std::string_view, 3> kShells = {"bash", "zsh", "fish"};
  const std::string_view near = nearest(shell, kShells);
  return fail(ErrorCode::usage, "completion for '" + to_printable(shell) + "': " +
                                    (near.empty() ? std::string("only bash, zsh and fish are known")
                                                  : "did you mean '" + std::string(near) + "'?"));
}

}  // namespace fathom::agents
