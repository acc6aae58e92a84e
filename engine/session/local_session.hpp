// LocalChatEngine: a V4 checkpoint on this machine, spoken to in messages. LocalEngine continues
// tokens; this renders transcripts, keeps what is resident, holds answers to the tools' grammar and
// reads them.
#pragma once

#include "engine/local/local_engine.hpp"
#include "engine/session/engine.hpp"
#include "engine/session/engine_spec.hpp"
#include "engine/text/grammar.hpp"
#include "engine/text/tokenizer.hpp"

#include <filesystem>
#include <memory>

namespace fathom::engine {

/// What the sessions of a checkpoint share.
struct LocalModel {
  EngineInfo info;
  std::unique_ptr<LocalEngine> engine;
  Tokenizer tokenizer;
  Grammar::Vocabulary vocabulary;
};

/// Sessions of one engine live on one thread, and end before their executor does. A seed names the
/// answer to a request whatever was resident: a fork with the same transcript says the same.
class LocalChatEngine : public Engine {
 public:
  /// The checkpoint in `dir`, called by `spec`. Maps it and prepares its vocabulary, some 0.2 s of
  /// V4's: on the agent thread use it through offload.
  static Result<std::unique_ptr<Engine>> open(const EngineSpec& spec,
                                              const std::filesystem::path& dir,
                                              const LocalEngineOptions& options = {});

  explicit LocalChatEngine(std::shared_ptr<const LocalModel> model) : model_(std::move(model)) {}

  [[nodiscard]] const EngineInfo& info() const override { return model_->info; }
  /// An answer that may call is held to the tools' grammar, one that may not to the schema: an
  /// answer has one grammar. So with tools the schema is enforced where calls are not wanted.
  Result<std::unique_ptr<Session>> open(SessionSetup setup) override;

 private:
  std::shared_ptr<const LocalModel> model_;
};

}  // namespace fathom::engine
