// What the benchmarks of the agents report, one row a figure.
#pragma once

#include <string>
#include <vector>

namespace fathom::agents {

struct BenchReport {
  struct Row {
    std::string name;
    double value = 0;  ///< 0: not measured, the note says why
    std::string unit;
    double value_max = 0;   ///< the goal; 0: none
    double peer_value = 0;  ///< 0: there is none
    std::string peer;
    std::string note;
  };
  std::vector<Row> rows;
};

/// The middle one; `values` is not empty.
double median(std::vector<double> values);

void run_sessions_bench(BenchReport& report);
void run_start_bench(BenchReport& report);
void run_step_bench(BenchReport& report);
void run_body_bench(BenchReport& report);

}  // namespace fathom::agents
