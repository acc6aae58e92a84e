#include "tools/git/object_store.hpp"

#include "runtime/base/file.hpp"

#include <git2.h>

#include <algorithm>
#include <system_error>

namespace fathom::tools {
namespace {

git_object_t type_of(ObjectStore::Kind kind) {
  return kind == ObjectStore::Kind::tree ? GIT_OBJECT_TREE : GIT_OBJECT_BLOB;
}

ObjectId from_git(const git_oid& id) {
  ObjectId ours;
  std::ranges::copy(id.id, ours.begin());
  return ours;
}

git_oid to_git(const ObjectId& id) {
  git_oid theirs;
  std::ranges::copy(id, theirs.id);
  return theirs;
}

// Calls `each` with every file of the store and the id that its name says, or null.
Result<> for_each_file(
    const std::filesystem::path& folder,
    const std::function<void(const std::filesystem::directory_entry&, const ObjectId*)>& each) {
  std::error_code failed;
  std::filesystem::recursive_directory_iterator entries(folder, failed);
  for (; !failed && entries != std::filesystem::recursive_directory_iterator();
       entries.increment(failed)) {
    if (!entries->is_regular_file(failed)) continue;
    const std::filesystem::path& path = entries->path();
    const auto id =
        object_id_from_hex(path.parent_path().filename().string() + path.filename().string());
    each(*entries, id ? &*id : nullptr);
  }
  if (failed) return fail(system_error("snapshots: " + folder.string(), failed.value()));
  return {};
}

}  // namespace

Result<ObjectStore> ObjectStore::open(const std::filesystem::path& folder) {
  constexpr int kFastestCompression = 1;
  constexpr unsigned kFolderMode = 0700;
  constexpr unsigned kFileMode = 0600;
  start_libgit2();
  TRY(create_private_dirs(folder));
  Handle<git_odb> odb;
  if (const int code = git_odb_new(out(odb)); code != 0) return fail(git_error("snapshots", code));
  // Loose objects only: no packs, and no alternates that would read from elsewhere.
  git_odb_backend* loose = nullptr;
  int code =
      git_odb_backend_loose(&loose, folder.c_str(), kFastestCompression, 0, kFolderMode, kFileMode);
  if (code == 0) code = git_odb_add_backend(odb.get(), loose, 1);
  if (code != 0) return fail(git_error("snapshots: " + folder.string(), code));
  return ObjectStore(folder, std::move(odb));
}

Result<ObjectId> ObjectStore::write(std::string_view bytes, Kind kind) {
  git_oid id;
  const int code = git_odb_write(&id, odb_.get(), bytes.data(), bytes.size(), type_of(kind));
  if (code != 0) return fail(git_error("snapshots: " + folder_.string(), code));
  bytes_written_ += bytes.size();
  return from_git(id);
}

Result<ObjectId> ObjectStore::id_of(std::string_view bytes, Kind kind) {
  git_oid id;
  const int code = git_odb_hash(&id, bytes.data(), bytes.size(), type_of(kind));
  if (code != 0) return fail(git_error("snapshots", code));
  return from_git(id);
}

Result<std::string> ObjectStore::read(const ObjectId& id, Kind kind, std::size_t bytes_max) const {
  const git_oid theirs = to_git(id);
  Handle<git_odb_object> object;
  if (const int code = git_odb_read(out(object), odb_.get(), &theirs); code != 0)
    return fail(git_error("snapshots: object " + to_hex(id), code));
  if (git_odb_object_type(object.get()) != type_of(kind))
    return fail(ErrorCode::bad_data, "snapshots: object " + to_hex(id) + ": of another kind");
  const std::size_t size = git_odb_object_size(object.get());
  if (size > bytes_max)
    return fail(ErrorCode::too_large, "snapshots: object " + to_hex(id) + ": too large");
  return std::string(static_cast<const char*>(git_odb_object_data(object.get())), size);
}

Result<> ObjectStore::sweep(const std::function<bool(const ObjectId&)>& is_needed) {
  std::vector<std::filesystem::path> unneeded;
  TRY(for_each_file(folder_, [&](const auto& entry, const ObjectId* id) {
    if (id == nullptr || !is_needed(*id)) unneeded.push_back(entry.path());
  }));
  for (const std::filesystem::path& path : unneeded) {
    std::error_code failed;
    std::filesystem::remove(path, failed);
    if (failed) return fail(system_error("snapshots: " + path.string(), failed.value()));
  }
  return {};
}

Result<std::uint64_t> ObjectStore::bytes_on_disk() const {
  std::uint64_t bytes = 0;
  TRY(for_each_file(folder_, [&](const auto& entry, const ObjectId*) {
    std::error_code failed;
    const std::uint64_t size = entry.file_size(failed);
    if (!failed) bytes += size;
  }));
  return bytes;
}

}  // namespace fathom::tools
