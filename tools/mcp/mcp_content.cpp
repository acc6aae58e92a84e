#include "tools/mcp/mcp_content.hpp"

#include "runtime/base/text.hpp"
#include "tools/mcp/json_slice.hpp"

#include <nlohmann/json.hpp>

namespace fathom::tools {

using nlohmann::json;
using nlohmann::ordered_json;

namespace {

std::string text_of(const json& object, const char* name) {
  if (!object.is_object()) return "";
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

std::string shown(std::string_view text) {
  return to_printable(clip_prefix(text, kContentNameBytesMax));
}

// Of base64 text, without decoding it.
std::size_t decoded_bytes(std::string_view base64) {
  while (base64.ends_with('=')) base64.remove_suffix(1);
  return base64.size() * 3 / 4;
}

void append_block(std::string& text, std::string_view block) {
  if (!text.empty() && !text.ends_with('\n')) text += '\n';
  text += block;
}

// A model that reads text is told that there was more, and what it was.
ordered_json append_item(std::string& text, const json& item) {
  const std::string type = text_of(item, "type");
  if (type == "text") {
    const std::string said = text_of(item, "text");
    append_block(text, said);
    return {{"type", type}, {"bytes", said.size()}};
  }
  if (type == "image" || type == "audio") {
    const std::string mime = shown(text_of(item, "mimeType"));
    const std::size_t bytes = decoded_bytes(text_of(item, "data"));
    append_block(text, "[" + type + " " + mime + ", " + format_bytes(bytes) + ", not shown]");
    return {{"type", type}, {"mime", mime}, {"bytes", bytes}};
  }
  if (type == "resource_link") {
    const std::string uri = shown(text_of(item, "uri"));
    append_block(text, "[resource " + uri + "]");
    return {{"type", type}, {"uri", uri}};
  }
  if (type == "resource") {
    const auto found = item.find("resource");
    const json resource = found == item.end() ? json() : *found;
    const std::string uri = shown(text_of(resource, "uri"));
    if (resource.is_object() && resource.contains("text")) {
      const std::string said = text_of(resource, "text");
      append_block(text, "[resource " + uri + "]\n" + said);
      return {{"type", type}, {"uri", uri}, {"bytes", said.size()}};
    }
    const std::size_t bytes = decoded_bytes(text_of(resource, "blob"));
    append_block(text, "[resource " + uri + ", " + format_bytes(bytes) + ", not shown]");
    return {{"type", type}, {"uri", uri}, {"bytes", bytes}};
  }
  append_block(text,
               "[" + (type.empty() ? "an item without a type" : shown(type)) + ", not shown]");
  return {{"type", shown(type)}};
}

}  // namespace

Result<ToolOutput> content_output(std::string_view result) {
  const json value = json::parse(result, nullptr, false);
  if (!value.is_object()) return fail(ErrorCode::protocol, "tools/call: the answer is no object");
  const std::string_view structured = json_member(result, "structuredContent");
  std::string text;
  ordered_json items = ordered_json::array();
  const auto content = value.find("content");
  if (content != value.end() && content->is_array()) {
    for (const json& item : *content) {
      if (items.size() == kContentItemsMax) {
        append_block(text, "[" + std::to_string(content->size() - kContentItemsMax) +
                               " more items, not shown]");
        break;
      }
      items.push_back(append_item(text, item));
    }
  } else if (structured.empty()) {
    return fail(ErrorCode::protocol, "tools/call: the answer has no 'content'");
  }
  // Servers that send structure are asked to repeat it as text; those that do not are read here.
  if (text.empty() && !structured.empty()) text = structured;
  ToolOutput output = ToolOutput::of(std::move(text));
  const auto is_error = value.find("isError");
  if (is_error != value.end() && is_error->is_boolean() && is_error->get<bool>())
    output.status = ToolStatus::failed;
  output.data = R"({"items":)" + items.dump();
  if (!structured.empty() && structured.size() <= kStructuredBytesMax)
    output.data += R"(,"structured":)" + std::string(structured);
  output.data += '}';
  return output;
}

}  // namespace fathom::tools
