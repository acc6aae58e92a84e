#include "tools/git/stat_cache.hpp"

#include <algorithm>
#include <cstring>
#include <type_traits>

namespace fathom::tools {
namespace {

constexpr std::string_view kMagic = "fathom stat cache 1\n";

// As it lies in the file, in this machine's byte order.
struct FileRow {
  std::uint64_t device;
  std::uint64_t inode;
  std::uint64_t bytes;
  std::int64_t modified_ns;
  std::int64_t changed_ns;
  std::uint32_t path_bytes;
  ObjectId id;
};
struct FolderRow {
  std::uint32_t path_bytes;
  ObjectId id;
};
static_assert(std::has_unique_object_representations_v<FileRow>, "padding would reach the file");
static_assert(std::has_unique_object_representations_v<FolderRow>);

template <class Value>
void put(std::string& bytes, const Value& value) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
}

template <class Value>
bool take(std::string_view& bytes, Value& value) {
  if (bytes.size() < sizeof value) return false;
  std::memcpy(&value, bytes.data(), sizeof value);
  bytes.remove_prefix(sizeof value);
  return true;
}

bool take_path(std::string_view& bytes, std::uint32_t size, std::string& path) {
  if (bytes.size() < size) return false;
  path = bytes.substr(0, size);
  bytes.remove_prefix(size);
  return true;
}

bool is_settled_at(const CachedFile& file, std::int64_t looked_ns) {
  return std::max(file.modified_ns, file.changed_ns) + kCacheSettlingNs < looked_ns;
}

}  // namespace

CachedFile CachedFile::of(const sandbox::Stamp& stamp, const ObjectId& id) {
  return {stamp.device, stamp.inode, stamp.bytes, stamp.modified_ns, stamp.changed_ns, id};
}

bool CachedFile::is_same(const sandbox::Stamp& stamp) const { return *this == of(stamp, id); }

const ObjectId* StatCache::content(const std::string& path, const sandbox::Stamp& stamp) const {
  const auto found = files.find(path);
  if (found == files.end() || !found->second.is_same(stamp)) return nullptr;
  return is_settled_at(found->second, looked_ns) ? &found->second.id : nullptr;
}

bool StatCache::is_settled() const {
  return std::ranges::all_of(
      files, [&](const auto& file) { return is_settled_at(file.second, looked_ns); });
}

std::string encode_cache(const StatCache& cache) {
  std::string bytes(kMagic);
  put(bytes, cache.looked_ns);
  put(bytes, std::uint64_t{cache.files.size()});
  for (const auto& [path, file] : cache.files) {
    put(bytes, FileRow{file.device, file.inode, file.bytes, file.modified_ns, file.changed_ns,
                       static_cast<std::uint32_t>(path.size()), file.id});
    bytes += path;
  }
  put(bytes, std::uint64_t{cache.folders.size()});
  for (const auto& [path, id] : cache.folders) {
    put(bytes, FolderRow{static_cast<std::uint32_t>(path.size()), id});
    bytes += path;
  }
  return bytes;
}

Result<StatCache> decode_cache(std::string_view bytes) {
  const auto bad = [] { return fail(ErrorCode::bad_data, "stat cache: damaged"); };
  StatCache cache;
  std::uint64_t count = 0;
  if (!bytes.starts_with(kMagic)) return bad();
  bytes.remove_prefix(kMagic.size());
  if (!take(bytes, cache.looked_ns) || !take(bytes, count) ||
      count > bytes.size() / sizeof(FileRow))
    return bad();
  cache.files.reserve(count);
  for (; count > 0; --count) {
    FileRow row;
    std::string path;
    if (!take(bytes, row) || !take_path(bytes, row.path_bytes, path)) return bad();
    cache.files.emplace(std::move(path), CachedFile{row.device, row.inode, row.bytes,
                                                    row.modified_ns, row.changed_ns, row.id});
  }
  if (!take(bytes, count) || count > bytes.size() / sizeof(FolderRow)) return bad();
  cache.folders.reserve(count);
  for (; count > 0; --count) {
    FolderRow row;
    std::string path;
    if (!take(bytes, row) || !take_path(bytes, row.path_bytes, path)) return bad();
    cache.folders.emplace(std::move(path), row.id);
  }
  if (!bytes.empty()) return bad();
  return cache;
}

}  // namespace fathom::tools
