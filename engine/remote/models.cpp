#include "engine/remote/models.hpp"

#include <algorithm>
#include <array>

namespace fathom::engine {
namespace {

struct Row {
  Vendor vendor;
  std::string_view name;
  std::uint64_t context_tokens;
  Price price;
};

// DeepSeek: api-docs.deepseek.com/quick_start/pricing as of October 2026 (model versions
// DeepSeek-V4.1-Flash-1017 and DeepSeek-V4-Pro-0813), US dollars for a million tokens. These are
// the peak prices, twice the others: a budget must hold at any hour. deepseek-v4-flash is served by
// the newer Flash and billed as it. "1M" is taken as the smaller million.
//
// No other vendor's prices are here: none were found that could be dated.
constexpr std::array kRows = {
    Row{Vendor::deepseek, "deepseek-flash", 1'000'000, {0.30, 0.006, 1.20}},
    Row{Vendor::deepseek, "deepseek-v4-flash", 1'000'000, {0.30, 0.006, 1.20}},
    Row{Vendor::deepseek, "deepseek-v4-pro", 1'000'000, {1.32, 0.044, 3.96}},
};

struct Ended {
  Vendor vendor;
  std::string_view name;
  std::string_view now;     ///< the model that the vendor answered with last
  std::string_view effort;  ///< "none" or ""
  std::string_view ended;
};
constexpr std::array kEnded = {
    Ended{Vendor::deepseek, "deepseek-chat", "deepseek-v4-flash", "none", "24 July 2026"},
    Ended{Vendor::deepseek, "deepseek-reasoner", "deepseek-v4-flash", "", "24 July 2026"},
};

}  // namespace

HostedModel find_model(Vendor vendor, std::string_view model) {
  HostedModel found;
  found.name = model;
  const auto is_named = [&](const auto& row) {
    return row.vendor == vendor && row.name == found.name;
  };
  if (const auto* ended = std::ranges::find_if(kEnded, is_named); ended != kEnded.end()) {
    const bool thinks = ended->effort.empty();
    found.warning = "the name '" + found.name + "' ended on " + std::string(ended->ended) + ": '" +
                    std::string(ended->now) + "' " + (thinks ? "with" : "without") +
                    " thinking is asked instead; write that name";
    found.name = ended->now;
    found.effort = ended->effort;
  }
  if (const auto* row = std::ranges::find_if(kRows, is_named); row != kRows.end()) {
    found.context_tokens = row->context_tokens;
    found.price = row->price;
  }
  return found;
}

}  // namespace fathom::engine
