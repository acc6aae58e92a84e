// An ignore file: read and asked without overrun and in bounded time.
#include "tools/git/ignore_rules.hpp"

#include <cstddef>
#include <cstdint>

// The input is an ignore file, and after the first NUL the path it is asked about.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t zero = std::min(input.find('\0'), input.size());
  const std::string_view path = input.substr(std::min(zero + 1, input.size()));
  const auto file = fathom::tools::IgnoreFile::parse(input.substr(0, zero));
  (void)file.about(path, false);
  (void)file.about(path, true);
  return 0;
}
