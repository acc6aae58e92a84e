// The blocks of a message's content, as they are written.
#pragma once

#include "runtime/base/message.hpp"

#include <string>
#include <string_view>

namespace fathom::engine {

void append_text_block(std::string& out, std::string_view text);
void append_thinking_block(std::string& out, std::string_view thinking, std::string_view signature);
/// `input` is the call's arguments, as they are; what is no JSON object is put into one, as V4's
/// own template does it.
void append_tool_use_block(std::string& out, const ToolCall& call);

}  // namespace fathom::engine
