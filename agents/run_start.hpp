// RunStart: how a run was begun, or last gone on with, as `run.started` and `run.resumed` say.
// Whoever goes on with it works in the same place, under the same policies, and with edits in the
// same form.
#pragma once

#include "sandbox/compile.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::agents {

struct RunStart {
  std::string workspace;
  std::string policy;        ///< as its document calls itself
  std::string policy_asked;  ///< a shipped name or a whole path; "" where none was asked for
  std::vector<std::string> narrowed_by;  ///< likewise: policies that only take away from it
  sandbox::Mode mode = sandbox::Mode::direct;
  std::string transaction;       ///< of mode transaction: its id
  std::vector<std::string> mcp;  ///< as parse_mcp_server() reads them

  friend bool operator==(const RunStart&, const RunStart&) = default;
};

/// The data of `run.started` or `run.resumed`; `tools` are for readers only.
[[nodiscard]] std::string encode(const RunStart& start, const std::vector<std::string_view>& tools);

/// Nothing when it does not say where and how the run worked: such a run must not go on under
/// something weaker.
[[nodiscard]] std::optional<RunStart> decode_run_start(std::string_view said);

}  // namespace fathom::agents
