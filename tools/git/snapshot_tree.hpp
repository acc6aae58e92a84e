// The state of a workspace as trees: one object a folder, in git's form ("mode name\0id"), so that
// `git cat-file` can look at a store by hand. Two things differ from git's own trees: modes keep
// all nine permission bits, and names are in byte order.
#pragma once

#include "runtime/base/result.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::tools {

/// SHA-1, as in git.
using ObjectId = std::array<std::uint8_t, 20>;

std::string to_hex(const ObjectId& id);
Result<ObjectId> object_id_from_hex(std::string_view hex);

enum class NodeKind : std::uint8_t { file, link, folder };

/// What stands at a path. Of a link the content is its target, and its permissions are 0.
struct Node {
  NodeKind kind = NodeKind::file;
  std::uint16_t permissions = 0644;
  ObjectId id{};  ///< of a folder: its tree

  friend bool operator==(const Node&, const Node&) = default;
};

struct TreeEntry {
  std::string name;
  Node node;
  friend bool operator==(const TreeEntry&, const TreeEntry&) = default;
};

inline constexpr std::size_t kTreeEntriesMax = 1'000'000;

std::string encode_tree(const std::vector<TreeEntry>& entries);

/// `bad_data` for anything that encode_tree did not write: names that are empty, "." or "..", hold
/// a
/// '/', or stand out of order.
Result<std::vector<TreeEntry>> decode_tree(std::string_view bytes);

/// A whole state by path, folders included, the root not.
using TreeState = std::map<std::string, Node, std::less<>>;

}  // namespace fathom::tools
