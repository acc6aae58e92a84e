// A read-only mapping of a file: pages come from disk when first touched and may leave again, so
// that a checkpoint larger than memory still runs.
#pragma once

#include "runtime/base/result.hpp"

#include <cstddef>
#include <filesystem>
#include <span>

namespace fathom::engine {

class MappedFile {
 public:
  static Result<MappedFile> open(const std::filesystem::path& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  [[nodiscard]] std::span<const std::byte> bytes() const { return bytes_; }

 private:
  explicit MappedFile(std::span<const std::byte> bytes) : bytes_(bytes) {}

  std::span<const std::byte> bytes_;
};

}  // namespace fathom::engine
