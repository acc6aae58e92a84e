#include "engine/session/engine_spec.hpp"

#include "runtime/base/text.hpp"
#include "runtime/net/url.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace fathom::engine {
namespace {

constexpr std::string_view kForms =
    "write local:DIR, demo, openai:URL[#MODEL], anthropic:URL[#MODEL] or replay:FILE";

struct KindName {
  std::string_view name;
  EngineSpec::Kind kind;
};
constexpr std::array kKinds = {KindName{"local", EngineSpec::Kind::local},
                               KindName{"demo", EngineSpec::Kind::demo},
                               KindName{"openai", EngineSpec::Kind::openai},
                               KindName{"anthropic", EngineSpec::Kind::anthropic},
                               KindName{"replay", EngineSpec::Kind::replay}};

// Names of hosted models, and whose they are.
constexpr std::array<std::string_view, 4> kDeepSeekModels = {"deepseek-v4-pro", "deepseek-v4-flash",
                                                             "deepseek-chat", "deepseek-reasoner"};
constexpr std::string_view kDeepSeekUrl = "https://api.deepseek.com";

std::unexpected<Error> refuse(std::string_view text, std::string_view why) {
  return fail(ErrorCode::usage,
              "engine '" + to_printable(clip_prefix(text, 80)) + "': " + std::string(why));
}

std::string_view name_of(EngineSpec::Kind kind) {
  return std::ranges::find(kKinds, kind, &KindName::kind)->name;
}

}  // namespace

std::string EngineSpec::to_string() const {
  std::string text(name_of(kind));
  if (kind == Kind::demo) return text;
  text += ":" + place;
  return model.empty() ? text : text + "#" + model;
}

Result<EngineSpec> parse_engine_spec(std::string_view text) {
  if (text.size() > kEngineSpecBytesMax) return refuse(text, "too long");
  if (std::ranges::find(kDeepSeekModels, text) != kDeepSeekModels.end())
    return EngineSpec{EngineSpec::Kind::openai, std::string(kDeepSeekUrl), std::string(text)};
  const std::size_t colon = text.find(':');
  const std::string_view word = text.substr(0, colon);
  const auto* known = std::ranges::find(kKinds, word, &KindName::name);
  if (known == kKinds.end()) {
    constexpr auto kNames = [] {
      std::array<std::string_view, kKinds.size()> names;
      std::ranges::transform(kKinds, names.begin(), &KindName::name);
      return names;
    }();
    const std::string_view near = nearest(word, kNames);
    return refuse(text, near.empty() ? std::string(kForms)
                                     : "no kind '" + to_printable(word) + "' (did you mean '" +
                                           std::string(near) + "'?)");
  }
  EngineSpec spec;
  spec.kind = known->kind;
  if (spec.kind == EngineSpec::Kind::demo) {
    if (colon != std::string_view::npos) return refuse(text, "'demo' takes nothing behind it");
    return spec;
  }
  if (colon == std::string_view::npos) return refuse(text, kForms);
  std::string_view rest = text.substr(colon + 1);
  // A folder may have `#` in its name; of the others it ends the place.
  if (spec.kind != EngineSpec::Kind::local) {
    const std::size_t hash = rest.rfind('#');
    if (hash != std::string_view::npos) {
      spec.model = rest.substr(hash + 1);
      rest = rest.substr(0, hash);
    }
  }
  if (rest.empty()) return refuse(text, kForms);
  spec.place = rest;
  if (spec.kind == EngineSpec::Kind::openai || spec.kind == EngineSpec::Kind::anthropic) {
    // Not repeated in the error: what does not parse may hold a password.
    const auto url = net::Url::parse(rest);
    if (!url) return refuse(std::string(word) + ":…", url.error().message);
  }
  if (spec.kind == EngineSpec::Kind::replay && !spec.model.empty() && spec.model != "loose")
    return refuse(text, "behind '#' only 'loose' may stand");
  return spec;
}

}  // namespace fathom::engine
