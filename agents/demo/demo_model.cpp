#include "agents/demo/demo_model.hpp"

#include "agents/demo/bundled_files.hpp"
#include "runtime/base/file.hpp"
#include "runtime/trace/sha256.hpp"

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

}  // namespace

std::string_view demo_model_file(std::string_view name) {
  for (const BundledFile& file : bundled_files())
    if (file.path.starts_with(kModelPart) && file.path.substr(kModelPart.size()) == name)
      return file.bytes;
  return {};
}

Result<fs::path> unpack_demo_model(const GetEnv& env) {
  const fs::path folder = TRY(cache_dir(env)) / folder_name();
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return fail(system_error("make " + folder.string(), error.value()));
  for (const BundledFile& file : bundled_files()) {
    if (!file.path.starts_with(kModelPart)) continue;
    const fs::path path = folder / file.path.substr(kModelPart.size());
    if (holds(path, file.bytes)) continue;
    TRY(write_file_atomic(path, file.bytes, Sync::no));
  }
  return folder;
}

}  // namespace fathom::agents
