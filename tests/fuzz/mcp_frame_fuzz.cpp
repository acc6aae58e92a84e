// What a tool server writes: framing, JSON-RPC, the session, tool lists and results. The first byte
// says how the rest is cut into pieces.
#include "runtime/base/ensure.hpp"
#include "tools/mcp/json_slice.hpp"
#include "tools/mcp/line_frames.hpp"
#include "tools/mcp/mcp_content.hpp"
#include "tools/mcp/mcp_session.hpp"
#include "tools/mcp/remote_tool.hpp"

#include <cstdint>

using namespace fathom;
using namespace fathom::tools;

namespace {

constexpr std::size_t kLineBytesMax = 64UL << 10;

void read_result(std::string_view result) {
  if (const auto page = parse_tool_page(result))
    for (const RemoteTool& tool : page->tools)
      ENSURE(ArgumentSchema::compile("tool", tool.parameters).has_value(),
             "a tool that is offered has a schema that compiles");
  if (const auto output = content_output(result))
    ENSURE(json_member(output->data, "items").starts_with('['), "data lists what came");
}

void take(McpSession& session, std::string_view line) {
  const auto events = session.take(line);
  if (!events) return;
  for (const SessionEvent& event : *events) {
    if (const auto* answered = std::get_if<session_event::Answered>(&event)) {
      if (answered->result) read_result(*answered->result);
    } else if (const auto* send = std::get_if<session_event::Send>(&event)) {
      ENSURE(send->frame.find('\n') == std::string::npos, "a frame is one line");
      ENSURE(parse_frame(send->frame).has_value(), "what we send is JSON-RPC");
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t piece = 1 + data[0];
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  McpSession session;
  (void)session.begin();
  (void)session.take(
      R"({"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-06-18","capabilities":{}}})");
  for (int i = 0; i < 4; ++i) (void)session.ask("tools/call", "{}");
  LineFrames frames(kLineBytesMax);
  std::string pieces;
  std::string whole;
  for (std::size_t at = 0; at < bytes.size(); at += piece)
    if (!frames.feed(bytes.substr(at, piece), [&](std::string_view line) {
          pieces.append(line) += '\n';
          take(session, line);
        }))
      break;
  LineFrames again(kLineBytesMax);
  const bool all =
      again.feed(bytes, [&](std::string_view line) { whole.append(line) += '\n'; }).has_value();
  if (all) ENSURE(pieces == whole, "frames do not depend on how they are cut");
  return 0;
}
