#include "engine/text/grammar_trie.hpp"

#include "runtime/base/ensure.hpp"

#include <algorithm>
#include <tuple>

namespace fathom::engine {
namespace {

std::size_t common_prefix(std::string_view a, std::string_view b) {
  const auto end = std::ranges::mismatch(a, b).in1;
  return static_cast<std::size_t>(end - a.begin());
}

}  // namespace

TokenTrie::TokenTrie(std::vector<Entry> entries) {
  // By bytes as unsigned characters, which is how string_view compares.
  std::ranges::sort(entries, [](const Entry& a, const Entry& b) {
    return std::tie(a.bytes, a.token) < std::tie(b.bytes, b.token);
  });
  std::vector<std::uint32_t> path;  // the nodes of the latest entry
  std::string_view last;
  const auto close_to = [&](std::size_t depth) {
    for (; path.size() > depth; path.pop_back())
      nodes_[path.back()].subtree_end = static_cast<std::uint32_t>(nodes_.size());
  };
  tokens_.reserve(entries.size());
  for (const Entry& entry : entries) {
    ENSURE(!entry.bytes.empty() && entry.bytes.size() <= kTokenBytesMax, "the caller checked");
    close_to(common_prefix(last, entry.bytes));
    while (path.size() < entry.bytes.size()) {
      path.push_back(static_cast<std::uint32_t>(nodes_.size()));
      nodes_.push_back({.tokens_begin = static_cast<std::uint32_t>(tokens_.size()),
                        .depth = static_cast<std::uint16_t>(path.size()),
                        .byte = static_cast<unsigned char>(entry.bytes[path.size() - 1])});
    }
    depth_max_ = std::max(depth_max_, path.size());
    tokens_.push_back(entry.token);
    last = entry.bytes;
  }
  close_to(0);
  nodes_.push_back({.tokens_begin = static_cast<std::uint32_t>(tokens_.size())});
}

}  // namespace fathom::engine
