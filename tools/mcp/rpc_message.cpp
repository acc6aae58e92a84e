#include "tools/mcp/rpc_message.hpp"

#include "runtime/base/text.hpp"
#include "tools/mcp/json_slice.hpp"

#include <nlohmann/json.hpp>

#include <stdexcept>

namespace fathom::tools {

using nlohmann::json;

namespace {

class TooDeep : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// A batch is the only array here, so its elements are one level deeper.
json parse_bounded(std::string_view text) {
  return json::parse(text, [](int depth, json::parse_event_t, const json&) {
    if (depth > kFrameDepthMax)
      throw TooDeep("nested deeper than " + std::to_string(kFrameDepthMax));
    return true;
  });
}

// "[json.exception.parse_error.101] parse error at line 1, column 2: …"
std::string parser_message(std::string_view what) {
  const std::size_t prefix = what.find("] ");
  if (what.starts_with('[') && prefix != std::string_view::npos) what.remove_prefix(prefix + 2);
  return to_printable(clip_prefix(what, 120));
}

std::string text_of(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

RpcError error_of(const json& error) {
  RpcError shown;
  if (!error.is_object()) return shown;
  const auto code = error.find("code");
  if (code != error.end() && code->is_number_integer()) shown.code = code->get<std::int64_t>();
  shown.message = to_printable(clip_prefix(text_of(error, "message"), kRpcErrorBytesMax));
  return shown;
}

Result<RpcMessage> response(const json& value, std::string_view bytes) {
  rpc::Response message;
  if (const auto id = value.find("id"); id != value.end() && id->is_number_unsigned())
    message.id = id->get<std::uint64_t>();
  // Some servers write `"error":null` beside a result.
  if (const auto error = value.find("error"); error != value.end() && !error->is_null()) {
    message.error = error_of(*error);
    return message;
  }
  message.result = json_member(bytes, "result");
  if (message.result.empty())
    return fail(ErrorCode::protocol, "a message without method, result and error");
  return message;
}

Result<RpcMessage> message_of(const json& value, std::string_view bytes) {
  if (!value.is_object()) return fail(ErrorCode::protocol, "a message that is no object");
  if (text_of(value, "jsonrpc") != "2.0")
    return fail(ErrorCode::protocol, "a message that is not JSON-RPC 2.0");
  const auto named = value.find("method");
  if (named == value.end()) return response(value, bytes);
  if (!named->is_string()) return fail(ErrorCode::protocol, "a method that is no string");
  auto method = named->get<std::string>();
  if (method.size() > kMethodBytesMax)
    return fail(ErrorCode::too_large,
                "a method's name of more than " + std::to_string(kMethodBytesMax) + " bytes");
  std::string params(json_member(bytes, "params"));
  const auto id = value.find("id");
  if (id == value.end()) return rpc::Notification{std::move(method), std::move(params)};
  if (!id->is_string() && !id->is_number_integer())
    return fail(ErrorCode::protocol, "a request whose id is neither string nor integer");
  std::string shown = id->dump();
  if (shown.size() > kRpcIdBytesMax)
    return fail(ErrorCode::too_large,
                "a request's id of more than " + std::to_string(kRpcIdBytesMax) + " bytes");
  return rpc::Request{std::move(shown), std::move(method), std::move(params)};
}

void append_params(std::string& frame, std::string_view params) {
  if (!params.empty()) frame.append(R"(,"params":)").append(params);
  frame += '}';
}

}  // namespace

Result<std::vector<RpcMessage>> parse_frame(std::string_view frame) {
  if (frame.size() > kFrameBytesMax)
    return fail(ErrorCode::too_large, "a message of more than " + format_bytes(kFrameBytesMax));
  std::vector<RpcMessage> messages;
  try {
    const json value = parse_bounded(frame);
    if (!value.is_array()) {
      messages.push_back(TRY(message_of(value, frame)));
      return messages;
    }
    if (value.empty() || value.size() > kBatchMax)
      return fail(ErrorCode::too_large, "a batch of " + std::to_string(value.size()) +
                                            " messages; 1 to " + std::to_string(kBatchMax) +
                                            " are taken");
    const auto elements = json_elements(frame, kBatchMax);
    for (std::size_t i = 0; i < elements.size(); ++i)
      messages.push_back(TRY(message_of(value[i], elements[i])));
    return messages;
  } catch (const json::exception& error) {
    return fail(ErrorCode::protocol, "no JSON: " + parser_message(error.what()));
  } catch (const TooDeep& error) {
    return fail(ErrorCode::too_large, error.what());
  }
}

std::string request_frame(std::uint64_t id, std::string_view method, std::string_view params) {
  std::string frame = R"({"jsonrpc":"2.0","id":)" + std::to_string(id) + R"(,"method":)";
  frame += json_string(method);
  append_params(frame, params);
  return frame;
}

std::string notification_frame(std::string_view method, std::string_view params) {
  std::string frame = R"({"jsonrpc":"2.0","method":)" + json_string(method);
  append_params(frame, params);
  return frame;
}

std::string result_frame(std::string_view id, std::string_view result) {
  return R"({"jsonrpc":"2.0","id":)" + std::string(id) + R"(,"result":)" + std::string(result) +
         "}";
}

std::string error_frame(std::string_view id, std::int64_t code, std::string_view message) {
  return R"({"jsonrpc":"2.0","id":)" + std::string(id) + R"(,"error":{"code":)" +
         std::to_string(code) + R"(,"message":)" + json_string(message) + "}}";
}

std::string json_string(std::string_view text) { return json(to_valid_utf8(text)).dump(); }

}  // namespace fathom::tools
