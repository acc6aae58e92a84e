// The files of a git directory that pass by what they say: a config without anything that runs a
// program, a `.git` file that leads to a git directory of the same workspace.
#pragma once

#include "sandbox/change_judge.hpp"

#include <optional>
#include <string>

namespace fathom::sandbox {

/// An open folder in the layer, and the same one in the workspace or -1.
struct FolderPair {
  int upper = -1;
  int lower = -1;
};

struct GateInput {
  FolderPair at;          ///< the folder of the file; `lower` is -1 when it is new
  std::string workspace;  ///< absolute
  FolderPair roots;
  std::string path;  ///< of the file, relative to the workspace
};

struct Gate {
  bool open = false;
  std::string reason;               ///< why not, or what was left out
  std::optional<std::string> text;  ///< what to write in place of the file's bytes
};

/// `check` must not be Check::nothing.
Gate pass_gate(Check check, const GateInput& input);

}  // namespace fathom::sandbox
