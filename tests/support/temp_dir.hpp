// TempDir: a fresh private folder, removed with everything in it.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace fathom::test {

class TempDir {
 public:
  TempDir();
  /// In a folder of the caller's choice.
  explicit TempDir(const std::filesystem::path& parent);
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(std::string_view name) const { return path_ / name; }

  /// Writes `bytes` to `name` below the folder, making parents; returns the whole path.
  std::filesystem::path write(std::string_view name, std::string_view bytes) const;

 private:
  std::filesystem::path path_;
};

/// The whole file, or throws.
std::string slurp(const std::filesystem::path& path);

}  // namespace fathom::test
