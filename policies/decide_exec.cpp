#include "policies/decide_exec.hpp"

#include "policies/command_words.hpp"
#include "policies/yaml_document.hpp"
#include "runtime/base/text.hpp"

#include <algorithm>
#include <optional>

namespace fathom::policies {
namespace {

constexpr int kUnwrapDepthMax = 8;
constexpr std::size_t kShownWordsMax = 120;

struct Ruling {
  Verdict verdict = Verdict::allow;
  const ExecRule* rule = nullptr;  ///< none: what no rule matches
  Words words;                     ///< the command that was ruled on
};

std::string joined(const Words& words) {
  std::string out;
  for (const std::string& word : words) out.append(out.empty() ? "" : " ").append(word);
  return out;
}

bool matches_words(std::string_view pattern, const Words& argv) {
  std::size_t at = 0;
  while (!pattern.empty()) {
    const std::size_t space = std::min(pattern.find(' '), pattern.size());
    const std::string_view want = pattern.substr(0, space);
    pattern.remove_prefix(std::min(space + 1, pattern.size()));
    if (want == "*" && pattern.empty()) return true;
    if (at >= argv.size()) return false;
    const std::string_view have = at == 0 && want.find('/') == std::string_view::npos
                                      ? base_name(argv[0])
                                      : std::string_view(argv[at]);
    if (want != "*" && want != have) return false;
    ++at;
  }
  return at == argv.size();
}

const ExecRule* first_match(const std::vector<ExecRule>& rules, const Words& argv) {
  for (const ExecRule& rule : rules)
    for (const std::string& pattern : rule.patterns)
      if (matches_words(pattern, argv)) return &rule;
  return nullptr;
}

Ruling stricter(Ruling a, Ruling b) { return b.verdict > a.verdict ? std::move(b) : std::move(a); }

// A rule about the wrapper itself counts, and so do denials of what it wraps. Without one, a
// wrapper that can be read as a whole is as good as what is in it.
Ruling judge(const std::vector<ExecRule>& rules, Verdict otherwise, const Words& argv, int depth) {
  const ExecRule* own = first_match(rules, argv);
  Ruling ruling{own != nullptr ? own->verdict : otherwise, own, argv};
  const Commands inner = depth < kUnwrapDepthMax ? unwrap(argv) : Commands{};
  if (inner.commands.empty()) return ruling;
  const bool as_good_as_inner = own == nullptr && inner.whole;
  if (as_good_as_inner) ruling.verdict = Verdict::allow;
  for (std::size_t i = 0; i < inner.commands.size(); ++i) {
    Ruling other = judge(rules, otherwise, inner.commands[i], depth + 1);
    // Where the wrapper was ruled on, only rules about what is inside can be stricter.
    if (own != nullptr && other.rule == nullptr) continue;
    const bool first = as_good_as_inner && i == 0;
    ruling = first ? std::move(other) : stricter(std::move(ruling), std::move(other));
  }
  return ruling;
}

// The smallest pattern the language has for these words: what it cannot write becomes "*".
std::string pattern_for(const Words& argv) {
  std::string pattern;
  for (const std::string& word : argv) {
    const bool plain = !word.empty() && word.find_first_of(" *\t\n") == std::string::npos &&
                       find_invalid_utf8(word) == std::string::npos;
    pattern.append(pattern.empty() ? "" : " ").append(plain ? word : "*");
  }
  return pattern;
}

std::string describe(const Ruling& ruling, std::string_view verb) {
  const std::string command =
      "'" + to_printable(clip_middle(joined(ruling.words), kShownWordsMax)) + "'";
  if (ruling.rule == nullptr) return "no rule allows " + command;
  return command + " " + std::string(verb) +
         (ruling.rule->reason.empty() ? "" : ": " + ruling.rule->reason);
}

}  // namespace

bool matches_command(std::string_view pattern, const std::vector<std::string>& argv) {
  const std::vector<ExecRule> rules = {{"", Verdict::deny, {std::string(pattern)}, ""}};
  return !argv.empty() && judge(rules, Verdict::allow, argv, 0).rule != nullptr;
}

std::string_view command_pattern_flaw(std::string_view pattern) {
  if (pattern.empty()) return "is empty";
  if (pattern.front() == ' ' || pattern.back() == ' ' ||
      pattern.find("  ") != std::string_view::npos)
    return "has a space too many (one between words)";
  if (pattern.find_first_of("\t\n\"'\\") != std::string_view::npos)
    return "has quotes or tabs (a pattern is plain words; '*' stands for one of them)";
  for (std::string_view rest = pattern; !rest.empty();) {
    const std::size_t space = std::min(rest.find(' '), rest.size());
    const std::string_view word = rest.substr(0, space);
    rest.remove_prefix(std::min(space + 1, rest.size()));
    if (word != "*" && word.find('*') != std::string_view::npos)
      return "has a '*' inside a word ('*' stands for whole words)";
  }
  return {};
}

Decision decide_exec(const Exec& exec, const request::Exec& request) {
  if (request.argv.empty() || request.argv.front().empty())
    return {Verdict::deny, "exec.empty", "there is no command", ""};
  Ruling ruling = judge(exec.rules, exec.otherwise, request.argv, 0);
  ruling = stricter(std::move(ruling), judge(exec.restrict, Verdict::allow, request.argv, 0));
  const std::string rule = ruling.rule == nullptr ? "exec.otherwise" : ruling.rule->id;
  if (ruling.verdict == Verdict::allow) return {Verdict::allow, rule, "", ""};
  const std::string_view verb =
      ruling.verdict == Verdict::ask ? "needs an approval" : "is denied by the policy";
  return {ruling.verdict, rule, describe(ruling, verb),
          "exec: {rules: [{verdict: allow, commands: [" + yaml_quoted(pattern_for(ruling.words)) +
              "]}]}"};
}

}  // namespace fathom::policies
