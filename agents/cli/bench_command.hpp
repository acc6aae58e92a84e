// fathom bench engine: how fast a checkpoint runs on this machine.
#pragma once

#include "agents/cli/model_command.hpp"
#include "agents/cli/terminal.hpp"
#include "runtime/base/result.hpp"

#include <cstdint>
#include <filesystem>
#include <vector>

namespace fathom::agents {

struct BenchOptions {
  std::filesystem::path model;
  std::vector<std::int64_t> contexts;
  unsigned threads = 0;  ///< 0: one thread, and then what the machine offers
  bool quick = false;    ///< one round of each, for a first impression
  ReportFormat format = ReportFormat::human;
};

/// Prints tokens a second and shares of this machine's limits. `in_use` when the machine was busy:
/// then its own speed changed meanwhile by more than engine::kDriftMax.
Result<> bench_engine(const BenchOptions& options, Terminal& terminal);

}  // namespace fathom::agents
