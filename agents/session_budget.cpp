#include "agents/session_budget.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>

namespace fathom::agents {

using nlohmann::json;

namespace {

std::int64_t ms_of(Duration duration) {
  return std::chrono::ceil<std::chrono::milliseconds>(duration).count();
}

constexpr std::uint64_t kMsMax = 1'000'000'000'000;  // some thirty years

/// Reads parts of a budget; `is_good` says whether each that is there is what it should be.
class Parts {
 public:
  explicit Parts(const json& said) : said_(said) {}

  std::optional<std::uint64_t> count(const char* key) {
    const auto found = said_.find(key);
    if (found == said_.end()) return std::nullopt;
    is_good_ &= found->is_number_unsigned();
    return is_good_ ? std::optional(found->get<std::uint64_t>()) : std::nullopt;
  }
  std::optional<Duration> duration(const char* key) {
    const std::optional<std::uint64_t> ms = count(key);
    if (!ms) return std::nullopt;
    is_good_ &= *ms <= kMsMax;
    return std::chrono::milliseconds(std::min(*ms, kMsMax));
  }
  std::optional<double> amount(const char* key) {
    const auto found = said_.find(key);
    if (found == said_.end()) return std::nullopt;
    is_good_ &= found->is_number() && found->get<double>() >= 0;
    return is_good_ ? std::optional(found->get<double>()) : std::nullopt;
  }
  [[nodiscard]] bool is_good() const { return is_good_; }

 private:
  const json& said_;
  bool is_good_ = true;
};

}  // namespace

std::string encode(const Budget& budget) {
  nlohmann::ordered_json data = nlohmann::ordered_json::object();
  if (budget.steps) data["steps"] = *budget.steps;
  if (budget.tokens) data["tokens"] = *budget.tokens;
  if (budget.usd) data["usd"] = *budget.usd;
  if (budget.wall) data["wall_ms"] = ms_of(*budget.wall);
  if (budget.tool_cpu) data["tool_cpu_ms"] = ms_of(*budget.tool_cpu);
  data["wrap_up"] = budget.wrap_up;
  return data.dump();
}

std::optional<Budget> decode_budget(std::string_view data) {
  const json said = json::parse(data, nullptr, false);
  if (!said.is_object()) return std::nullopt;
  Parts parts(said);
  Budget budget;
  budget.steps = parts.count("steps");
  budget.tokens = parts.count("tokens");
  budget.usd = parts.amount("usd");
  budget.wall = parts.duration("wall_ms");
  budget.tool_cpu = parts.duration("tool_cpu_ms");
  budget.wrap_up = parts.amount("wrap_up").value_or(budget.wrap_up);
  if (!parts.is_good()) return std::nullopt;
  return budget;
}

Budget renewed(const Budget& was, const Budget& wanted, const Budget& agents_own) {
  Budget budget = was;
  if (wanted.steps) budget.steps = wanted.steps;
  if (wanted.tokens) budget.tokens = wanted.tokens;
  if (wanted.usd) budget.usd = wanted.usd;
  if (wanted.wall) budget.wall = wanted.wall;
  if (wanted.tool_cpu) budget.tool_cpu = wanted.tool_cpu;
  return budget.narrowed_by(agents_own);
}

}  // namespace fathom::agents
