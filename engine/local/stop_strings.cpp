#include "engine/local/stop_strings.hpp"

#include "runtime/base/text.hpp"

#include <algorithm>

namespace fathom::engine {

Result<StopStrings> StopStrings::create(std::span<const std::string> stops) {
  if (stops.size() > kStopStringsMax)
    return fail(ErrorCode::usage, "stop: " + std::to_string(stops.size()) +
                                      " strings are more than " + std::to_string(kStopStringsMax));
  std::vector<Node> nodes(1);
  for (std::size_t i = 0; i < stops.size(); ++i) {
    const std::string where = "stop[" + std::to_string(i) + "]: ";
    if (stops[i].empty())
      return fail(ErrorCode::usage, where + "an empty string would stop everything (leave it out)");
    if (stops[i].size() > kStopStringBytesMax)
      return fail(ErrorCode::usage, where + std::to_string(stops[i].size()) +
                                        " bytes are more than " +
                                        std::to_string(kStopStringBytesMax));
    if (find_invalid_utf8(stops[i]) != std::string_view::npos)
      return fail(ErrorCode::usage, where + "not UTF-8");
    add(nodes, stops[i], static_cast<std::int16_t>(i));
  }
  link_suffixes(nodes);
  return StopStrings(std::move(nodes));
}

std::uint16_t StopStrings::child(std::span<const Node> nodes, std::uint16_t node,
                                 unsigned char byte) {
  std::uint16_t at = nodes[node].first_child;
  while (at != 0 && nodes[at].byte != byte) at = nodes[at].next_sibling;
  return at;
}

void StopStrings::add(std::vector<Node>& nodes, std::string_view stop, std::int16_t place) {
  std::uint16_t at = 0;
  for (const char c : stop) {
    const auto byte = static_cast<unsigned char>(c);
    std::uint16_t next = child(nodes, at, byte);
    if (next == 0) {
      next = static_cast<std::uint16_t>(nodes.size());
      const auto depth = static_cast<std::uint16_t>(nodes[at].depth + 1);
      nodes.push_back(
          {.byte = byte, .depth = depth, .parent = at, .next_sibling = nodes[at].first_child});
      nodes[at].first_child = next;
    }
    at = next;
  }
  if (nodes[at].match >= 0) return;  // the same string twice: the first place stands
  nodes[at].match = place;
  nodes[at].match_bytes = static_cast<std::uint16_t>(stop.size());
}

void StopStrings::link_suffixes(std::vector<Node>& nodes) {
  std::vector<std::uint16_t> order(nodes.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::uint16_t>(i);
  std::ranges::sort(order, {}, [&](std::uint16_t i) { return nodes[i].depth; });
  for (const std::uint16_t i : order) {
    Node& node = nodes[i];
    if (node.depth > 1) node.suffix = step(nodes, nodes[node.parent].suffix, node.byte);
    if (node.match >= 0) continue;
    node.match = nodes[node.suffix].match;
    node.match_bytes = nodes[node.suffix].match_bytes;
  }
}

std::uint16_t StopStrings::step(std::span<const Node> nodes, std::uint16_t node,
                                unsigned char byte) {
  for (;;) {
    if (const std::uint16_t next = child(nodes, node, byte); next != 0) return next;
    if (node == 0) return 0;
    node = nodes[node].suffix;
  }
}

void StopStrings::append_held(std::string& text) const {
  const std::size_t held = held_bytes();
  text.resize(text.size() + held);
  auto out = text.rbegin();
  for (std::uint16_t at = node_; at != 0; at = (*nodes_)[at].parent)
    *out++ = static_cast<char>((*nodes_)[at].byte);
}

std::size_t StopStrings::held_bytes() const { return stopped_ ? 0 : (*nodes_)[node_].depth; }

StopStrings::Release StopStrings::push(std::string_view bytes) {
  released_.clear();
  if (stopped_) return {released_, stopped_};
  append_held(released_);
  for (const char c : bytes) {
    released_ += c;
    node_ = step(*nodes_, node_, static_cast<unsigned char>(c));
    const Node& node = (*nodes_)[node_];
    if (node.match < 0) continue;
    stopped_ = static_cast<std::size_t>(node.match);
    released_.resize(released_.size() - node.match_bytes);
    return {released_, stopped_};
  }
  released_.resize(released_.size() - held_bytes());
  return {released_, std::nullopt};
}

std::string_view StopStrings::finish() {
  released_.clear();
  if (!stopped_) append_held(released_);
  node_ = 0;
  return released_;
}

}  // namespace fathom::engine
