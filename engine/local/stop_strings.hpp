// Stop strings: finds the first of them in text that comes in pieces, and says how much of the text
// may be shown meanwhile.
//
// Text that may still become a stop string is held back: exactly the longest suffix that begins
// one, so at most the longest stop string less one byte. The held text is a prefix of a stop
// string, hence the whole state of the matcher is one number (an Aho-Corasick node) and a copy of
// the matcher is a branch of it.
#pragma once

#include "runtime/base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::engine {

constexpr std::size_t kStopStringsMax = 16;
constexpr std::size_t kStopStringBytesMax = 512;

class StopStrings {
 public:
  struct Release {
    std::string_view text;            ///< may be shown; valid until the next call
    std::optional<std::size_t> stop;  ///< the stop string that ended the text, by its place
  };

  /// No strings is fine: everything is released at once. Fails on an empty string, on too many or
  /// too long ones, and on text that is not UTF-8 (so that no release cuts a character).
  static Result<StopStrings> create(std::span<const std::string> stops);

  /// The stop string that ends first wins, of two that end together the longer. It and what
  /// follows it is dropped, and so is everything pushed later.
  Release push(std::string_view bytes);

  /// The output ended by itself: what was held back is text.
  std::string_view finish();

  [[nodiscard]] std::size_t held_bytes() const;

 private:
  struct Node {
    unsigned char byte = 0;
    std::uint16_t depth = 0;
    std::uint16_t parent = 0;
    std::uint16_t suffix = 0;  ///< the node of the longest proper suffix
    std::uint16_t first_child = 0;
    std::uint16_t next_sibling = 0;  ///< 0 ends the list: the root is nobody's child
    std::int16_t match = -1;         ///< the longest stop string that ends here
    std::uint16_t match_bytes = 0;
  };
  static_assert(kStopStringsMax * kStopStringBytesMax < 0xFFFF, "a node's number fits its field");

  explicit StopStrings(std::vector<Node> nodes)
      : nodes_(std::make_shared<const std::vector<Node>>(std::move(nodes))) {}

  static void add(std::vector<Node>& nodes, std::string_view stop, std::int16_t place);
  static void link_suffixes(std::vector<Node>& nodes);
  static std::uint16_t child(std::span<const Node> nodes, std::uint16_t node, unsigned char byte);
  static std::uint16_t step(std::span<const Node> nodes, std::uint16_t node, unsigned char byte);
  void append_held(std::string& text) const;

  std::shared_ptr<const std::vector<Node>> nodes_;
  std::uint16_t node_ = 0;
  std::optional<std::size_t> stopped_;
  std::string released_;
};

}  // namespace fathom::engine
