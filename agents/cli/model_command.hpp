// fathom model: what a checkpoint is, whether it is whole, and random ones for tests and
// benchmarks.
#pragma once

#include "agents/cli/terminal.hpp"
#include "runtime/base/result.hpp"

#include <cstdint>
#include <filesystem>
#include <string>

namespace fathom::agents {

enum class ReportFormat : unsigned char { human, json };

struct ModelOptions {
  std::filesystem::path dir;
  ReportFormat format = ReportFormat::human;
  std::string shape = "tiny";  ///< random
  std::uint64_t seed = 1;      ///< random
};

/// Parameters, bytes, layers by kind of attention, KV bytes at several contexts, and what fits into
/// this machine.
Result<> model_inspect(const ModelOptions& options, Terminal& terminal);

/// Reads every byte: codes that are not numbers, and the content's fingerprint.
Result<> model_verify(const ModelOptions& options, Terminal& terminal);

/// Writes random weights in the release's format, with a tokenizer.
Result<> model_random(const ModelOptions& options, Terminal& terminal);

}  // namespace fathom::agents
