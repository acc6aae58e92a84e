// OutputFiles: whole outputs as plain files that the sandbox may read, so that a model can page and
// grep what was cut from a result.
#pragma once

#include "runtime/base/result.hpp"
#include "runtime/trace/blob_store.hpp"
#include "sandbox/output_capture.hpp"

#include <cstdint>
#include <deque>
#include <filesystem>
#include <string>
#include <string_view>

namespace fathom::tools {

inline constexpr std::uint64_t kOutputFileBytesMax = 256ULL << 20;  // of one output
inline constexpr std::uint64_t kOutputFilesBytesMax = 1ULL << 30;   // of all that are kept

/// One folder per run, private to the user; the policy grants reading it. The oldest files go when
/// there are too many bytes. The blob store keeps everything.
class OutputFiles {
 public:
  static Result<OutputFiles> create(std::filesystem::path dir, const trace::BlobStore& blobs);

  struct Kept {
    std::filesystem::path path;
    std::string blob;
  };
  /// Blocks on files: use it through offload.
  Result<Kept> keep(const sandbox::CapturedOutput& output);

  /// The file that holds the bytes of a blob; "" when none does any more.
  [[nodiscard]] std::filesystem::path path_of(std::string_view blob) const;

  [[nodiscard]] const std::filesystem::path& dir() const { return dir_; }

 private:
  OutputFiles(std::filesystem::path dir, const trace::BlobStore& blobs)
      : dir_(std::move(dir)), blobs_(&blobs) {}

  std::filesystem::path dir_;
  const trace::BlobStore* blobs_;
  struct File {
    std::filesystem::path path;
    std::uint64_t bytes = 0;
    std::string blob{};
  };
  std::deque<File> files_;
  std::uint64_t bytes_ = 0;
  std::uint64_t made_ = 0;
};

}  // namespace fathom::tools
