#include "agents/cli/memory_limit.hpp"

#include "runtime/base/file.hpp"

#include <charconv>

namespace fathom::agents {
namespace {

constexpr std::size_t kFileBytesMax = 4096;
constexpr std::uint64_t kUnlimited = std::uint64_t{1} << 62;  // version 1 has a number for it

}  // namespace

std::optional<std::uint64_t> memory_limit() {
  for (const char* file :
       {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    const auto text = read_file(file, kFileBytesMax);
    if (!text) continue;
    std::uint64_t limit = 0;  // "max" is no number
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), limit);
    if (error == std::errc() && limit < kUnlimited) return limit;
  }
  return std::nullopt;
}

}  // namespace fathom::agents
