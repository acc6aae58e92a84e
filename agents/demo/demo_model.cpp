#include "agents/demo/demo_model.hpp"

#include "agents/demo/bundled_files.hpp"
#include "runtime/base/file.hpp"
#include "runtime/base/text.hpp"
#include "runtime/trace/sha256.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace fathom::agents {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kModelPart = "model/";
constexpr std::size_t kNameDigits = 16;  // of a hash, in the folder's name

bool holds(const fs::path& file, std::string_view bytes) {
  std::error_code error;
  if (fs::file_size(file, error) != bytes.size() || error) return false;
  const auto there = read_file(file, bytes.size());
  return there && *there == bytes;
}

// Programs of other versions keep theirs.
std::string folder_name() {
  trace::Sha256 hash;
  for (const BundledFile& file : bundled_files())
    if (file.path.starts_with(kModelPart)) hash.update(file.bytes);
  return "demo-" + hash.hex().substr(0, kNameDigits);
}

// The engine would read an index of weights before the weights: nothing may lie there but what is
// bundled, and nobody else may write.
Result<> check_alone(const fs::path& folder) {
  struct stat found{};
  if (::lstat(folder.c_str(), &found) != 0)
    return fail(system_error("look at " + folder.string(), errno));
  if (!S_ISDIR(found.st_mode) || found.st_uid != ::geteuid() ||
      (found.st_mode & (S_IWGRP | S_IWOTH)) != 0)
    return fail(ErrorCode::permission,
                folder.string() + ": is not a folder that only you can write: remove it");
  std::error_code error;
  fs::directory_iterator file(folder, error);
  for (; !error && file != fs::directory_iterator(); file.increment(error)) {
    const std::string name = file->path().filename();
    const bool is_known = !demo_model_file(name).empty() || name.find(".tmp") != std::string::npos;
    if (!is_known)
      return fail(ErrorCode::bad_data, folder.string() + ": holds '" + to_printable(name) +
                                           "', which is none of the "
                                           "demo's files: remove the folder");
  }
  return {};
}

}  // namespace

std::string_view demo_model_file(std::string_view name) {
  for (const BundledFile& file : bundled_files())
    if (file.path.starts_with(kModelPart) && file.path.substr(kModelPart.size()) == name)
      return file.bytes;
  return {};
}

Result<fs::path> unpack_demo_model(const GetEnv& env) {
  const fs::path folder = TRY(cache_dir(env)) / folder_name();
  TRY(create_private_dirs(folder));
  TRY(check_alone(folder));
  for (const BundledFile& file : bundled_files()) {
    if (!file.path.starts_with(kModelPart)) continue;
    const fs::path path = folder / file.path.substr(kModelPart.size());
    if (holds(path, file.bytes)) continue;
    TRY(write_file_atomic(path, file.bytes, Sync::no));
  }
  return folder;
}

}  // namespace fathom::agents
