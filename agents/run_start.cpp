#include "agents/run_start.hpp"

#include "runtime/base/text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace fathom::agents {
namespace {

using nlohmann::ordered_json;

constexpr std::array kModes = {
    std::pair{sandbox::Mode::direct, std::string_view("direct")},
    std::pair{sandbox::Mode::transaction, std::string_view("transaction")},
    std::pair{sandbox::Mode::disposable, std::string_view("disposable")}};

std::string_view name_of(sandbox::Mode mode) {
  for (const auto& [value, name] : kModes)
    if (value == mode) return name;
  return "";
}

std::vector<std::string> texts(const ordered_json& data, const char* key) {
  std::vector<std::string> all;
  const auto found = data.find(key);
  if (found == data.end() || !found->is_array()) return all;
  for (const ordered_json& one : *found)
    if (one.is_string()) all.push_back(one.get<std::string>());
  return all;
}

std::string text(const ordered_json& data, const char* key) {
  const auto found = data.find(key);
  return found != data.end() && found->is_string() ? found->get<std::string>() : std::string();
}

}  // namespace

std::string encode(const RunStart& start, const std::vector<std::string_view>& tools) {
  ordered_json data = {{"workspace", to_valid_utf8(start.workspace)},
                       {"policy", start.policy},
                       {"tools", tools},
                       {"policy_asked", to_valid_utf8(start.policy_asked)},
                       {"mode", name_of(start.mode)}};
  if (!start.transaction.empty()) data["transaction"] = start.transaction;
  if (!start.narrowed_by.empty()) data["narrowed_by"] = start.narrowed_by;
  if (!start.mcp.empty()) data["mcp"] = start.mcp;
  return data.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

std::optional<RunStart> decode_run_start(std::string_view said) {
  const ordered_json data = ordered_json::parse(said, nullptr, false);
  RunStart start;
  start.workspace = text(data, "workspace");
  start.policy = text(data, "policy");
  start.policy_asked = text(data, "policy_asked");
  start.narrowed_by = texts(data, "narrowed_by");
  start.transaction = text(data, "transaction");
  start.mcp = texts(data, "mcp");
  const std::string mode = text(data, "mode");
  const auto* const known =
      std::ranges::find_if(kModes, [&](const auto& one) { return one.second == mode; });
  if (start.workspace.empty() || known == kModes.end()) return std::nullopt;
  start.mode = known->first;
  return start;
}

}  // namespace fathom::agents
