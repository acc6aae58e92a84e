// The files that are a part of the program: the demo's model (examples/demo/model) and what makes
// its repositories (examples/demo/train).
#pragma once

#include <span>
#include <string_view>

namespace fathom::agents {

struct BundledFile {
  std::string_view path;  ///< "model/config.json", "repositories/repos.py"
  std::string_view bytes;
};

/// A Python module stands behind those that it imports.
std::span<const BundledFile> bundled_files();

}  // namespace fathom::agents
