#include "engine/remote/fault_of.hpp"

#include "engine/remote/http_date.hpp"
#include "engine/remote/wire_json.hpp"
#include "runtime/base/text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <vector>

namespace fathom::engine {
namespace {

constexpr std::size_t kMessageBytesMax = 600;
constexpr std::size_t kModelsShown = 8;
constexpr std::size_t kModelsRead = 256;

struct ErrorBody {
  enum class Shape : std::uint8_t { openai, anthropic, html, other };
  Shape shape = Shape::other;
  std::string message;
  std::string type;
  std::string code;
};

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

std::string one_line(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  text = text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
  return to_printable(clip_prefix(text, kMessageBytesMax));
}

bool is_html(std::string_view body, std::string_view content_type) {
  const std::string start = lower(body.substr(0, std::min<std::size_t>(body.size(), 64)));
  return content_type.starts_with("text/html") || start.contains("<!doctype") ||
         start.contains("<html");
}

ErrorBody read_error(std::string_view body, std::string_view content_type = {}) {
  ErrorBody error;
  const auto json = parse_json(body);
  if (!json || !json->is(JsonValue::Kind::object)) {
    if (is_html(body, content_type)) error.shape = ErrorBody::Shape::html;
    error.message = body;
    return error;
  }
  const JsonValue* inner = json->find("error");
  if (inner && inner->is(JsonValue::Kind::object)) {
    error.shape = text_of(json->find("type")) == "error" ? ErrorBody::Shape::anthropic
                                                         : ErrorBody::Shape::openai;
    error.message = text_of(inner->find("message"));
    error.type = text_of(inner->find("type"));
    const JsonValue* code = inner->find("code");
    error.code = code && code->is(JsonValue::Kind::number) ? code->text : text_of(code);
  } else {
    // llama.cpp, vLLM (older) and FastAPI each have their own.
    error.message = text_of(inner);
    for (const std::string_view key : {"message", "detail"})
      if (error.message.empty()) error.message = text_of(json->find(key));
    error.type = text_of(json->find("type"));
    error.code = text_of(json->find("code"));
  }
  if (error.message.empty()) error.message = body;
  return error;
}

bool is_overflow(const ErrorBody& error) {
  if (error.code == "context_length_exceeded") return true;
  const std::string said = lower(error.message);
  return std::ranges::any_of(
      std::array{"context_length_exceeded", "prompt is too long", "maximum context length",
                 "exceeds the available context", "context window exceeded"},
      [&said](std::string_view words) { return said.contains(words); });
}

bool is_balance(const ErrorBody& error) {
  return error.code == "insufficient_quota" || error.type == "insufficient_quota" ||
         error.type == "billing_error" || lower(error.message).contains("insufficient balance");
}

FaultClass class_of(unsigned status) {
  if (status == 402) return FaultClass::balance;
  if (status == 413) return FaultClass::overflow;
  if (status == 408 || status == 409 || status == 425 || status == 429) return FaultClass::rate;
  return status >= 500 ? FaultClass::server : FaultClass::refused;
}

// Of an error that comes after the answer's head: there only its words tell the class.
FaultClass class_of(const ErrorBody& error) {
  unsigned status = 0;
  const char* end = error.code.data() + error.code.size();
  if (std::from_chars(error.code.data(), end, status).ptr == end && status >= 400 && status < 600)
    return class_of(status);
  const std::string words = lower(error.type + " " + error.code);
  const auto says = [&words](std::string_view word) { return words.contains(word); };
  if (says("rate_limit")) return FaultClass::rate;
  if (says("authentication") || says("permission") || says("not_found") ||
      says("invalid_request") || says("invalid_api_key") || says("model_not_found"))
    return FaultClass::refused;
  return FaultClass::server;
}

// What the person can do, where the status alone tells it.
std::string hint(unsigned status, const ErrorBody& error, const Endpoint& endpoint) {
  const bool anthropic = endpoint.api == Api::anthropic;
  using Shape = ErrorBody::Shape;
  if (error.shape == Shape::html)
    return "it answers with an HTML page: is this the address of an API? (such as "
           "https://HOST/v1)";
  if (status == 401 || status == 403)
    return endpoint.vendor == Vendor::other ? "does FATHOM_API_KEY hold its key?"
                                            : "is its key right, and still valid?";
  if (status != 404 && status != 405) return {};
  if (!anthropic && error.shape == Shape::anthropic)
    return "it speaks Anthropic's API: write anthropic:URL";
  if (anthropic && error.shape != Shape::anthropic)
    return "it may not speak Anthropic's API: try openai:URL";
  return "does the URL lack or double its /v1?";
}

std::string redirect(const BadAnswer& answer) {
  const auto url = net::Url::parse(answer.headers.get("location"));
  if (!url) return "redirects are not followed: write the address that it moved to";
  // The path may hold what is nobody's business.
  return "it moved to " + std::string(net::name_of(url->origin.scheme)) + "://" +
         url->origin.authority() + ": write that address (redirects are not followed)";
}

// Names in a listing of models, in its order.
std::vector<std::string> names_in(std::string_view listing) {
  std::vector<std::string> names;
  const auto json = parse_json(listing);
  if (!json) return names;
  const JsonValue* data = json->find("data");
  if (!data || !data->is(JsonValue::Kind::array)) return names;
  for (const JsonValue& model : data->items)
    if (std::string name = text_of(model.find("id")); !name.empty() && names.size() < kModelsRead)
      names.push_back(to_printable(clip_prefix(name, 128)));
  return names;
}

}  // namespace

std::optional<Duration> retry_after(const net::Headers& headers, WallTime now) {
  const auto number = [](std::string_view text) -> std::optional<double> {
    double value = 0;
    const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || rest != text.data() + text.size() || !(value >= 0))
      return std::nullopt;
    return value;
  };
  const auto bounded = [](std::chrono::duration<double> wait) -> Duration {
    if (wait >= kRetryAfterMax) return kRetryAfterMax;
    return std::chrono::duration_cast<Duration>(wait);
  };
  if (const auto ms = number(headers.get("retry-after-ms")))
    return bounded(std::chrono::duration<double, std::milli>(*ms));
  const std::string_view value = headers.get("retry-after");
  if (const auto seconds = number(value)) return bounded(std::chrono::duration<double>(*seconds));
  const auto date = parse_http_date(value);
  if (!date) return std::nullopt;
  return *date <= now ? Duration::zero() : bounded(*date - now);
}

