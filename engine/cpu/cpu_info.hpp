// What this machine's processor offers the kernels.
#pragma once

#include <string>
#include <vector>

namespace fathom::engine {

struct CpuFeature {
  std::string name;  ///< as in /proc/cpuinfo, such as "avx512_vnni"
  bool present = false;
  std::string use;  ///< what the engine gains from it
};

struct CpuInfo {
  std::string model;     ///< the vendor's brand string, "unknown" where there is none
  unsigned threads = 0;  ///< hardware threads this process may run on (its affinity mask)
  std::vector<CpuFeature> features;  ///< fixed order; the ones the engine can make use of
};

/// Asks the processor (CPUID, and XCR0 for what the kernel lets us use), not a file, so it also
/// holds in a sandbox.
CpuInfo cpu_info();

}  // namespace fathom::engine
