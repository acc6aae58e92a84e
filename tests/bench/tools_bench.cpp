// What the tools cost, beside a peer measured in the same run.
//
//   tools_bench [--json] [--check] [NAME…]
//
// A goal that is missed is said in a line of its own, on standard error; with --check it is a
// failure as well. A busy machine misses goals that a quiet one meets.
#include "tests/bench/tools_bench.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

namespace {

using fathom::tools::BenchReport;

std::string processor() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);)
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  return "unknown";
}

std::string goal_of(const BenchReport::Row& row) {
  std::array<char, 32> text{};
  if (row.ratio_max > 0) std::snprintf(text.data(), text.size(), "%.2f", row.ratio_max);
  if (row.us_max > 0) std::snprintf(text.data(), text.size(), "%.0f us", row.us_max);
  return text.data();
}

void print_text(const BenchReport& report) {
  std::printf("%s\n%-28s %12s %12s %8s %10s  %s\n", processor().c_str(), "what", "median us",
              "peer us", "ratio", "goal", "peer, note");
  for (const BenchReport::Row& row : report.rows)
    std::printf("%-28s %12.0f %12.0f %8.2f %10s  %s%s%s\n", row.name.c_str(), row.median_us,
                row.peer_us, row.ratio, goal_of(row).c_str(), row.peer.c_str(),
                row.peer.empty() || row.note.empty() ? "" : "; ", row.note.c_str());
}

void print_json(const BenchReport& report) {
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const BenchReport::Row& row : report.rows)
    rows.push_back({{"name", row.name},
                    {"median_us", row.median_us},
                    {"peer", row.peer},
                    {"peer_us", row.peer_us},
                    {"ratio", row.ratio},
                    {"ratio_max", row.ratio_max},
                    {"us_max", row.us_max},
                    {"note", row.note}});
  std::printf("%s\n",
              nlohmann::ordered_json({{"cpu", processor()}, {"results", rows}}).dump().c_str());
}

// What was not measured has not met its goal either.
bool is_missed(const BenchReport::Row& row) {
  if (row.ratio_max <= 0 && row.us_max <= 0) return false;
  return row.median_us <= 0 || (row.ratio_max > 0 && row.ratio > row.ratio_max) ||
         (row.us_max > 0 && row.median_us > row.us_max);
}

std::size_t print_missed(const BenchReport& report) {
  std::size_t count = 0;
  for (const BenchReport::Row& row : report.rows) {
    if (!is_missed(row)) continue;
    ++count;
    std::fprintf(stderr, "missed: %s: %.0f us, %.2f of its peer; goal %s%s%s\n", row.name.c_str(),
                 row.median_us, row.ratio, goal_of(row).c_str(), row.note.empty() ? "" : "; ",
                 row.note.c_str());
  }
  return count;
}

struct Bench {
  std::string_view name;
  void (*run)(BenchReport&);
};

constexpr std::array<Bench, 6> kBenches = {{{"edit", fathom::tools::run_edit_bench},
                                            {"git", fathom::tools::run_git_bench},
                                            {"bash", fathom::tools::run_bash_bench},
                                            {"reports", fathom::tools::run_reports_bench},
                                            {"mcp", fathom::tools::run_mcp_bench},
                                            {"search", fathom::tools::run_search_bench}}};

}  // namespace

int main(int argc, char** argv) {
  bool json = false;
  bool check = false;
  std::vector<std::string_view> names;
  for (const std::string_view word : std::vector<std::string_view>(argv + 1, argv + argc)) {
    if (word == "--json") {
      json = true;
    } else if (word == "--check") {
      check = true;
    } else if (std::ranges::any_of(kBenches, [&](const Bench& b) { return b.name == word; })) {
      names.push_back(word);
    } else {
      std::fprintf(stderr,
                   "usage: tools_bench [--json] [--check] [edit|git|bash|reports|mcp|search…]\n");
      return 64;
    }
  }
  BenchReport report;
  for (const Bench& bench : kBenches)
    if (names.empty() || std::ranges::count(names, bench.name) > 0) bench.run(report);
  json ? print_json(report) : print_text(report);
  return print_missed(report) > 0 && check ? 1 : 0;
}