Fault fault_of(const BadAnswer& answer, const Endpoint& endpoint, WallTime now) {
  if (answer.status >= 300 && answer.status < 400)
    return {FaultClass::refused, std::to_string(answer.status) + ": " + redirect(answer), {}};
  const ErrorBody error = read_error(answer.body, answer.headers.get("content-type"));
  Fault fault;
  if (answer.status / 100 == 2) {
    fault.kind = error.shape == ErrorBody::Shape::html ? FaultClass::refused : FaultClass::format;
    fault.message = "the answer is neither an event stream nor JSON";
  } else {
    fault.kind = class_of(answer.status);
    fault.message = std::to_string(answer.status);
  }
  if (error.shape != ErrorBody::Shape::html)
    if (const std::string said = one_line(error.message); !said.empty())
      fault.message += ": " + said;
  const std::string what =
      is_about_model(answer) ? std::string() : hint(answer.status, error, endpoint);
  if (!what.empty())
    fault.message += (error.shape == ErrorBody::Shape::html ? ": " : " (") + what +
                     (error.shape == ErrorBody::Shape::html ? "" : ")");

  const std::string_view should_retry = answer.headers.get("x-should-retry");
  if (should_retry == "true" && !may_retry(fault.kind)) fault.kind = FaultClass::server;
  if (should_retry == "false" && may_retry(fault.kind)) fault.kind = FaultClass::refused;
  // What no waiting heals, whatever the status says.
  if (answer.status < 500 && is_overflow(error)) fault.kind = FaultClass::overflow;
  if (answer.status < 500 && is_balance(error)) fault.kind = FaultClass::balance;
  if (may_retry(fault.kind)) fault.retry_after = retry_after(answer.headers, now);
  return fault;
}

