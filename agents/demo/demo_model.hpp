// The demo's model as a folder: an engine maps its weights from files, so the bundled ones are
// written into the cache folder once, and looked at each time: what is not what the program has is
// written anew.
#pragma once

#include "runtime/base/paths.hpp"
#include "runtime/base/result.hpp"

#include <filesystem>
#include <string_view>

namespace fathom::agents {

/// The folder of the checkpoint. Errors name the file that could not be written.
Result<std::filesystem::path> unpack_demo_model(const GetEnv& env);

/// A file of the model as it is bundled, by its name.
[[nodiscard]] std::string_view demo_model_file(std::string_view name);

}  // namespace fathom::agents
