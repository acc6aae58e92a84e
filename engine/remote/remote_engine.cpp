#include "engine/remote/remote_engine.hpp"

#include "engine/remote/anthropic_codec.hpp"
#include "engine/remote/models.hpp"
#include "engine/remote/openai_codec.hpp"
#include "engine/remote/remote_session.hpp"
#include "engine/remote/wire_json.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace fathom::engine {
namespace {

constexpr std::array<std::string_view, 5> kEfforts = {"", "none", "low", "high", "max"};

class RemoteEngine final : public Engine {
 public:
  RemoteEngine(std::shared_ptr<const RemotePeer> peer, std::string effort)
      : peer_(std::move(peer)), effort_(std::move(effort)) {}

  [[nodiscard]] const EngineInfo& info() const override { return peer_->info; }
  Result<std::unique_ptr<Session>> open(SessionSetup setup) override;

 private:
  std::shared_ptr<const RemotePeer> peer_;
  std::string effort_;  ///< what the model's name asks for, where the setup asks for none
};

Result<std::unique_ptr<Session>> RemoteEngine::open(SessionSetup setup) {
  const auto refuse = [this](const std::string& why) {
    return fail(ErrorCode::unsupported, peer_->info.name + ": " + why);
  };
  if (!setup.tools_in_prompt)
    return refuse("tools_in_prompt: false needs a local engine: a server renders the tools itself");
  if (std::ranges::find(kEfforts, setup.sampling.effort) == kEfforts.end())
    return refuse("unknown effort '" + setup.sampling.effort + "' (choose none, low, high or max)");
  for (const ToolDeclaration& tool : setup.tools)
    if (!tool.parameters.empty() && !is_json_object(tool.parameters))
      return refuse("the parameters of tool '" + tool.name + "' are no JSON object");
  if (!setup.answer_schema.empty() && !is_json_object(setup.answer_schema))
    return refuse("the answer's schema is no JSON object");
  if (setup.sampling.effort.empty()) setup.sampling.effort = effort_;
  return std::make_unique<RemoteSession>(peer_, std::move(setup));
}

}  // namespace

Result<std::unique_ptr<Engine>> open_remote(const EngineSpec& spec, RemoteServices services,
                                            const KeySources& keys) {
  if (spec.kind != EngineSpec::Kind::openai && spec.kind != EngineSpec::Kind::anthropic)
    return fail(ErrorCode::usage, spec.to_string() + ": no remote engine");
  const std::string name = spec.to_string();
  auto endpoint = find_endpoint(spec);
  if (!endpoint) return fail(context(name, std::move(endpoint).error()));
  auto key = find_key(*endpoint, keys);
  if (!key) return fail(context(name, std::move(key).error()));
  HostedModel model = find_model(endpoint->vendor, spec.model);

  EngineInfo info{name, model.name, model.context_tokens, model.price, {}};
  if (!model.warning.empty()) info.warnings.push_back(std::move(model.warning));
  std::unique_ptr<WireCodec> codec;
  if (endpoint->api == Api::anthropic) {
    codec = std::make_unique<AnthropicCodec>(AnthropicOptions{model.name, endpoint->vendor});
  } else {
    codec = std::make_unique<OpenAiCodec>(openai_options(model.name, endpoint->vendor));
  }
  auto peer = std::make_shared<RemotePeer>(*std::move(endpoint), std::move(info), model.name,
                                           *std::move(key), std::move(codec), services.http,
                                           services.clock);
  return std::make_unique<RemoteEngine>(std::move(peer), std::move(model.effort));
}

}  // namespace fathom::engine