namespace {

// Nobody listens there, or there is no there: it was never started, or the name is wrong.
bool is_unreachable(std::string_view message) {
  return message.contains("connection refused") || message.contains("no route to it");
}

}  // namespace

Fault fault_of(const Error& error, const net::Origin& origin) {
  std::string message = error.message;
  const std::string peer = origin.host_port() + ": ";
  if (message.starts_with(peer)) message.erase(0, peer.size());
  message = one_line(message);
  switch (error.code) {
    case ErrorCode::network:
      // On this machine nobody is on the way who could lose a packet: no server runs there.
      if (net::is_loopback(origin.host) && message.contains("connection refused"))
        return {FaultClass::refused, std::move(message), {}};
      return {.kind = FaultClass::transport,
              .message = message,
              .retry_after = {},
              .is_unreachable = is_unreachable(message)};
    case ErrorCode::not_found:  // the host's name
      return {.kind = FaultClass::transport,
              .message = std::move(message),
              .retry_after = {},
              .is_unreachable = true};
    case ErrorCode::tls:
      if (message.contains("certificate") || message.contains("does not speak TLS"))
        return {FaultClass::refused, std::move(message), {}};
      return {FaultClass::transport, std::move(message), {}};
    case ErrorCode::protocol:
    case ErrorCode::bad_data:
    case ErrorCode::too_large:
      return {FaultClass::format, std::move(message), {}};
    case ErrorCode::permission:  // a proxy's password
    case ErrorCode::usage:
    case ErrorCode::unsupported:
      return {FaultClass::refused, std::move(message), {}};
    case ErrorCode::timeout:
    case ErrorCode::io:
    case ErrorCode::in_use:
    case ErrorCode::disk_full:
      return {FaultClass::transport, std::move(message), {}};
  }
  return {FaultClass::transport, std::move(message), {}};
}

Fault fault_in_answer(std::string_view json) {
  const ErrorBody error = read_error(json);
  FaultClass kind = class_of(error);
  if (is_overflow(error)) kind = FaultClass::overflow;
  if (is_balance(error)) kind = FaultClass::balance;
  const std::string type = error.type.empty() ? "" : one_line(error.type) + ": ";
  return {kind, "error in the answer: " + type + one_line(error.message), {}};
}

bool is_about_model(const BadAnswer& answer) {
  if (answer.status != 400 && answer.status != 404 && answer.status != 422) return false;
  const ErrorBody error = read_error(answer.body);
  if (is_overflow(error)) return false;
  if (error.code == "model_not_found") return true;
  const std::string said = lower(error.message);
  return said.contains("model") &&
         std::ranges::any_of(
             std::array{"not exist", "not found", "unknown model", "no such model", "required",
                        "missing", "supported", "invalid model", "not_found"},
             [&said](std::string_view words) { return said.contains(words); });
}

std::string with_models(std::string message, std::string_view listing, std::string_view model) {
  const std::vector<std::string> names = names_in(listing);
  if (names.empty()) return message;
  message += "; GET /models lists: ";
  for (std::size_t i = 0; i < std::min(names.size(), kModelsShown); ++i)
    message += (i == 0 ? "" : ", ") + names[i];
  if (names.size() > kModelsShown)
    message += ", and " + std::to_string(names.size() - kModelsShown) + " more";
  const std::vector<std::string_view> views(names.begin(), names.end());
  const std::string_view near = nearest(model, views);
  if (!near.empty()) message += " (did you mean '" + std::string(near) + "'?)";
  if (model.empty()) message += " (write one behind '#')";
  return message;
}

}  // namespace fathom::engine
