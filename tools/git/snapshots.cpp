#include "tools/git/snapshots.hpp"

#include "runtime/base/file.hpp"
#include "runtime/base/text.hpp"
#include "tools/git/repository_place.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <system_error>

namespace fathom::tools {
namespace {

constexpr std::size_t kCacheBytesMax = 512UL << 20;
constexpr std::size_t kRecordBytesMax = 16UL << 20;
constexpr std::int64_t kNsPerMs = 1'000'000;

// File times are never ahead of it; they may be a tick behind.
std::int64_t file_time_now() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

std::string below(std::string_view folder, std::string_view name) {
  return folder.empty() ? std::string(name) : std::string(folder) + "/" + std::string(name);
}

}  // namespace

Result<Snapshots> Snapshots::open(SnapshotOptions options) {
  if (!options.now_ns) options.now_ns = file_time_now;
  std::error_code failed;
  options.workspace = std::filesystem::canonical(options.workspace, failed);
  if (failed) return fail(system_error("snapshots: " + options.workspace.string(), failed.value()));
  TRY(create_private_dirs(options.store));
  options.store = std::filesystem::canonical(options.store, failed);
  if (failed) return fail(system_error("snapshots", failed.value()));
  const std::string name = options.workspace.string();
  const ObjectId id = TRY(ObjectStore::id_of(name, ObjectStore::Kind::content));
  const std::filesystem::path folder = options.store / to_hex(id);
  TRY(create_private_dirs(folder / "records"));
  if (!std::filesystem::exists(folder / "workspace", failed))
    TRY(write_file_atomic(folder / "workspace", name + "\n", Sync::no));
  ObjectStore objects = TRY(ObjectStore::open(folder / "objects"));
  const auto seed = static_cast<std::uint64_t>(options.now_ns()) ^
                    (static_cast<std::uint64_t>(::getpid()) << 32U);
  return Snapshots(std::move(options), folder, std::move(objects), seed);
}

std::filesystem::path Snapshots::record_path(const SnapshotId& id) const {
  return folder_ / "records" / (id.to_string() + ".json");
}

Result<UniqueFd> Snapshots::lock() const {
  const std::filesystem::path path = folder_ / "lock";
  UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!file) return fail(system_error("snapshots: " + path.string(), errno));
  while (::flock(file.get(), LOCK_EX) != 0)
    if (errno != EINTR) return fail(system_error("snapshots: " + path.string(), errno));
  return file;
}

void Snapshots::load_cache() {
  const std::filesystem::path path = folder_ / "cache";
  const auto stamp = sandbox::stamp_of(AT_FDCWD, path.string());
  if (stamp && cache_ && *stamp == cache_stamp_) return;
  cache_.reset();
  const auto bytes = read_file(path, kCacheBytesMax);
  if (!stamp || !bytes) return;
  if (auto cache = decode_cache(*bytes)) cache_ = std::make_unique<StatCache>(*std::move(cache));
  cache_stamp_ = *stamp;
}

