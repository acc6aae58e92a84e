#include "policies/rule_reader.hpp"

#include "policies/command_words.hpp"
#include "policies/decide.hpp"
#include "policies/grant_path.hpp"
#include "policies/host_pattern.hpp"
#include "policies/path_rules.hpp"
#include "runtime/base/ensure.hpp"
#include "runtime/base/text.hpp"

#include <algorithm>

namespace fathom::policies {
namespace {

constexpr std::size_t kIdBytesMax = 96;
constexpr std::size_t kReasonBytesMax = 200;
constexpr std::size_t kPortsMax = 256;
constexpr std::uint64_t kPortMax = 65535;
constexpr std::uint16_t kHttpsPort = 443;

std::string shown(std::string_view text) {
  constexpr std::size_t kShownMax = 120;
  return "'" + to_printable(clip_middle(text, kShownMax)) + "'";
}

bool is_id_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("._-:[]").find(c) != std::string_view::npos;
}

// "filesystem.read[3]" is an element of the section "filesystem.read[]".
std::string section_of(const YamlValue& list) { return list.path() + "[]"; }

}  // namespace

std::span<const std::string_view> keys_of(std::string_view section) {
  const auto table = policy_keys();
  const auto found = std::ranges::find(table, section, &PolicyKeys::section);
  ENSURE(found != table.end(), "every section that is read is in the table");
  return found->keys;
}

// An element of a list of rules: text alone, or a mapping with that text under its main key.
struct RuleReader::Entry {
  YamlValue value;
  std::string id;
  std::optional<YamlValue> main;

  [[nodiscard]] std::optional<YamlValue> find(std::string_view key) const {
    return value.is_mapping() ? value.find(key) : std::nullopt;
  }

  /// Every `match` example must hold and no `no_match` example may.
  [[nodiscard]] Result<> check_examples(
      const std::function<Result<bool>(const YamlValue&)>& holds) const {
    for (const bool expected : {true, false}) {
      const auto list = find(expected ? "match" : "no_match");
      if (!list) continue;
      for (const YamlValue& example : TRY(list->items(kExamplesMax))) {
        const bool held = TRY(holds(example));
        if (held == expected) continue;
        return fail(example.error("example " + shown(TRY(example.text())) +
                                  (expected ? " is not matched" : " is matched") + " by rule " +
                                  id + " (correct the rule or the example)"));
      }
    }
    return {};
  }
};

Result<std::vector<RuleReader::Entry>> RuleReader::entries_of(const YamlValue& list,
                                                              std::string_view section,
                                                              std::string_view main_key) {
  std::vector<Entry> out;
  for (YamlValue& value : TRY(list.items(kRulesMax))) {
    Entry entry{value, context_.id_prefix + value.path(), std::nullopt};
    if (!value.is_mapping()) {
      if (main_key.empty()) (void)TRY(value.fields(keys_of(section)));
      entry.main = value;
    } else {
      (void)TRY(value.fields(keys_of(section)));
      if (!main_key.empty()) entry.main = TRY(value.require(main_key));
      if (const auto id = value.find("id")) {
        entry.id = TRY(id->text(kIdBytesMax));
        if (!std::ranges::all_of(entry.id, is_id_byte))
          return fail(id->error("an id has letters, digits and . _ - : [ ] only"));
      }
    }
    if (!ids_.insert(entry.id).second)
      return fail(value.error("a second rule with id " + shown(entry.id) + " (rename one)"));
    out.push_back(std::move(entry));
  }
  return out;
}

Result<> RuleReader::check_grant(const Entry& entry, const YamlValue& path_value,
                                 const PathGrant& grant) const {
  if (grant.access == Access::write) {
    if (is_own(grant.path, context_))
      return fail(path_value.error(shown(grant.path) +
                                   " is Fathom's own: a command that could write there would set "
                                   "its own rules (remove it)"));
    const auto confirmed = entry.find("confirm_wide");
    const std::string wide = wide_reason(grant.path, context_);
    if (!wide.empty() && !(confirmed && TRY(confirmed->boolean())))
      return fail(path_value.error(shown(grant.path) + " " + wide +
                                   ": narrow it, or confirm with {path: " + shown(grant.path) +
                                   ", confirm_wide: true}"));
  }
  return entry.check_examples([&](const YamlValue& example) -> Result<bool> {
    const auto path = expand_path(TRY(example.text(kPathBytesMax)), context_);
    if (!path) return fail(example.error(path.error().message));
    return is_at_or_below(*path, grant.path);
  });
}

Result<> RuleReader::read_grants(const YamlValue& list, Access access,
                                 std::vector<Stated<PathGrant>>& into) {
  for (const Entry& entry : TRY(entries_of(list, section_of(list), "path"))) {
    const YamlValue& value = *entry.main;
    const std::string text = TRY(value.text(kPathBytesMax));
    const auto path = expand_path(text, context_);
    if (!path) return fail(value.error(shown(text) + " " + path.error().message));
    const PathGrant grant{*path, access, entry.id};
    TRY(check_grant(entry, value, grant));
    for (const Stated<PathGrant>& other : into)
      if (other.value.path == *path)
        return fail(value.error(shown(*path) + " is stated twice (first at line " +
                                std::to_string(other.at.line) + "): keep one of them"));
    into.push_back({grant, value.at()});
  }
  return {};
}

