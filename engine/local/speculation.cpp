#include "engine/local/speculation.hpp"

#include <algorithm>
#include <string>

namespace fathom::engine {
namespace {

constexpr std::size_t kTokenBytes = 8;  // of forced text that are looked at for each draft

}  // namespace

std::span<const TokenId> Speculation::draft(const Place& place, const StepCosts& costs) {
  source_ = DraftSource::none;
  const std::size_t room = std::min(place.room, DraftPolicy::kDraftMax);
  if (room == 0) return {};
  if (place.grammar != nullptr && place.tokenize != nullptr && *place.tokenize) {
    // The last token of the forced text may be the beginning of a longer one: it is not guessed.
    if (const std::string text = place.grammar->forced(room * kTokenBytes); !text.empty())
      forced_ = (*place.tokenize)(text);
    else
      forced_.clear();
    const std::size_t sure = forced_.empty() ? 0 : std::min(forced_.size() - 1, room);
    if (const std::size_t count = place.grammar->allowed(std::span(forced_).first(sure));
        count > 0) {
      source_ = DraftSource::grammar;
      return std::span(forced_).first(count);
    }
  }
  std::span<const TokenId> found = lookup_.draft(room);
  if (place.grammar != nullptr) found = found.first(place.grammar->allowed(found));
  found = found.first(by_lookup_.plan(costs, {found.size(), place.sequences, 0}));
  if (!found.empty()) source_ = DraftSource::lookup;
  return found;
}

bool Speculation::wants_mtp(const Place& place, const StepCosts& costs, double seconds) {
  return place.room > 0 && by_mtp_.plan(costs, {1, place.sequences, seconds}) > 0;
}

void Speculation::verified(std::size_t drafted, std::size_t accepted) {
  switch (source_) {
    case DraftSource::none:
      break;
    case DraftSource::grammar:
      grammar_ += {drafted, accepted};
      break;
    case DraftSource::lookup:
      by_lookup_.verified(drafted, accepted);
      break;
    case DraftSource::mtp:
      by_mtp_.verified(drafted, accepted);
      break;
  }
}

}  // namespace fathom::engine
