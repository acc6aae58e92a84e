#include "agents/cli/policy_command.hpp"

#include "policies/decide.hpp"
#include "policies/policy_explain.hpp"
#include "policies/policy_files.hpp"
#include "policies/policy_text.hpp"
#include "policies/quantity.hpp"
#include "policies/shipped.hpp"
#include "policies/yaml_value.hpp"
#include "runtime/base/file.hpp"
#include "runtime/base/text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>

namespace fathom::agents {
namespace {

using namespace policies;
using nlohmann::ordered_json;

constexpr std::uint64_t kPortMax = 65535;
constexpr std::uint16_t kHttpsPort = 443;

// Text from documents and paths need not be UTF-8.
std::string dump(const ordered_json& json) {
  return json.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

ordered_json to_json(const Origin& origin) {
  ordered_json json = {{"layer", name_of(origin.layer)}};
  if (!origin.file.empty()) json["file"] = origin.file;
  if (origin.at.line != 0) json["line"] = origin.at.line;
  return json;
}

ordered_json to_json(const EffectivePolicy& effective) {
  const Policy& policy = effective.policy;
  ordered_json json = {{"name", policy.name},
                       {"hash", policy_hash(policy)},
                       {"workspace", policy.filesystem.workspace_root},
                       {"home", policy.filesystem.home_root},
                       {"layers", ordered_json::array()},
                       {"values", ordered_json::array()},
                       {"ignored", ordered_json::array()}};
  for (const LayerUsed& used : effective.layers)
    json["layers"].push_back({{"layer", name_of(used.layer)},
                              {"file", used.file},
                              {"may_widen", used.trust == Trust::full}});
  for (const PolicyLine& line : policy_lines(policy)) {
    ordered_json value = {{"key", line.key()}, {"kind", line.kind}};
    if (!line.item.empty()) value["item"] = line.item;
    value["value"] = line.value;
    value["origin"] = to_json(origin_of(effective, line.key()));
    json["values"].push_back(std::move(value));
  }
  for (const Ignored& ignored : effective.ignored)
    json["ignored"].push_back({{"key", ignored.key},
                               {"value", ignored.value},
                               {"why", ignored.why},
                               {"origin", to_json(ignored.origin)}});
  return json;
}

Result<> lint_one(const std::string& file, const LoadContext& context) {
  const std::string text = TRY(read_file(file, kPolicyBytesMax));
  (void)TRY(load_policy_patch(text, file, context));
  return {};
}

// "HOST", "HOST:PORT", "[ADDRESS]:PORT" or a bare IPv6 address.
Result<request::Connect> read_connect(const std::string& text, Phase phase) {
  request::Connect connect{text, kHttpsPort, phase};
  const std::size_t colon = text.rfind(':');
  const bool bare_v6 = text.find(':') != colon && text.find(']') == std::string::npos;
  if (colon == std::string::npos || bare_v6 || text.ends_with(']')) return connect;
  const auto port = parse_decimal(std::string_view(text).substr(colon + 1), kPortMax);
  if (!port || *port == 0)
    return fail(ErrorCode::usage,
                "connect " + to_printable(text) + ": the port is a number from 1 to 65535");
  connect.host = text.substr(0, colon);
  connect.port = static_cast<std::uint16_t>(*port);
  return connect;
}

// Links are resolved as far as the path exists, as the tools do before they ask.
std::string real_path(const std::filesystem::path& path, const Policy& policy) {
  const auto whole = std::filesystem::path(policy.filesystem.workspace_root) / path;
  std::error_code ec;
  const auto real = std::filesystem::weakly_canonical(whole, ec);
  std::string text = ec ? whole.lexically_normal().string() : real.string();
  while (text.size() > 1 && text.ends_with('/')) text.pop_back();
  return text;
}

Result<Request> read_request(const PolicyOptions& options, const Policy& policy) {
  constexpr std::array<std::string_view, 5> kKinds = {"exec", "read", "write", "connect", "secret"};
  if (std::ranges::find(kKinds, options.kind) == kKinds.end())
    return fail(ErrorCode::usage,
                "policy test: unknown kind " + did_you_mean(options.kind, kKinds));
  const auto phase = std::ranges::find(kPhaseNames, options.phase);
  if (phase == kPhaseNames.end())
    return fail(ErrorCode::usage, "--phase: unknown " + did_you_mean(options.phase, kPhaseNames));
  if (options.kind == "exec") return request::Exec{options.words, policy.filesystem.workspace_root};
  if (options.words.size() != 1)
    return fail(ErrorCode::usage, "policy test " + options.kind + ": give one, not " +
                                      std::to_string(options.words.size()));
  const std::string& word = options.words.front();
  if (options.kind == "read") return request::ReadPath{real_path(word, policy)};
  if (options.kind == "write") return request::WritePath{real_path(word, policy)};
  if (options.kind == "secret") return request::UseSecret{word};
  return TRY(read_connect(word, static_cast<Phase>(phase - kPhaseNames.begin())));
}

std::string to_text(const Decision& decision, const Terminal& terminal) {
  const Colour colour = decision.verdict == Verdict::allow ? Colour::green
                        : decision.verdict == Verdict::ask ? Colour::yellow
                                                           : Colour::red;
  std::string out =
      terminal.paint(colour, name_of(decision.verdict)) + " by rule " + to_printable(decision.rule);
  if (!decision.reason.empty()) out += ": " + to_printable(decision.reason);
  out += "\n";
  if (!decision.grant.empty()) out += "  to allow it: " + to_printable(decision.grant) + "\n";
  return out;
}

std::string to_text(const PolicyChange& change, const Terminal& terminal) {
  std::string out;
  const std::string key = to_printable(change.key) + " = ";
  if (!change.before.empty())
    out += terminal.paint(Colour::red, "- " + key + to_printable(change.before)) + "\n";
  if (!change.after.empty())
    out += terminal.paint(Colour::green, "+ " + key + to_printable(change.after)) + "\n";
  return out;
}

}  // namespace

Result<ExitCode> policy_lint(const PolicyOptions& options, const GetEnv& env, Terminal& terminal) {
  const LoadContext context = TRY(load_context(options.repo, env));
  ordered_json report = ordered_json::array();
  ExitCode code = ExitCode::ok;
  for (const std::string& file : options.files) {
    const Result<> checked = lint_one(file, context);
    if (!checked && code == ExitCode::ok) code = exit_code_of(checked.error().code);
    ordered_json entry = {{"file", file}, {"ok", checked.has_value()}};
    if (!checked) entry["error"] = checked.error().message;
    report.push_back(std::move(entry));
    if (options.format == ReportFormat::json) continue;
    if (checked) {
      terminal.out(to_printable(file) + ": ok\n");
    } else {
      terminal.note(to_printable(checked.error().message));
    }
  }
  if (options.format == ReportFormat::json) terminal.out(dump(report));
  return code;
}

Result<ExitCode> policy_explain(const PolicyOptions& options, const GetEnv& env,
                                Terminal& terminal) {
  const EffectivePolicy effective = TRY(load_effective_policy({options.repo, options.policy}, env));
  terminal.out(options.format == ReportFormat::json ? dump(to_json(effective))
                                                    : explain_text(effective));
  return ExitCode::ok;
}

Result<ExitCode> policy_test(const PolicyOptions& options, const GetEnv& env, Terminal& terminal) {
  const Policy policy = TRY(load_effective_policy({options.repo, options.policy}, env)).policy;
  const Decision decision = decide(policy, TRY(read_request(options, policy)));
  if (options.format == ReportFormat::json) {
    terminal.out(dump({{"verdict", name_of(decision.verdict)},
                       {"rule", decision.rule},
                       {"reason", decision.reason},
                       {"grant", decision.grant}}));
  } else {
    terminal.out(to_text(decision, terminal));
  }
  return decision.verdict == Verdict::allow ? ExitCode::ok : ExitCode::denied;
}

Result<ExitCode> policy_diff(const PolicyOptions& options, const GetEnv& env, Terminal& terminal) {
  const auto before = TRY(load_effective_policy({options.repo, options.before}, env)).policy;
  const auto after = TRY(load_effective_policy({options.repo, options.after}, env)).policy;
  ordered_json report = ordered_json::array();
  for (const PolicyChange& change : policies::policy_diff(before, after)) {
    if (options.format == ReportFormat::json) {
      report.push_back({{"key", change.key}, {"before", change.before}, {"after", change.after}});
    } else {
      terminal.out(to_text(change, terminal));
    }
  }
  if (options.format == ReportFormat::json) terminal.out(dump(report));
  return ExitCode::ok;
}

Result<ExitCode> policy_schema(const PolicyOptions&, const GetEnv&, Terminal& terminal) {
  terminal.out(policies::policy_schema());
  return ExitCode::ok;
}

}  // namespace fathom::agents
