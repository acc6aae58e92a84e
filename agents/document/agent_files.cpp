#include "agents/document/agent_files.hpp"

#include "agents/document/shipped_agents.hpp"
#include "engine/session/engine_spec.hpp"
#include "policies/path_rules.hpp"
#include "policies/yaml_value.hpp"
#include "runtime/base/file.hpp"
#include "runtime/base/text.hpp"
#include "runtime/base/unique_fd.hpp"
#include "sandbox/directory.hpp"

#include <nlohmann/json.hpp>

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>

namespace fathom::agents {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSuffix = ".yaml";
constexpr std::string_view kReadOnlyPolicy = "readonly";

std::string shown(std::string_view text) {
  constexpr std::size_t kShownMax = 120;
  return "'" + to_printable(clip_middle(text, kShownMax)) + "'";
}

Result<FoundAgent> shipped(const ShippedAgent& agent) {
  FoundAgent found;
  found.file = std::string(agent.name) + std::string(kSuffix);
  found.text = agent.text;
  found.agent = TRY(load_agent(found.text, found.file));
  return found;
}

const ShippedAgent* find_shipped(std::string_view name) {
  const auto all = shipped_agents();
  const auto at = std::ranges::find(all, name, &ShippedAgent::name);
  return at == all.end() ? nullptr : &*at;
}

// Beside the document and through no link: somebody else may have written the path.
Result<std::string> read_schema(const fs::path& folder, const std::string& path) {
  const UniqueFd root(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root) return fail(system_error("open " + folder.string(), errno));
  const sandbox::Place place = TRY(sandbox::open_place(root.get(), path));
  const std::string text =
      TRY(sandbox::read_regular(place.folder.get(), place.name, kAnswerSchemaBytesMax));
  const auto json = nlohmann::ordered_json::parse(text, nullptr, false);
  if (!json.is_object()) return fail(ErrorCode::usage, "it is no JSON object");
  // As an inline one: on one line, and without what only people see.
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

// What the word of somebody else may not choose.
Result<> check_repository_agent(const FoundAgent& found) {
  const auto refuse = [&](std::string_view key, const std::string& value, const char* why) {
    return fail(ErrorCode::usage, found.file + ": " + std::string(key) + ": " + shown(value) +
                                      " in an agent of the repository (" + why + ")");
  };
  constexpr const char* kEngineWhy =
      "name an engine of ~/.config/fathom/config.yaml: the repository does not say where its text "
      "is sent";
  const AgentDocument& agent = found.agent;
  if (!agent.engine.empty() && !is_document_name(agent.engine))
    return refuse("engine", agent.engine, kEngineWhy);
  if (agent.escalate && !is_document_name(agent.escalate->to))
    return refuse("escalate.to", agent.escalate->to, kEngineWhy);
  if (!agent.policy.empty() && agent.policy != kReadOnlyPolicy)
    return refuse("policy", agent.policy, "it may name readonly only; --policy chooses another");
  return {};
}

std::string likely_path(const fs::path& path) {
  std::error_code ec;
  const fs::path real = fs::weakly_canonical(path, ec);
  return ec ? path.lexically_normal().string() : real.string();
}

Result<fs::path> user_folder(const GetEnv& env) { return TRY(config_dir(env)) / "agents"; }

// What the user's folder has under this name; the name inside has to be the same, or `agent list`
// and `--agent` would speak of two.
Result<FoundAgent> read_user_agent(const fs::path& folder, std::string_view name) {
  const fs::path path = folder / (std::string(name) + std::string(kSuffix));
  FoundAgent found = TRY(read_agent_file(path, AgentOrigin::user));
  if (found.agent.name != name)
    return fail(ErrorCode::usage, found.file + ": name: " + shown(found.agent.name) +
                                      " in a file of another name (make them the same)");
  return found;
}

// In order; what is no document's name is passed over.
std::vector<std::string> user_agent_names(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code ec;
  for (fs::directory_iterator at(folder, ec), end; !ec && at != end; at.increment(ec)) {
    if (names.size() >= kUserAgentsMax) break;
    const std::string file = at->path().filename().string();
    if (!file.ends_with(kSuffix)) continue;
    std::string name = file.substr(0, file.size() - kSuffix.size());
    if (is_document_name(name)) names.push_back(std::move(name));
  }
  std::ranges::sort(names);
  return names;
}

Error not_found(std::string_view name, const fs::path& user) {
  std::vector<std::string> names = user_agent_names(user);
  std::vector<std::string_view> known;
  for (const ShippedAgent& agent : shipped_agents()) known.push_back(agent.name);
  for (const std::string& own : names) known.emplace_back(own);
  return {ErrorCode::not_found, "agent: no file and none called " +
                                    policies::did_you_mean(clip_prefix(name, 120), known)};
}

}  // namespace

std::string_view name_of(AgentOrigin origin) {
  switch (origin) {
    case AgentOrigin::built_in:
      return "built-in";
    case AgentOrigin::user:
      return "user";
    case AgentOrigin::file:
      return "file";
    case AgentOrigin::repository:
      return "repository";
  }
  return "";
}

Result<FoundAgent> read_agent_file(const fs::path& path, AgentOrigin origin) {
  FoundAgent found;
  found.origin = origin;
  found.file = likely_path(path);
  auto text = read_file(path, kAgentFileBytesMax);
  if (!text) return fail(context("agent", std::move(text).error()));
  found.text = *std::move(text);
  found.agent = TRY(load_agent(found.text, found.file));
  if (!found.agent.answer_schema_file.empty()) {
    auto schema = read_schema(fs::path(found.file).parent_path(), found.agent.answer_schema_file);
    if (!schema)
      return fail(context(found.file + ": output.schema: " + shown(found.agent.answer_schema_file),
                          std::move(schema).error()));
    found.agent.answer_schema = *std::move(schema);
  }
  if (origin == AgentOrigin::repository) TRY(check_repository_agent(found));
  return found;
}

Result<FoundAgent> find_agent(std::string_view name, const fs::path& workspace, const GetEnv& env) {
  if (const ShippedAgent* agent = find_shipped(name)) return shipped(*agent);
  const fs::path folder = TRY(user_folder(env));
  std::error_code ec;
  if (is_document_name(name) && fs::exists(folder / (std::string(name) + std::string(kSuffix)), ec))
    return read_user_agent(folder, name);
  const fs::path path(name);
  if (name.empty() || !fs::exists(path, ec)) return fail(not_found(name, folder));
  const bool inside = policies::is_at_or_below(likely_path(path), likely_path(workspace));
  return read_agent_file(path, inside ? AgentOrigin::repository : AgentOrigin::file);
}

Result<std::vector<ListedAgent>> list_agents(const GetEnv& env) {
  std::vector<ListedAgent> out;
  for (const ShippedAgent& agent : shipped_agents()) {
    const FoundAgent found = TRY(shipped(agent));
    out.push_back({found.agent.name, found.origin, found.file, found.agent.description, ""});
  }
  const fs::path folder = TRY(user_folder(env));
  for (const std::string& name : user_agent_names(folder)) {
    ListedAgent listed{name, AgentOrigin::user, (folder / (name + std::string(kSuffix))).string(),
                       "", ""};
    const auto found = read_user_agent(folder, name);
    if (!found) {
      listed.error = found.error().message;
    } else if (find_shipped(name) != nullptr) {
      listed.error = "the built-in one has this name (rename it, or give its path)";
    } else {
      listed.description = found->agent.description;
    }
    out.push_back(std::move(listed));
  }
  return out;
}

}  // namespace fathom::agents
