// What a command did to the protected things of a tree: two looks in, a list of corrections out.
// Pure.
#pragma once

#include "sandbox/tree_snapshot.hpp"

#include <string>
#include <unordered_set>
#include <vector>

namespace fathom::sandbox {

enum class Fix : std::uint8_t {
  quarantine,  ///< move away what stands there
  restore,     ///< move away what stands there, put back what stood there
  rewrite,     ///< move away what stands there, put `text` in its place
  report,      ///< say it
  will_run,    ///< say that the user's programs will run it later
};

struct Deviation {
  Fix fix = Fix::report;
  std::uint32_t root = 0;
  std::string path;  ///< relative to the root
  std::string rule;
  std::string detail;
  Stamp stamp;  ///< what to make of restored and rewritten text
  std::string text;
};

inline constexpr std::size_t kDeviationsMax = 10'000;
inline constexpr std::size_t kWillRunMax = 500;  ///< they crowd out nothing else

struct Deviations {
  std::vector<Deviation> list;
  std::size_t will_run = 0;  ///< how many there are; the list has kWillRunMax of them
  bool complete = true;      ///< false: there were more than kDeviationsMax
};

/// `now` must have been looked at with `before` as the look before. `pinned` are absolute paths
/// that the command saw through a read-only mount: as long as the thing itself is the same one, a
/// change below it was made by somebody else and is accepted.
Deviations diff(const Snapshot& before, const Snapshot& now,
                const std::unordered_set<std::string>& pinned);

}  // namespace fathom::sandbox
