#include "engine/replay/request_match.hpp"

#include "runtime/base/text.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

namespace fathom::engine {
namespace {

constexpr std::size_t kExcerptBytes = 48;  // of either text, from a little before the difference
constexpr std::size_t kExcerptBefore = 12;

using Difference = std::optional<std::string>;

std::string_view name_of(Role role) {
  switch (role) {
    case Role::system:
      return "system";
    case Role::user:
      return "user";
    case Role::assistant:
      return "assistant";
    case Role::tool:
      return "tool";
  }
  return "user";
}

std::string excerpt(std::string_view text, std::size_t at) {
  const std::size_t from = at - std::min(at, kExcerptBefore);
  const std::string_view part = clip_prefix(text.substr(from), kExcerptBytes);
  return "'" + std::string(from > 0 ? "…" : "") + to_printable(part) +
         (from + part.size() < text.size() ? "…'" : "'");
}

Difference compare(const std::string& what, std::string_view recorded, std::string_view now) {
  const auto [left, right] = std::ranges::mismatch(recorded, now);
  if (left == recorded.end() && right == now.end()) return std::nullopt;
  const auto at = static_cast<std::size_t>(left - recorded.begin());
  return what + " differs at byte " + std::to_string(at) + ": recorded " + excerpt(recorded, at) +
         ", now " + excerpt(now, at);
}

Difference compare(const std::string& what, std::size_t recorded, std::size_t now) {
  if (recorded == now) return std::nullopt;
  return "has " + std::to_string(now) + " " + what + ", recorded were " + std::to_string(recorded);
}

Difference compare_call(const ToolCall& recorded, const ToolCall& now, Matching matching) {
  if (auto found = compare("name", recorded.name, now.name)) return found;
  if (matching == Matching::loose) return std::nullopt;
  if (auto found = compare("id", recorded.id, now.id)) return found;
  return compare("arguments", recorded.arguments, now.arguments);
}

Difference compare_result(const ToolResult& recorded, const ToolResult& now) {
  if (auto found = compare("call id", recorded.call_id, now.call_id)) return found;
  if (auto found = compare("status", fathom::name_of(recorded.status), fathom::name_of(now.status)))
    return found;
  if (recorded.status == ToolStatus::cancelled && recorded.content.empty()) return std::nullopt;
  return compare("content", recorded.content, now.content);
}

Difference compare_message(const Message& recorded, const Message& now, Matching matching) {
  if (auto found = compare("role", name_of(recorded.role), name_of(now.role))) return found;
  if (auto found = compare("calls", recorded.calls.size(), now.calls.size())) return found;
  if (auto found = compare("results", recorded.results.size(), now.results.size())) return found;
  for (std::size_t i = 0; i < now.calls.size(); ++i)
    if (auto found = compare_call(recorded.calls[i], now.calls[i], matching))
      return "call " + std::to_string(i + 1) + " (" +
             to_printable(clip_prefix(recorded.calls[i].name, kExcerptBytes)) + "): " + *found;
  if (matching == Matching::loose) return std::nullopt;
  if (auto found = compare("text", recorded.text, now.text)) return found;
  if (auto found = compare("reasoning", recorded.reasoning, now.reasoning)) return found;
  for (std::size_t i = 0; i < now.results.size(); ++i)
    if (auto found = compare_result(recorded.results[i], now.results[i]))
      return "result " + std::to_string(i + 1) + " (" +
             to_printable(clip_prefix(recorded.results[i].call_id, kExcerptBytes)) + "): " + *found;
  return std::nullopt;
}

std::string place(const Message& message, std::size_t index) {
  return "message " + std::to_string(index + 1) + " (" + std::string(name_of(message.role)) + ")";
}

}  // namespace

std::optional<std::string> find_difference(std::span<const Message> recorded,
                                           std::span<const Message> now, std::size_t first,
                                           Matching matching) {
  const std::size_t both = std::min(recorded.size(), now.size());
  for (std::size_t i = first; i < both; ++i)
    if (auto found = compare_message(recorded[i], now[i], matching))
      return place(recorded[i], i) + ": " + *found;
  if (now.size() > both) return place(now[both], both) + " was not there in the recording";
  if (recorded.size() > both) return place(recorded[both], both) + " of the recording is missing";
  return std::nullopt;
}

}  // namespace fathom::engine
