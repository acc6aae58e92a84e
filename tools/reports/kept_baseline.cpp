#include "tools/reports/kept_baseline.hpp"

#include "runtime/base/text.hpp"

#include <nlohmann/json.hpp>

#include <array>
#include <utility>

namespace fathom::tools {
namespace {

using nlohmann::json;

constexpr int kVersion = 1;
constexpr int kDepthMax = 4;
constexpr std::array kStatuses = {CaseStatus::passed, CaseStatus::failed, CaseStatus::error,
                                  CaseStatus::skipped};

Result<std::vector<std::string>> texts(const json& object, std::string_view key) {
  const auto found = object.find(key);
  std::vector<std::string> out;
  if (found == object.end() || !found->is_array())
    return fail(ErrorCode::bad_data, "kept baseline: no list '" + std::string(key) + "'");
  for (const json& one : *found) {
    if (!one.is_string()) return fail(ErrorCode::bad_data, "kept baseline: a name is no text");
    out.push_back(one.get<std::string>());
  }
  return out;
}

Result<std::string> text(const json& object, std::string_view key) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_string())
    return fail(ErrorCode::bad_data, "kept baseline: no text '" + std::string(key) + "'");
  return found->get<std::string>();
}

}  // namespace

Result<std::string> to_text(const KeptBaseline& kept) {
  json cases = json::object();
  for (const CaseStatus status : kStatuses) cases[std::string(name_of(status))] = json::array();
  for (const auto& [id, status] : kept.cases) cases[std::string(name_of(status))].push_back(id);
  const json whole = {{"version", kVersion},
                      {"run", kept.run},
                      {"workspace", kept.workspace},
                      {"command", kept.command},
                      {"cases", std::move(cases)}};
  std::string out = whole.dump(-1, ' ', false, json::error_handler_t::replace);
  if (out.size() > kKeptBaselineBytesMax)
    return fail(ErrorCode::too_large, "the names of these tests take more than " +
                                          format_bytes(kKeptBaselineBytesMax) +
                                          ": no later run is compared with this one");
  return out;
}

Result<KeptBaseline> parse_kept_baseline(std::string_view bytes) {
  const auto shallow = [](int depth, json::parse_event_t, json&) { return depth <= kDepthMax; };
  const json whole = json::parse(bytes, shallow, false);
  if (!whole.is_object() || whole.value("version", json()) != json(kVersion))
    return fail(ErrorCode::bad_data, "kept baseline: not of this version");
  KeptBaseline kept;
  kept.run = TRY(text(whole, "run"));
  kept.workspace = TRY(text(whole, "workspace"));
  kept.command = TRY(texts(whole, "command"));
  const auto cases = whole.find("cases");
  if (cases == whole.end() || !cases->is_object())
    return fail(ErrorCode::bad_data, "kept baseline: no cases");
  for (const CaseStatus status : kStatuses)
    for (std::string& id : TRY(texts(*cases, name_of(status))))
      kept.cases.emplace(std::move(id), status);
  return kept;
}

}  // namespace fathom::tools
