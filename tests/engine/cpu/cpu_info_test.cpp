#include "engine/cpu/cpu_info.hpp"

#include "tests/support/catch.hpp"

#include <fstream>
#include <sstream>

using namespace fathom::engine;

TEST_CASE("CPU features agree with what the kernel lists", "[engine]") {
  std::ifstream file("/proc/cpuinfo");
  std::string flags;
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("flags")) flags = line + " ";
  const CpuInfo info = cpu_info();
  CHECK(info.threads >= 1);
#if defined(__x86_64__)
  REQUIRE_FALSE(flags.empty());
  REQUIRE_FALSE(info.features.empty());
  for (const CpuFeature& feature : info.features) {
    INFO(feature.name);
    CHECK(feature.present == (flags.find(" " + feature.name + " ") != std::string::npos));
  }
#else
  CHECK(info.features.empty());
#endif
}
