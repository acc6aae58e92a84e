// A patch: read without overrun, and what is applied is either rejected or keeps to its own lines.
#include "runtime/base/ensure.hpp"
#include "tools/git/patch_text.hpp"

#include <cstddef>
#include <cstdint>

// The input is a patch, and after the first NUL the text that it is applied to.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t zero = std::min(input.find('\0'), input.size());
  const std::string_view text = input.substr(std::min(zero + 1, input.size()));
  const auto files = fathom::tools::parse_patch(input.substr(0, zero));
  if (!files) return 0;
  for (const fathom::tools::FilePatch& file : *files) {
    ENSURE(!file.old_path.empty() || !file.new_path.empty(), "a patch is about a file");
    ENSURE(file.new_path != ".." && !file.new_path.starts_with("../"), "paths are plain");
    const auto patched = fathom::tools::apply_hunks(text, file.hunks);
    if (file.hunks.empty()) ENSURE(patched.text == text, "no hunk changes nothing");
  }
  return 0;
}
