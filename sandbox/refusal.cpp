#include "sandbox/refusal.hpp"

#include <nlohmann/json.hpp>

#include <utility>

namespace fathom::sandbox {

std::string to_json(const Refusal& refusal) {
  using nlohmann::ordered_json;
  ordered_json missing = ordered_json::array();
  for (const GuaranteeState& state : refusal.missing)
    missing.push_back({{"guarantee", policies::name_of(state.guarantee)},
                       {"strength", policies::name_of(state.strength)},
                       {"reason", state.reason},
                       {"fix", state.fix}});
  const ordered_json refused{
      {"ending", "not_started"}, {"reason", refusal.message}, {"missing", std::move(missing)}};
  return refused.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

std::string missing_text(const std::vector<GuaranteeState>& missing) {
  std::string text = "sandbox: the policy requires more than this machine gives:";
  for (const GuaranteeState& state : missing) {
    text += " " + std::string(policies::name_of(state.guarantee)) + " is " +
            std::string(policies::name_of(state.strength)) + " (" + state.reason + ")";
    if (!state.fix.empty()) text += ": " + state.fix;
    text += ";";
  }
  text.back() = ' ';
  return text + "or set `require` lower in a policy of yours";
}

// The container rung has no mounts, so it is never tried for the modes that need an overlay.
Result<> with_mode(Mode mode, Result<> failed) {
  if (mode == Mode::direct) return failed;
  const std::string name = mode == Mode::transaction ? "transaction" : "disposable";
  Error error = std::move(failed).error();
  if (error.code == ErrorCode::unsupported) error.message = "no rung with mounts was left to try";
  return fail(error.code,
              "sandbox: mode " + name +
                  " needs overlayfs in a user namespace, which did not work: " + error.message +
                  ": use mode direct, or a state folder (XDG_STATE_HOME) that is not "
                  "on an overlay itself; `fathom doctor` says more");
}

}  // namespace fathom::sandbox
