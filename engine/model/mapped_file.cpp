#include "engine/model/mapped_file.hpp"

#include "runtime/base/unique_fd.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <utility>

namespace fathom::engine {

Result<MappedFile> MappedFile::open(const std::filesystem::path& path) {
  const std::string what = "open " + path.string();
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail(system_error(what, errno));
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0) return fail(system_error(what, errno));
  if (!S_ISREG(status.st_mode)) return fail(ErrorCode::bad_data, what + ": not a regular file");
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size == 0) return fail(ErrorCode::bad_data, what + ": the file is empty");
  void* address = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd.get(), 0);
  if (address == MAP_FAILED) return fail(system_error("map " + path.string(), errno));
  return MappedFile({static_cast<const std::byte*>(address), size});
}

MappedFile::MappedFile(MappedFile&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(bytes_, other.bytes_);
  return *this;
}

MappedFile::~MappedFile() {
  // munmap takes the address that mmap gave, without const; it fails only for a wrong one.
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-const-cast)
  if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

}  // namespace fathom::engine
