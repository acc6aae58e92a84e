#include "engine/local/prompt_lookup.hpp"

#include <algorithm>

namespace fathom::engine {

std::uint64_t PromptLookup::hash_before(std::size_t end) const {
  std::uint64_t hash = 0;
  for (std::size_t i = end - kGram; i < end; ++i)
    hash = (hash ^ static_cast<std::uint32_t>(tokens_[i])) * 0x9e3779b97f4a7c15;
  return hash ^ (hash >> 32);
}

void PromptLookup::append(TokenId token) {
  // The grams that end before this token become findable now, so that a place never finds itself.
  if (tokens_.size() >= kGram)
    last_[hash_before(tokens_.size())] = static_cast<std::uint32_t>(tokens_.size());
  tokens_.push_back(token);
}

std::span<const TokenId> PromptLookup::draft(std::size_t count) const {
  const std::size_t size = tokens_.size();
  if (size < kMatchMin) return {};
  const auto found = last_.find(hash_before(size));
  if (found == last_.end()) return {};
  const std::size_t place = found->second;
  std::size_t matched = 0;
  while (matched < kMatchMin && matched < place &&
         tokens_[place - 1 - matched] == tokens_[size - 1 - matched])
    ++matched;
  if (matched < kMatchMin) return {};
  return std::span(tokens_).subspan(place, std::min(count, size - place));
}

}  // namespace fathom::engine
