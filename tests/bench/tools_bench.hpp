// What the benchmarks of the tools report, one row a figure.
#pragma once

#include <string>
#include <vector>

namespace fathom::tools {

struct BenchReport {
  struct Row {
    std::string name;
    double median_us = 0;  ///< 0: not measured, the note says why
    double peer_us = 0;    ///< 0: there is none
    std::string peer;
    double ratio = 0;
    double ratio_max = 0;  ///< the goals; 0: none
    double us_max = 0;
    std::string note;
  };
  std::vector<Row> rows;
};

void run_edit_bench(BenchReport& report);
void run_git_bench(BenchReport& report);
void run_bash_bench(BenchReport& report);
void run_reports_bench(BenchReport& report);
void run_mcp_bench(BenchReport& report);
void run_search_bench(BenchReport& report);

}  // namespace fathom::tools
