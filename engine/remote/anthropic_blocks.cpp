#include "engine/remote/anthropic_blocks.hpp"

#include "engine/remote/wire_json.hpp"

namespace fathom::engine {

void append_text_block(std::string& out, std::string_view text) {
  out += R"({"type":"text",)";
  append_json_field(out, "text", text);
  out += '}';
}

void append_thinking_block(std::string& out, std::string_view thinking,
                           std::string_view signature) {
  out += R"({"type":"thinking",)";
  append_json_field(out, "thinking", thinking);
  out += ',';
  append_json_field(out, "signature", signature);
  out += '}';
}

void append_tool_use_block(std::string& out, const ToolCall& call) {
  out += R"({"type":"tool_use",)";
  append_json_field(out, "id", call.id);
  out += ',';
  append_json_field(out, "name", call.name);
  out += ",\"input\":";
  if (is_json_object(call.arguments)) {
    out += call.arguments;
  } else {
    out += '{';
    if (!call.arguments.empty()) append_json_field(out, "arguments", call.arguments);
    out += '}';
  }
  out += '}';
}

}  // namespace fathom::engine
