#include "sandbox/filter_cache.hpp"

#include "sandbox/seccomp_filter.hpp"

namespace fathom::sandbox {

Result<std::string> FilterCache::bytes(const FilterOptions& options) {
  for (const auto& [known, program] : kept_)
    if (known == options) return program;
  const auto program = TRY(build_filter(options));
  std::string bytes(reinterpret_cast<const char*>(program.data()),
                    program.size() * sizeof(program[0]));
  kept_.emplace_back(options, bytes);
  return bytes;
}

}  // namespace fathom::sandbox
