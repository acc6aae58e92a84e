#include "tools/mcp/mcp_session.hpp"

#include "runtime/base/ensure.hpp"
#include "runtime/base/text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>

namespace fathom::tools {

using nlohmann::json;

namespace {

// What tools/list and tools/call mean is the same in all of them.
constexpr std::array<std::string_view, 3> kKnownVersions = {kMcpVersion, "2025-03-26",
                                                            "2024-11-05"};
constexpr std::int64_t kMethodNotFound = -32601;
constexpr std::size_t kServerNameBytesMax = 100;

std::string text_of(const json& object, const char* name) {
  if (!object.is_object()) return "";
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

json member_of(const json& object, const char* name) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(name);
  return found == object.end() ? json(nullptr) : *found;
}

json parse(const std::string& text) { return json::parse(text, nullptr, false); }

std::string shown(std::string_view text, std::size_t bytes_max) {
  return to_printable(clip_prefix(text, bytes_max));
}

// "3/10: reading"; a message alone when the numbers are none.
std::string progress_line(const json& params) {
  std::string line;
  const json progress = member_of(params, "progress");
  const json total = member_of(params, "total");
  if (progress.is_number()) line = progress.dump();
  if (progress.is_number() && total.is_number()) line += "/" + total.dump();
  const std::string message = text_of(params, "message");
  if (!message.empty()) line += (line.empty() ? "" : ": ") + shown(message, kProgressBytesMax);
  return line;
}

}  // namespace

McpSession::Request McpSession::begin() {
  ENSURE(state_ == State::fresh, "a session greets once");
  state_ = State::greeting;
  greeting_ = ++last_id_;
  in_flight_.insert(greeting_);
  const std::string params = R"({"protocolVersion":")" + std::string(kMcpVersion) +
                             R"(","capabilities":{},"clientInfo":{"name":"fathom","version":"1"}})";
  return {greeting_, request_frame(greeting_, "initialize", params)};
}

Result<McpSession::Request> McpSession::ask(std::string_view method, std::string params) {
  ENSURE(state_ == State::ready, "requests come after the handshake");
  ENSURE(params.starts_with('{'), "parameters are an object");
  if (in_flight_.size() >= kInFlightMax)
    return fail(ErrorCode::in_use, std::to_string(kInFlightMax) + " requests are in flight");
  const std::uint64_t id = ++last_id_;
  in_flight_.insert(id);
  const std::string token = R"({"_meta":{"progressToken":)" + std::to_string(id) + "}";
  params.replace(0, 1, params == "{}" ? token : token + ",");
  return Request{id, request_frame(id, method, params)};
}

std::string McpSession::cancel(std::uint64_t id, std::string_view reason) {
  if (in_flight_.erase(id) == 0 || id == greeting_) return "";
  return notification_frame(
      "notifications/cancelled",
      R"({"requestId":)" + std::to_string(id) + R"(,"reason":)" + json_string(reason) + "}");
}

Result<std::vector<SessionEvent>> McpSession::take(std::string_view frame) {
  ENSURE(state_ != State::fresh, "nothing is read before the greeting is sent");
  Events events;
  for (RpcMessage& message : TRY(parse_frame(frame))) {
    const auto* response = std::get_if<rpc::Response>(&message);
    if (response == nullptr || !response->id || !in_flight_.contains(*response->id))
      TRY(count_unasked(frame.size()));
    if (response != nullptr)
      TRY(take_response(*response, events));
    else if (const auto* request = std::get_if<rpc::Request>(&message))
      take_request(*request, events);
    else
      take_notification(std::get<rpc::Notification>(message), events);
  }
  return events;
}

Result<> McpSession::count_unasked(std::size_t bytes) {
  ++unasked_;
  unasked_bytes_ += bytes;
  if (unasked_ > kUnaskedMax)
    return fail(ErrorCode::too_large,
                "more than " + std::to_string(kUnaskedMax) + " messages that answer nothing");
  if (unasked_bytes_ > kUnaskedBytesMax)
    return fail(ErrorCode::too_large,
                "more than " + format_bytes(kUnaskedBytesMax) + " of messages that answer nothing");
  return {};
}

Result<> McpSession::take_response(rpc::Response response, Events& events) {
  // An answer to what was cancelled, or a second one, is late and no offence; it was counted.
  if (!response.id || in_flight_.erase(*response.id) == 0) return {};
  unasked_ = 0;
  unasked_bytes_ = 0;
  if (*response.id == greeting_) return take_greeting(response, events);
  session_event::Answered answered{*response.id, std::move(response.result)};
  if (response.error)
    answered.result =
        fail(ErrorCode::bad_data, "the server says: " + (response.error->message.empty()
                                                             ? std::to_string(response.error->code)
                                                             : response.error->message));
  events.emplace_back(std::move(answered));
  return {};
}

Result<> McpSession::take_greeting(const rpc::Response& response, Events& events) {
  if (response.error)
    return fail(ErrorCode::protocol, "initialize: the server says: " + response.error->message);
  const json result = parse(response.result);
  version_ = text_of(result, "protocolVersion");
  if (std::ranges::find(kKnownVersions, version_) == kKnownVersions.end())
    return fail(ErrorCode::unsupported,
                "initialize: the server speaks version '" + shown(version_, kServerNameBytesMax) +
                    "', known are 2024-11-05 to " + std::string(kMcpVersion));
  const json info = member_of(result, "serverInfo");
  server_ = shown(text_of(info, "name") + " " + text_of(info, "version"), kServerNameBytesMax);
  has_tools_ = member_of(member_of(result, "capabilities"), "tools").is_object();
  state_ = State::ready;
  events.emplace_back(session_event::Send{notification_frame("notifications/initialized", "")});
  events.emplace_back(session_event::Ready{greeting_});
  return {};
}

// Nothing was offered (no roots, no sampling, no elicitation), so nothing but a ping is answered.
void McpSession::take_request(const rpc::Request& request, Events& events) {
  events.emplace_back(session_event::Send{
      request.method == "ping"
          ? result_frame(request.id, "{}")
          : error_frame(request.id, kMethodNotFound, "this client does not offer that")});
}

void McpSession::take_notification(const rpc::Notification& notification, Events& events) {
  if (notification.method == "notifications/tools/list_changed") {
    tools_changed_ = true;
  } else if (notification.method == "notifications/progress") {
    const json params = parse(notification.params);
    const json token = member_of(params, "progressToken");
    if (!token.is_number_unsigned() || !in_flight_.contains(token.get<std::uint64_t>())) return;
    events.emplace_back(session_event::Progress{token.get<std::uint64_t>(), progress_line(params)});
  } else if (notification.method == "notifications/message") {
    const json params = parse(notification.params);
    const json data = member_of(params, "data");
    const std::string text = data.is_string() ? data.get<std::string>() : data.dump();
    log_.push_back(shown(text_of(params, "level") + ": " + text, kLogLineBytesMax));
    if (log_.size() > kLogLinesMax) log_.pop_front();
  }
}

}  // namespace fathom::tools
