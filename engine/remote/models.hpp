// What is known of hosted models: contexts, prices, names that have ended. Data, with its sources,
// in models.cpp.
#pragma once

#include "engine/remote/wire_codec.hpp"
#include "engine/session/engine.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace fathom::engine {

/// Where a model's context is not known. Most that are served today hold at least as much.
inline constexpr std::uint64_t kContextTokensDefault = 128'000;

struct HostedModel {
  std::string name;    ///< what to ask the vendor for
  std::string effort;  ///< what the name means beyond it: "none" for one that does not think
  std::uint64_t context_tokens = kContextTokensDefault;
  std::optional<Price> price;
  std::string warning;  ///< "" for none
};

/// What `model` means at its vendor. Unknown ones, and all of `other`, stand for themselves.
[[nodiscard]] HostedModel find_model(Vendor vendor, std::string_view model);

}  // namespace fathom::engine
