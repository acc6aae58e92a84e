// The steps of a commit, in an order that is safe to stop after any of them, and their form in the
// journal.
//
// Folders come first and top-down; then files, a repository's objects before the refs and the index
// that name them; then removals, the deepest first; last the permission bits of folders, as they
// may forbid what comes before.
//
// The journal is written before the first step and removed after the last. A step says what stood
// in its place when the plan was made, so that whoever reads the journal again can tell the steps
// that were made from those that were not: no progress has to be recorded.
#pragma once

#include "sandbox/layer_changes.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace fathom::sandbox {

enum class StepKind : std::uint8_t {
  make_folder,
  write_file,
  write_text,
  make_link,
  remove,
  set_mode
};

struct Step {
  StepKind kind = StepKind::write_file;
  std::string path;
  std::uint32_t mode = 0;
  std::optional<Stamp> before;  ///< what the workspace had there
  bool shared = false;          ///< and that under further names
  std::string text;             ///< of write_text and make_link

  friend bool operator==(const Step&, const Step&) = default;
};

/// The steps for those changes that are applied or run later. A link's target is its change's text.
std::vector<Step> plan_commit(const std::vector<Change>& changes);

/// Fails with `bad_data` for anything that encode_steps did not write.
std::string encode_steps(const std::vector<Step>& steps);
Result<std::vector<Step>> decode_steps(std::string_view journal);

}  // namespace fathom::sandbox
