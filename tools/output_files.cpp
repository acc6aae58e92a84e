#include "tools/output_files.hpp"

#include "runtime/base/file.hpp"
#include "runtime/base/unique_fd.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace fathom::tools {

Result<OutputFiles> OutputFiles::create(std::filesystem::path dir, const trace::BlobStore& blobs) {
  TRY(create_private_dirs(dir));
  return OutputFiles(std::move(dir), blobs);
}

Result<OutputFiles::Kept> OutputFiles::keep(const sandbox::CapturedOutput& output) {
  Kept kept;
  kept.path = dir_ / (std::to_string(++made_) + ".txt");
  const UniqueFd fd(
      ::open(kept.path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) return fail(system_error("keep output " + kept.path.string(), errno));
  std::uint64_t bytes = 0;
  if (output.blob.empty()) {
    const std::string text = output.text();
    bytes = text.size();
    kept.blob = TRY(blobs_->put(text)).name;
    TRY(write_all(fd.get(), text, kept.path.string()));
  } else {
    kept.blob = output.blob;
    bytes = TRY(blobs_->copy_to(output.blob, fd.get(), kOutputFileBytesMax));
  }
  files_.push_back({kept.path, bytes, kept.blob});
  bytes_ += bytes;
  while (bytes_ > kOutputFilesBytesMax && files_.size() > 1) {
    ::unlink(files_.front().path.c_str());
    bytes_ -= files_.front().bytes;
    files_.pop_front();
  }
  return kept;
}

std::filesystem::path OutputFiles::path_of(std::string_view blob) const {
  const auto found = std::ranges::find(files_, blob, &File::blob);
  return found == files_.end() ? std::filesystem::path() : found->path;
}

}  // namespace fathom::tools
