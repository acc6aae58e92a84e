#include "tools/git/snapshot_tree.hpp"

#include <algorithm>
#include <charconv>

namespace fathom::tools {
namespace {

constexpr std::uint32_t kFile = 0100000;
constexpr std::uint32_t kLink = 0120000;
constexpr std::uint32_t kFolder = 0040000;
constexpr std::uint32_t kPermissions = 0777;

std::uint32_t mode_of(const Node& node) {
  switch (node.kind) {
    case NodeKind::link:
      return kLink;
    case NodeKind::folder:
      return kFolder | node.permissions;
    case NodeKind::file:
      break;
  }
  return kFile | node.permissions;
}

Result<Node> node_of(std::uint32_t mode) {
  Node node;
  node.permissions = static_cast<std::uint16_t>(mode & kPermissions);
  switch (mode & ~kPermissions) {
    case kFile:
      return node;
    case kFolder:
      node.kind = NodeKind::folder;
      return node;
    case kLink:
      node.kind = NodeKind::link;
      if (node.permissions == 0) return node;
      break;
    default:
      break;
  }
  return fail(ErrorCode::bad_data, "tree: a mode that is none of ours");
}

int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool is_name(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string_view::npos;
}

}  // namespace

std::string to_hex(const ObjectId& id) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  for (const std::uint8_t byte : id) {
    hex += kDigits[byte >> 4U];
    hex += kDigits[byte & 15U];
  }
  return hex;
}

Result<ObjectId> object_id_from_hex(std::string_view hex) {
  ObjectId id{};
  if (hex.size() != 2 * id.size()) return fail(ErrorCode::bad_data, "object id: not 40 digits");
  for (std::size_t i = 0; i < id.size(); ++i) {
    const int high = digit_of(hex[2 * i]);
    const int low = digit_of(hex[2 * i + 1]);
    if (high < 0 || low < 0) return fail(ErrorCode::bad_data, "object id: not hexadecimal");
    id[i] = static_cast<std::uint8_t>(high * 16 + low);
  }
  return id;
}

std::string encode_tree(const std::vector<TreeEntry>& entries) {
  std::string bytes;
  for (const TreeEntry& entry : entries) {
    std::array<char, 16> mode;
    const auto end =
        std::to_chars(mode.data(), mode.data() + mode.size(), mode_of(entry.node), 8).ptr;
    bytes.append(mode.data(), end).append(1, ' ').append(entry.name).append(1, '\0');
    bytes.append(reinterpret_cast<const char*>(entry.node.id.data()), entry.node.id.size());
  }
  return bytes;
}

Result<std::vector<TreeEntry>> decode_tree(std::string_view bytes) {
  std::vector<TreeEntry> entries;
  while (!bytes.empty()) {
    if (entries.size() == kTreeEntriesMax)
      return fail(ErrorCode::too_large, "tree: too many entries");
    const std::size_t space = bytes.find(' ');
    const std::size_t zero = bytes.find('\0');
    constexpr std::size_t kIdBytes = std::tuple_size_v<ObjectId>;
    if (space == std::string_view::npos || zero == std::string_view::npos || space > zero ||
        bytes.size() - zero - 1 < kIdBytes)
      return fail(ErrorCode::bad_data, "tree: cut short");
    std::uint32_t mode = 0;
    const auto read = std::from_chars(bytes.data(), bytes.data() + space, mode, 8);
    if (read.ec != std::errc() || read.ptr != bytes.data() + space || bytes.front() == '0')
      return fail(ErrorCode::bad_data, "tree: no mode");
    TreeEntry entry;
    entry.node = TRY(node_of(mode));
    entry.name = bytes.substr(space + 1, zero - space - 1);
    if (!is_name(entry.name)) return fail(ErrorCode::bad_data, "tree: no name of a file");
    if (!entries.empty() && entries.back().name >= entry.name)
      return fail(ErrorCode::bad_data, "tree: names out of order");
    std::ranges::copy(bytes.substr(zero + 1, kIdBytes), entry.node.id.begin());
    bytes.remove_prefix(zero + 1 + kIdBytes);
    entries.push_back(std::move(entry));
  }
  return entries;
}

}  // namespace fathom::tools
