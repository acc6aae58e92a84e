// fathom doctor: what this build is, what this machine offers, what is missing and how to get it.
// Facts only; the functional probes of the sandbox are its own.
#pragma once

#include "runtime/base/paths.hpp"

#include <string>
#include <vector>

namespace fathom::agents {

enum class Health : unsigned char {
  ok,       ///< as it should be
  note,     ///< works, less well or with less
  missing,  ///< something that is needed is not there; `fix` says how to get it
};

struct Finding {
  std::string name;  ///< stable, snake_case: scripts read it
  Health health = Health::ok;
  std::string value;  ///< what was found
  std::string fix;    ///< the smallest command or change that mends it, empty when healthy
};

struct Section {
  std::string name;
  std::vector<Finding> findings;
};

/// Looks at the build and the machine. Reads files and asks the kernel; changes nothing, starts
/// nothing.
std::vector<Section> examine(const GetEnv& env);

/// True when nothing needed is missing.
[[nodiscard]] bool is_healthy(const std::vector<Section>& sections);

/// One JSON object: {"healthy":bool,"sections":{NAME:[{name,health,value,fix?}]}}, newline
/// included.
[[nodiscard]] std::string to_json(const std::vector<Section>& sections);

class Terminal;
[[nodiscard]] std::string to_text(const std::vector<Section>& sections, const Terminal& terminal);

/// The `fathom --version` line.
[[nodiscard]] std::string version_text();

}  // namespace fathom::agents
