// Tool calls in DSML (api.md A.7) to rules of a grammar.
#pragma once

#include "engine/text/grammar_schema.hpp"

namespace fathom::engine {

Result<Compiled> compile_tool_calls(std::span<const GrammarTool> tools,
                                    const ToolCallOptions& options);

}  // namespace fathom::engine
