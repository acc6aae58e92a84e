#include "sandbox/caches.hpp"

#include "policies/policy_text.hpp"
#include "runtime/base/file.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>

namespace fathom::sandbox {
namespace {

struct CacheFolder {
  std::string_view name;
  std::string_view folder;
};

// Where each tool keeps what it has fetched or compiled, by its own documentation.
constexpr std::array<CacheFolder, 11> kFolders = {{{"cargo", ".cargo/registry"},
                                                   {"cargo", ".cargo/git"},
                                                   {"ccache", ".cache/ccache"},
                                                   {"go", ".cache/go-build"},
                                                   {"go", "go/pkg/mod"},
                                                   {"gradle", ".gradle/caches"},
                                                   {"gradle", ".gradle/wrapper"},
                                                   {"maven", ".m2/repository"},
                                                   {"npm", ".npm"},
                                                   {"pip", ".cache/pip"},
                                                   {"uv", ".cache/uv"}}};

}  // namespace

std::vector<std::string> cache_folders(const std::string& name) {
  std::vector<std::string> folders;
  for (const CacheFolder& entry : kFolders)
    if (entry.name == name) folders.emplace_back(entry.folder);
  return folders;
}

Result<std::vector<OverlayPlan>> cache_overlays(const policies::Policy& policy,
                                                const HostFacts& host, const Workspace& workspace,
                                                const std::filesystem::path& layers) {
  std::vector<OverlayPlan> overlays;
  if (host.home.empty()) return overlays;
  const std::filesystem::path project = layers / policies::sha256_hex(workspace.root).substr(0, 32);
  for (const std::string& name : policy.filesystem.caches)
    for (const std::string& folder : cache_folders(name)) {
      std::string layer_name = folder;
      std::ranges::replace(layer_name, '/', '-');
      const std::filesystem::path layer = project / layer_name;
      TRY(create_private_dirs(layer / "upper"));
      TRY(create_private_dirs(layer / "work"));
      const HostPath at = look_at_path(host.home + "/" + folder);
      // A cache that is a link leads where the policy has not looked: then only the layer is shown.
      const bool there = at.type == PathType::folder && at.path == host.home + "/" + folder;
      overlays.push_back({host.home + "/" + folder, layer.string(), there});
    }
  return overlays;
}

}  // namespace fathom::sandbox
