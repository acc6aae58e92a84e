// BlobStore: bodies too large for events, named by their content.
//
// A blob is `sha256:` and 64 hexadecimal digits of its uncompressed bytes; its file is
// blobs/ab/cdef….zst, one zstd frame, complete or absent (temporary name, sync, rename). Every read
// verifies the name against the bytes.
#pragma once

#include "runtime/base/result.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace fathom::trace {

struct BlobRef {
  std::string name;         ///< sha256:<64 hexadecimal digits>
  std::uint64_t bytes = 0;  ///< uncompressed

  friend bool operator==(const BlobRef&, const BlobRef&) = default;
};

/// Collects one blob piece by piece in constant memory; without finish() nothing is kept.
class BlobWriter {
 public:
  ~BlobWriter();
  BlobWriter(BlobWriter&&) noexcept;
  BlobWriter& operator=(BlobWriter&&) = delete;

  /// `too_large` beyond BlobStore::kBlobBytesMax; the blob is then cut there by finish().
  Result<> append(std::string_view bytes);
  /// Publishes the blob and gives its name. A blob that is there already is left as it is.
  Result<BlobRef> finish();

 private:
  friend class BlobStore;
  struct State;
  explicit BlobWriter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

class BlobStore {
 public:
  static constexpr std::uint64_t kBlobBytesMax = 16ull
                                                 << 30;  ///< a runaway tool's output ends here

  /// `dir` is created when missing. Several stores, also of several processes, may share it.
  static Result<BlobStore> open(std::filesystem::path dir);

  /// Blocks on compression and a sync: on the agent thread use it through offload.
  Result<BlobRef> put(std::string_view bytes) const;
  [[nodiscard]] Result<BlobWriter> writer() const;

  /// Up to `bytes_max` bytes from `offset` on. The whole blob is read and verified: `bad_data` when
  /// it does not match its name, `not_found` when absent, `usage` when `name` is not a blob's name.
  Result<std::string> read(std::string_view name, std::uint64_t offset,
                           std::size_t bytes_max) const;
  /// Writes up to `bytes_max` of its first bytes to `fd` in constant memory and gives their number.
  /// Errors as those of read(), and of the writing; what was written by then stays.
  Result<std::uint64_t> copy_to(std::string_view name, int fd, std::uint64_t bytes_max) const;
  [[nodiscard]] bool contains(std::string_view name) const;

 private:
  explicit BlobStore(std::filesystem::path dir) : dir_(std::move(dir)) {}
  Result<std::filesystem::path> path_of(std::string_view name) const;
  /// The verified bytes in order; whether they were the right ones is known at the end.
  Result<> each_piece(std::string_view name,
                      const std::function<Result<>(std::string_view)>& take) const;

  std::filesystem::path dir_;
};

}  // namespace fathom::trace
