#include "engine/local/prompt_lookup.hpp"

#include <algorithm>

namespace fathom::engine {

constexpr std::size_t kSlotsMin = 64;

bool PromptLookup::same_gram(std::size_t end, std::size_t other) const {
  return std::equal(tokens_.data() + end - kGram, tokens_.data() + end,
                    tokens_.data() + other - kGram);
}

std::size_t PromptLookup::slot_of(std::size_t end) const {
  std::uint64_t hash = 0;
  for (std::size_t i = end - kGram; i < end; ++i)
    hash = (hash ^ static_cast<std::uint32_t>(tokens_[i])) * 0x9e3779b97f4a7c15;
  hash ^= hash >> 32;
  const std::size_t mask = slots_.size() - 1;
  std::size_t slot = hash & mask;
  while (slots_[slot] != 0 && !same_gram(slots_[slot], end)) slot = (slot + 1) & mask;
  return slot;
}

void PromptLookup::grow() {
  std::vector<std::uint32_t> old(std::max(kSlotsMin, 2 * slots_.size()));
  old.swap(slots_);
  for (const std::uint32_t end : old)
    if (end != 0) slots_[slot_of(end)] = end;
}

void PromptLookup::append(TokenId token) {
  // The gram that ends before this token becomes findable now, so that a place never finds itself.
  if (tokens_.size() >= kGram) {
    if (2 * (used_ + 1) > slots_.size()) grow();
    std::uint32_t& slot = slots_[slot_of(tokens_.size())];
    if (slot == 0) ++used_;
    slot = static_cast<std::uint32_t>(tokens_.size());
  }
  tokens_.push_back(token);
}

std::span<const TokenId> PromptLookup::draft(std::size_t count) const {
  const std::size_t size = tokens_.size();
  if (size < kMatchMin) return {};
  if (slots_.empty()) return {};
  const std::size_t place = slots_[slot_of(size)];
  std::size_t matched = 0;
  while (matched < kMatchMin && matched < place &&
         tokens_[place - 1 - matched] == tokens_[size - 1 - matched])
    ++matched;
  if (matched < kMatchMin) return {};
  return std::span(tokens_).subspan(place, std::min(count, size - place));
}

}  // namespace fathom::engine
