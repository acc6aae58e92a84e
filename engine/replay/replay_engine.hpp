// ReplayEngine: repeats the answers of a recording, so that an agent runs again without a model.
//
// Each session begins with the first answer and gives the next one at each sample. It holds the
// agent to what was recorded: a request that is another one than then is refused, and the fault
// says where it first differs.
#pragma once

#include "engine/replay/recording.hpp"
#include "engine/replay/request_match.hpp"
#include "engine/session/engine.hpp"
#include "engine/session/engine_spec.hpp"

#include <memory>
#include <string>

namespace fathom::engine {

class ReplayEngine : public Engine {
 public:
  static constexpr std::uint64_t kContextTokens = 1'000'000;

  /// Of `replay:FILE` or `replay:FILE#loose`. Reads the file: on the agent thread use it through
  /// offload. The errors of load_recording, and `usage` for another word behind `#`.
  static Result<std::unique_ptr<Engine>> open(const EngineSpec& spec);

  ReplayEngine(Recording recording, std::string name, Matching matching);

  [[nodiscard]] const EngineInfo& info() const override { return info_; }
  Result<std::unique_ptr<Session>> open(SessionSetup setup) override;

 private:
  std::shared_ptr<const Recording> recording_;  ///< shared with the sessions
  Matching matching_;
  EngineInfo info_;
};

}  // namespace fathom::engine
