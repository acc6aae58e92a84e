// fathom generate: what the model says next, without an agent around it.
#pragma once

#include "agents/cli/terminal.hpp"
#include "engine/local/sampling_options.hpp"
#include "engine/model/quant_formats.hpp"
#include "runtime/base/result.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace fathom::agents {

enum class GenerateOutput : unsigned char { text, ids, json };

struct GenerateOptions {
  std::filesystem::path model;
  std::string prompt;
  std::filesystem::path prompt_file;  ///< in place of a prompt; "-": standard input
  std::string ids;  ///< "0 5 9" in place of a prompt; with ids out, no tokenizer is needed
  bool chat = false;
  bool think = false;            ///< chat: let it reason first
  std::string effort;            ///< chat with thinking: what the profile knows, "none" when empty
  std::string profile;           ///< chat encoding; empty: the checkpoint's
  std::string suffix;            ///< fill in the middle: what the answer stands before
  std::filesystem::path schema;  ///< JSON Schema of the answer; empty: none
  std::filesystem::path tools;   ///< chat: JSON list of the tools that it may call; empty: none
  bool must_call = false;        ///< with tools: the answer is calls
  GenerateOutput output = GenerateOutput::text;
  engine::Numerics numerics = engine::Numerics::official;
  engine::SamplingOptions sampling;
  std::int64_t tokens_max = 256;
  bool ignore_eos = false;
  bool speculate = true;
  bool stats = false;
  std::vector<std::string> stop;
  unsigned threads = 0;  ///< 0: what the machine offers
};

/// Streams the answer to the terminal's output.
Result<> generate(const GenerateOptions& options, Terminal& terminal);

}  // namespace fathom::agents
