// What `fathom generate` was asked, in the engine's terms: tokens to continue, and what the answer
// may be.
#pragma once

#include "agents/cli/generate_command.hpp"
#include "engine/local/scheduler.hpp"
#include "engine/text/declared_tools.hpp"
#include "engine/text/tokenizer.hpp"

#include <memory>
#include <optional>
#include <vector>

namespace fathom::agents {

struct GenerateInput {
  std::vector<engine::TokenId> prompt;
  bool opens_reasoning = false;   ///< the answer begins with reasoning
  engine::DeclaredTools tools{};  ///< that the answer may call
  std::shared_ptr<const engine::Grammar> grammar{};
};

/// The options with the prompt read from its file; what does not go together, in one line, before
/// any work.
Result<GenerateOptions> complete(GenerateOptions options);

/// Reads the other files that the options name. `tokenizer` may be null where ids are given and
/// nothing else needs one.
Result<GenerateInput> generate_input(const GenerateOptions& options,
                                     const engine::Tokenizer* tokenizer,
                                     const engine::ModelConfig& config);

/// "0 5 9", spaces or commas; the error names the word that is no id.
Result<std::vector<engine::TokenId>> parse_ids(const std::string& text);

}  // namespace fathom::agents
