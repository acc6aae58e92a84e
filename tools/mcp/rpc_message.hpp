// JSON-RPC 2.0 as MCP uses it: one frame's bytes to messages and back. Pure. Frames come from
// programs of other people, so size, depth and count are bounded before anything is kept.
#pragma once

#include "runtime/base/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace fathom::tools {

inline constexpr std::size_t kFrameBytesMax = 4UL << 20;
inline constexpr int kFrameDepthMax = 128;
inline constexpr std::size_t kBatchMax = 64;           // messages of one frame, before 2025-06-18
inline constexpr std::size_t kMethodBytesMax = 256;    // of a method's name
inline constexpr std::size_t kRpcIdBytesMax = 256;     // of the peer's own request ids
inline constexpr std::size_t kRpcErrorBytesMax = 300;  // kept of an error's message

struct RpcError {
  std::int64_t code = 0;
  std::string message;  ///< one printable line

  friend bool operator==(const RpcError&, const RpcError&) = default;
};

namespace rpc {
/// The peer asks.
struct Request {
  std::string id;  ///< as JSON: a number or a string, sent back as it came
  std::string method;
  std::string params;

  friend bool operator==(const Request&, const Request&) = default;
};
struct Notification {
  std::string method;
  std::string params;

  friend bool operator==(const Notification&, const Notification&) = default;
};
/// The peer answers. `result` is its bytes when there is no error.
struct Response {
  std::optional<std::uint64_t> id;  ///< none: not an id that we could have given
  std::string result;
  std::optional<RpcError> error;

  friend bool operator==(const Response&, const Response&) = default;
};
}  // namespace rpc

using RpcMessage = std::variant<rpc::Request, rpc::Notification, rpc::Response>;

/// The messages of one frame: one, or those of an array. `params` is "" when there are none.
/// `too_large` beyond the bounds, `protocol` for what is no JSON-RPC.
Result<std::vector<RpcMessage>> parse_frame(std::string_view frame);

/// One line without a line feed each. `params` and `result` are JSON, `params` may be "".
std::string request_frame(std::uint64_t id, std::string_view method, std::string_view params);
std::string notification_frame(std::string_view method, std::string_view params);
std::string result_frame(std::string_view id, std::string_view result);
std::string error_frame(std::string_view id, std::int64_t code, std::string_view message);

/// `text` as a JSON string, quotes included; ill-formed bytes become U+FFFD.
std::string json_string(std::string_view text);

}  // namespace fathom::tools
