// ObjectStore: contents and trees by their SHA-1, in a folder of our own laid out as git's loose
// objects, so that nothing is kept twice. Objects are written under another name and renamed: a
// crash leaves none by halves. Not safe for two users at once; Snapshots holds the lock.
#pragma once

#include "tools/git/handles.hpp"
#include "tools/git/snapshot_tree.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

namespace fathom::tools {

class ObjectStore {
 public:
  enum class Kind : std::uint8_t { content, tree };

  /// Makes the folder when it is missing.
  static Result<ObjectStore> open(const std::filesystem::path& folder);

  /// Stores it unless it is there already.
  Result<ObjectId> write(std::string_view bytes, Kind kind);
  /// The id it has or would have.
  static Result<ObjectId> id_of(std::string_view bytes, Kind kind);

  /// `not_found` when it is lost, `bad_data` when it is damaged, `too_large` beyond `bytes_max`.
  Result<std::string> read(const ObjectId& id, Kind kind, std::size_t bytes_max) const;

  /// Bytes written by this object, before compression.
  [[nodiscard]] std::uint64_t bytes_written() const { return bytes_written_; }

  /// Removes what `is_needed` does not want, and what a crash left by halves.
  Result<> sweep(const std::function<bool(const ObjectId&)>& is_needed);
  /// What all objects take on the disk.
  Result<std::uint64_t> bytes_on_disk() const;

 private:
  ObjectStore(std::filesystem::path folder, Handle<git_odb> odb)
      : folder_(std::move(folder)), odb_(std::move(odb)) {}

  std::filesystem::path folder_;
  Handle<git_odb> odb_;
  std::uint64_t bytes_written_ = 0;
};

}  // namespace fathom::tools
