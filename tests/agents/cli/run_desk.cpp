#include "tests/agents/cli/run_desk.hpp"

#include <nlohmann/json.hpp>

namespace fathom::test {

using nlohmann::json;

std::vector<json> RunDesk::events() const { return lines_of(slurp(journal(newest()))); }

std::vector<json> RunDesk::lines_of(std::string_view text) {
  std::vector<json> all;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    all.push_back(json::parse(line));
  }
  return all;
}

std::ptrdiff_t RunDesk::count(std::string_view type) const {
  const auto all = events();
  return std::ranges::count_if(all, [&](const json& event) { return event["type"] == type; });
}

std::string RunDesk::results() const {
  std::string all;
  for (const json& event : events())
    if (event["type"] == "tool.finished") all += event["data"].value("content", "") + "\n";
  return all;
}

}  // namespace fathom::test
