// What the runtime around the model costs: until the first request, for each step, in memory.
//
//   agents_bench [--json] [--check] [NAME…]
//
// A goal that is missed is said in a line of its own, on standard error; with --check it is a
// failure as well. A busy machine misses goals that a quiet one meets: `cpu` beside a time says how
// much of it was ours, the peer how long the machine takes to start any program.
//
// `agents_bench`, two quiet threads of an EPYC, medians: 11.9 ms to the first request, at the least
// 11.1, of them 11.4 of cpu (20 to 39 ms beside other builds at load 7); 20.6 MB while it waits, 9
// of the program, 9 of libraries, 2.2 of its own; a step 99 us at 10 messages, 107 at 1,000, 154 at
// 10,000; a step of 4 kB 149 us, 179 behind 1 MB, 265 behind 4 MB; openai's prepare() 0.16 ms at 1
// MB, 0.58 at 4 MB; 1,000 sessions 230 MB and 5 threads.
#include "tests/bench/agents_bench.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::agents {

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values.at(values.size() / 2);
}

namespace {

double ratio_of(const BenchReport::Row& row) {
  return row.peer_value > 0 ? row.value / row.peer_value : 0;
}

void print_text(const BenchReport& report) {
  std::printf("%-32s %12s %-8s %10s %10s %8s  %s\n", "what", "value", "unit", "goal", "peer",
              "ratio", "peer, note");
  for (const BenchReport::Row& row : report.rows)
    std::printf("%-32s %12.3f %-8s %10.3g %10.3f %8.2f  %s%s%s\n", row.name.c_str(), row.value,
                row.unit.c_str(), row.value_max, row.peer_value, ratio_of(row), row.peer.c_str(),
                row.peer.empty() || row.note.empty() ? "" : "; ", row.note.c_str());
}

void print_json(const BenchReport& report) {
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const BenchReport::Row& row : report.rows)
    rows.push_back({{"name", row.name},
                    {"value", row.value},
                    {"unit", row.unit},
                    {"value_max", row.value_max},
                    {"peer", row.peer},
                    {"peer_value", row.peer_value},
                    {"ratio", ratio_of(row)},
                    {"note", row.note}});
  std::printf("%s\n", nlohmann::ordered_json({{"results", rows}}).dump().c_str());
}

// What was not measured has not met its goal either.
std::size_t print_missed(const BenchReport& report) {
  std::size_t count = 0;
  for (const BenchReport::Row& row : report.rows) {
    if (row.value_max <= 0 || (row.value > 0 && row.value <= row.value_max)) continue;
    ++count;
    std::fprintf(stderr, "missed: %s: %.3f %s; goal %.3g%s%s\n", row.name.c_str(), row.value,
                 row.unit.c_str(), row.value_max, row.note.empty() ? "" : "; ", row.note.c_str());
  }
  return count;
}

struct Bench {
  std::string_view name;
  void (*run)(BenchReport&);
};

// Memory first: what the others leave behind would be counted.
constexpr std::array<Bench, 4> kBenches = {{{"sessions", run_sessions_bench},
                                            {"start", run_start_bench},
                                            {"step", run_step_bench},
                                            {"body", run_body_bench}}};

int run(const std::vector<std::string_view>& words) {
  bool json = false;
  bool check = false;
  std::vector<std::string_view> names;
  for (const std::string_view word : words) {
    if (word == "--json") {
      json = true;
    } else if (word == "--check") {
      check = true;
    } else if (std::ranges::any_of(kBenches, [&](const Bench& b) { return b.name == word; })) {
      names.push_back(word);
    } else {
      std::fprintf(stderr, "usage: agents_bench [--json] [--check] [sessions|start|step|body…]\n");
      return 64;
    }
  }
  BenchReport report;
  for (const Bench& bench : kBenches)
    if (names.empty() || std::ranges::count(names, bench.name) > 0) bench.run(report);
  json ? print_json(report) : print_text(report);
  return print_missed(report) > 0 && check ? 1 : 0;
}

}  // namespace
}  // namespace fathom::agents

int main(int argc, char** argv) { return fathom::agents::run({argv + 1, argv + argc}); }
