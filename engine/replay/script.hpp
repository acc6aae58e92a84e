// Scripts: what a model is to answer, written by hand. One JSON object a line, an answer each:
//
//   {"say":"text","reasoning":"…","calls":[{"name":"bash","arguments":{"command":"ls"}}],
//    "finish":"stop","usage":{"prompt_tokens":12,…},"expect":{"contains":"text"}}
//
// (on one line). All keys are optional, but there must be `say` or `calls`. `arguments` may be a
// string, which is then what the model wrote, well-formed or not; `id` of a call is left to the
// agent unless it is given. `finish` is stop, length or tool_calls, by default what fits the calls.
// `expect.contains` must stand in the last message of the request: its text, or a result of it.
// Empty lines are passed over, so are lines that begin with `#`.
#pragma once

#include "engine/replay/recording.hpp"

#include <string_view>

namespace fathom::engine {

/// `line 3: unknown key 'sya' (did you mean 'say'?)`.
Result<Recording> parse_script(std::string_view text);

}  // namespace fathom::engine
