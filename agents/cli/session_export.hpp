// A session as a text for others: people, scripts, another program's chat API.
#pragma once

#include "agents/run_store.hpp"
#include "runtime/base/ids.hpp"
#include "runtime/base/result.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::agents {

enum class ExportFormat : std::uint8_t {
  markdown,  ///< everything that was said, compactions or not, in the order in which it happened
  jsonl,     ///< the events, a line each, as in the journal
  messages,  ///< what the next request would show the model, as POST /chat/completions takes it
};

/// Names the formats; `usage` with the nearest one otherwise.
Result<ExportFormat> parse_export_format(std::string_view text);

/// Gives `out` the text piece by piece; and notes, a line each, on what it does not hold. What
/// comes before a damaged place is given, then the damage is the error.
///
/// Markdown: what the model and the user wrote is quoted, and calls and results are fenced, so that
/// no text can end the place where it stands or pass itself off as somebody else's.
Result<std::vector<std::string>> export_session(const RunStore& runs, const RunId& run,
                                                ExportFormat format,
                                                const std::function<void(std::string_view)>& out);

}  // namespace fathom::agents