Result<> RuleReader::read_protected(const YamlValue& list, Protection protection,
                                    std::vector<Stated<ProtectedName>>& into) {
  for (const Entry& entry : TRY(entries_of(list, section_of(list), "pattern"))) {
    const YamlValue& value = *entry.main;
    const std::string pattern = TRY(value.text(kPathBytesMax));
    const std::string_view names =
        std::string_view(pattern).substr(0, pattern.size() - (pattern.ends_with('/') ? 1 : 0));
    if (names.find_first_not_of('*') == std::string_view::npos ||
        !is_normal_path("/" + std::string(names)))
      return fail(value.error(shown(pattern) +
                              " is no name below the workspace (write .vscode/ or a/b.c)"));
    TRY(entry.check_examples([&](const YamlValue& example) -> Result<bool> {
      return matches_protected(pattern, TRY(example.text(kPathBytesMax)));
    }));
    for (const Stated<ProtectedName>& other : into)
      if (other.value.pattern == pattern)
        return fail(value.error(shown(pattern) + " is stated twice (first at line " +
                                std::to_string(other.at.line) + "): keep one of them"));
    into.push_back({{pattern, protection, entry.id}, value.at()});
  }
  return {};
}

namespace {

Result<Verdict> read_verdict(const YamlValue& value, RuleReader::Kind kind) {
  const auto verdict = static_cast<Verdict>(TRY(value.choice(kVerdictNames)));
  if (kind == RuleReader::Kind::restrict && verdict == Verdict::allow)
    return fail(value.error("a restriction cannot allow (write ask or deny, or use 'rules')"));
  return verdict;
}

Result<std::vector<std::string>> read_patterns(const YamlValue& list) {
  std::vector<std::string> patterns;
  for (const YamlValue& value : TRY(list.items(kPatternsMax))) {
    patterns.push_back(TRY(value.text()));
    if (const auto flaw = command_pattern_flaw(patterns.back()); !flaw.empty())
      return fail(value.error("pattern " + shown(patterns.back()) + " " + std::string(flaw)));
  }
  if (patterns.empty()) return fail(list.error("a rule without commands never matches (add one)"));
  return patterns;
}

Result<bool> matches_example(const ExecRule& rule, const YamlValue& example) {
  const Commands commands = split_script(TRY(example.text()));
  if (!commands.whole || commands.commands.size() != 1)
    return fail(example.error("an example is one plain command"));
  return std::ranges::any_of(rule.patterns, [&](const std::string& pattern) {
    return matches_command(pattern, commands.commands.front());
  });
}

Result<std::vector<std::uint16_t>> read_ports(const YamlValue& list) {
  std::vector<std::uint16_t> ports;
  for (const YamlValue& value : TRY(list.items(kPortsMax)))
    ports.push_back(static_cast<std::uint16_t>(TRY(value.integer(1, kPortMax))));
  if (ports.empty()) return fail(list.error("a rule without ports never matches (remove the key)"));
  return ports;
}

Result<std::vector<Phase>> read_phases(const YamlValue& list) {
  std::vector<Phase> phases;
  for (const YamlValue& value : TRY(list.items(kPhaseNames.size())))
    phases.push_back(static_cast<Phase>(TRY(value.choice(kPhaseNames))));
  if (phases.empty())
    return fail(list.error("a rule without phases never matches (remove the key)"));
  return phases;
}

}  // namespace

Result<> RuleReader::read_exec(const YamlValue& list, Kind kind,
                               std::vector<Stated<ExecRule>>& into) {
  for (const Entry& entry : TRY(entries_of(list, section_of(list), ""))) {
    ExecRule rule;
    rule.id = entry.id;
    const YamlValue verdict = TRY(entry.value.require("verdict"));
    const YamlValue commands = TRY(entry.value.require("commands"));
    rule.verdict = TRY(read_verdict(verdict, kind));
    rule.patterns = TRY(read_patterns(commands));
    if (const auto reason = entry.find("reason")) rule.reason = TRY(reason->text(kReasonBytesMax));
    TRY(entry.check_examples(
        [&](const YamlValue& example) { return matches_example(rule, example); }));
    into.push_back({std::move(rule), entry.value.at()});
  }
  return {};
}

Result<> RuleReader::read_hosts(const YamlValue& list, Kind kind,
                                std::vector<Stated<HostRule>>& into) {
  for (const Entry& entry : TRY(entries_of(list, section_of(list), "host"))) {
    const std::string text = TRY(entry.main->text());
    const auto pattern = HostPattern::parse(text);
    if (!pattern)
      return fail(entry.main->error("host " + shown(text) + " " + pattern.error().message));
    HostRule rule;
    rule.id = entry.id;
    rule.host = pattern->to_string();
    rule.verdict = kind == Kind::restrict ? Verdict::deny : Verdict::allow;
    rule.ports = {kHttpsPort};
    rule.phases = {Phase::setup, Phase::agent, Phase::test};
    if (const auto verdict = entry.find("verdict"))
      rule.verdict = TRY(read_verdict(*verdict, kind));
    if (const auto ports = entry.find("ports")) rule.ports = TRY(read_ports(*ports));
    if (const auto phases = entry.find("phases")) rule.phases = TRY(read_phases(*phases));
    TRY(entry.check_examples([&](const YamlValue& example) -> Result<bool> {
      return pattern->matches(TRY(example.text()));
    }));
    into.push_back({std::move(rule), entry.value.at()});
  }
  return {};
}

}  // namespace fathom::policies