Result<Snapshots::Looked> Snapshots::look() {
  Looked looked;
  looked.root.reset(
      ::open(options_.workspace.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!looked.root) return fail(system_error("snapshots: " + options_.workspace.string(), errno));
  ScanRequest request;
  request.root = looked.root.get();
  request.bounds = options_.bounds.scan;
  if (const auto place = find_repository(options_.workspace.string())) {
    looked.excludes = read_excludes(*place);
    request.tracked = tracked_files(*place);
  }
  request.excludes = looked.excludes;
  looked.git = look_at_git(options_.workspace.string());
  const std::string inside = options_.store.lexically_relative(options_.workspace).string();
  if (!inside.starts_with("..")) request.apart.push_back(inside);
  load_cache();
  request.cache = cache_.get();
  looked.now_ns = request.now_ns = options_.now_ns();
  looked.found = TRY(scan_workspace(request, objects_));
  return looked;
}

// Only once the record names the objects: a sweep keeps what records and the cache name.
void Snapshots::remember(ScanFinding& found) {
  const bool is_known =
      cache_ && cache_->files == found.cache.files && cache_->folders == found.cache.folders;
  if (is_known && cache_->is_settled()) return;
  const std::filesystem::path path = folder_ / "cache";
  cache_.reset();
  if (!write_file_atomic(path, encode_cache(found.cache), Sync::no)) return;
  const auto stamp = sandbox::stamp_of(AT_FDCWD, path.string());
  if (!stamp) return;
  cache_ = std::make_unique<StatCache>(std::move(found.cache));
  cache_stamp_ = *stamp;
}

Result<Snapshots::Taken> Snapshots::keep(const Looked& looked, std::string_view label) {
  const std::vector<SnapshotId> before = ids();
  // Later than any before, also when the clock was set back: the order is what undo goes by.
  auto ms = static_cast<std::uint64_t>(looked.now_ns / kNsPerMs);
  if (!before.empty()) ms = std::max(ms, before.back().value.unix_ms() + 1);
  Taken taken;
  taken.files_read = looked.found.files_read;
  taken.record = {SnapshotId{id_source_.next(ms)},
                  std::string(clip_prefix(label, kLabelBytesMax)),
                  looked.found.root,
                  looked.found.files,
                  looked.found.bytes,
                  looked.found.uncovered,
                  looked.found.complete,
                  looked.excludes,
                  looked.git};
  TRY(write_file_atomic(record_path(taken.record.id), encode_record(taken.record), Sync::no));
  return taken;
}

Result<Snapshots::Taken> Snapshots::take(std::string_view label) {
  const UniqueFd held = TRY(lock());
  Looked looked = TRY(look());
  Taken taken = TRY(keep(looked, label));
  remember(looked.found);
  TRY(sweep_if_due());
  return taken;
}

std::vector<SnapshotId> Snapshots::ids() const {
  constexpr std::string_view kEnding = ".json";
  std::vector<SnapshotId> found;
  std::error_code failed;
  for (const auto& entry : std::filesystem::directory_iterator(folder_ / "records", failed)) {
    std::string name = entry.path().filename().string();
    if (!name.ends_with(kEnding)) continue;
    name.resize(name.size() - kEnding.size());
    if (auto id = SnapshotId::parse(name)) found.push_back(*id);
  }
  std::ranges::sort(found);
  return found;
}

Result<SnapshotRecord> Snapshots::find(const SnapshotId& id) const {
  auto bytes = read_file(record_path(id), kRecordBytesMax);
  if (!bytes && bytes.error().code == ErrorCode::not_found)
    return fail(ErrorCode::not_found,
                "snapshot " + id.to_string() + ": there is none, or it was dropped for its age");
  if (!bytes) return fail(std::move(bytes).error());
  auto record = decode_record(*bytes);
  if (!record) return fail(context("snapshot " + id.to_string(), std::move(record).error()));
  return record;
}

Result<std::vector<SnapshotRecord>> Snapshots::list() const {
  std::vector<SnapshotRecord> records;
  for (const SnapshotId& id : ids()) {
    // One that a power loss left by halves does not hide the others.
    if (auto record = find(id)) records.push_back(*std::move(record));
  }
  return records;
}

Result<TreeState> Snapshots::state_of(const ObjectId& root) const {
  TreeState state;
  std::vector<std::pair<std::string, ObjectId>> folders = {{"", root}};
  while (!folders.empty()) {
    const auto [path, id] = std::move(folders.back());
    folders.pop_back();
    const std::string bytes = TRY(objects_.read(id, ObjectStore::Kind::tree, kTreeBytesMax));
    for (const TreeEntry& entry : TRY(decode_tree(bytes))) {
      std::string at = below(path, entry.name);
      if (entry.node.kind == NodeKind::folder) folders.emplace_back(at, entry.node.id);
      state.emplace(std::move(at), entry.node);
    }
  }
  return state;
}

Result<SnapshotDiff> Snapshots::diff(const SnapshotId& from, const SnapshotId& to,
                                     const DiffBounds& bounds) const {
  const UniqueFd held = TRY(lock());  // a sweep of another process would take contents away
  const SnapshotRecord before = TRY(find(from));
  const SnapshotRecord after = TRY(find(to));
  if (before.root == after.root) return SnapshotDiff{};
  const TreeState old_state = TRY(state_of(before.root));
  const TreeState new_state = TRY(state_of(after.root));
  return diff_states({before, old_state}, {after, new_state}, objects_, bounds);
}

}  // namespace fathom::tools
