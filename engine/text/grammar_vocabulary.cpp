#include "engine/text/grammar_vocabulary.hpp"

#include "runtime/base/ensure.hpp"

#include <algorithm>

namespace fathom::engine {
namespace {

constexpr std::size_t kOpeningNodesMin = 32;  // fewer are walked faster than looked up

bool is_wide(TerminalId id) { return id != TerminalId::integer && id != TerminalId::number; }

bool is_token(TokenId token, const VocabularyView& view) {
  return token >= 0 && std::cmp_less(token, view.token_bytes.size());
}

Result<> check(const VocabularyView& view) {
  if (view.token_bytes.empty() || view.token_bytes.size() > kVocabularyTokensMax)
    return fail(ErrorCode::too_large, "vocabulary: " + std::to_string(view.token_bytes.size()) +
                                          " tokens are not in 1 … " +
                                          std::to_string(kVocabularyTokensMax));
  for (std::size_t i = 0; i < view.token_bytes.size(); ++i)
    if (view.token_bytes[i].size() > kTokenBytesMax)
      return fail(ErrorCode::too_large, "vocabulary: token " + std::to_string(i) + " has " +
                                            std::to_string(view.token_bytes[i].size()) +
                                            " bytes, more than " + std::to_string(kTokenBytesMax));
  for (const TokenId token : view.special)
    if (!is_token(token, view))
      return fail(ErrorCode::bad_data,
                  "vocabulary: special token " + std::to_string(token) + " does not exist");
  if (!is_token(view.end_of_sequence, view))
    return fail(ErrorCode::bad_data, "vocabulary: the token that ends a sequence, " +
                                         std::to_string(view.end_of_sequence) + ", does not exist");
  if (view.marker && !is_token(*view.marker, view))
    return fail(ErrorCode::bad_data,
                "vocabulary: the marker token " + std::to_string(*view.marker) + " does not exist");
  return {};
}

// Every byte of well-formed UTF-8 needs a token of one byte; `trie` holds the ordinary tokens.
Result<> check_bytes(const TokenTrie& trie) {
  std::array<bool, 256> present{};
  for (std::size_t i = 0; i < trie.nodes().size(); i = trie.nodes()[i].subtree_end)
    present[trie.nodes()[i].byte] = !trie.tokens_at(i).empty();
  for (int byte = 0; byte <= 0xF4; ++byte) {
    if (byte == 0xC0 || byte == 0xC1 || present[static_cast<std::size_t>(byte)]) continue;
    return fail(ErrorCode::unsupported,
                "vocabulary: byte " + std::to_string(byte) +
                    " has no token of its own, so a grammar could reach a dead end");
  }
  return {};
}

}  // namespace

Result<std::shared_ptr<const GrammarVocabulary>> GrammarVocabulary::create(
    const VocabularyView& view) {
  TRY(check(view));
  std::shared_ptr<GrammarVocabulary> made(
      std::unique_ptr<GrammarVocabulary>(new GrammarVocabulary()));
  made->end_of_sequence_ = view.end_of_sequence;
  made->has_marker_ = view.marker.has_value();
  made->copy_bytes(view);
  std::vector<TokenTrie::Entry> entries;
  for (std::size_t i = 0; i < made->size(); ++i) {
    const auto token = static_cast<TokenId>(i);
    if (const auto bytes = made->bytes_of(token); !bytes.empty()) entries.push_back({bytes, token});
  }
  made->trie_ = TokenTrie(std::move(entries));
  TRY(check_bytes(made->trie_));
  for (std::size_t t = 0; t < kTerminals; ++t) {
    const auto id = static_cast<TerminalId>(t);
    if (!is_wide(id)) continue;
    const Terminal& table = terminal(id);
    for (std::size_t state = Terminal::kStart; state < table.states.size(); ++state)
      made->wide_[t].push_back(made->make_wide(table, static_cast<std::uint8_t>(state)));
  }
  for (const TerminalId id : {TerminalId::string, TerminalId::key}) made->prepare_openings(id);
  made->measure_lengths();
  return made;
}

void GrammarVocabulary::measure_lengths() {
  const Terminal& table = terminal(TerminalId::string);
  lengths_.code_points.resize(size());
  lengths_.closing_mask.resize(mask_words());
  for (auto& mask : lengths_.at_most) mask.resize(mask_words());
  for (std::size_t i = 0; i < size(); ++i) {
    const auto token = static_cast<TokenId>(i);
    std::string_view bytes = bytes_of(token);
    while (!bytes.empty() && (static_cast<unsigned char>(bytes[0]) & 0xC0) == 0x80)
      bytes.remove_prefix(1);
    std::size_t count = 0;
    std::uint8_t state = Terminal::kStart;
    for (const char c : bytes) {
      const std::uint8_t next = table.next(state, static_cast<unsigned char>(c));
      if (next > Terminal::kDone && table.states[state].boundary) ++count;
      state = next;
      if (state <= Terminal::kDone) break;
    }
    lengths_.code_points[i] = static_cast<std::uint8_t>(std::min<std::size_t>(count, 255));
    const std::uint64_t bit = std::uint64_t{1} << (i % 64);
    if (state == Terminal::kDone) {
      lengths_.closing.push_back(token);
      lengths_.closing_mask[i / 64] |= bit;
      continue;
    }
    if (count >= TokenLengths::kShort) lengths_.longer.push_back(token);
    for (std::size_t n = count; n < TokenLengths::kShort; ++n) lengths_.at_most[n][i / 64] |= bit;
  }
}

void GrammarVocabulary::copy_bytes(const VocabularyView& view) {
  std::vector<bool> special(view.token_bytes.size());
  for (const TokenId token : view.special) special[static_cast<std::size_t>(token)] = true;
  special[static_cast<std::size_t>(view.end_of_sequence)] = true;
  if (view.marker) special[static_cast<std::size_t>(*view.marker)] = true;
  offsets_.push_back(0);
  for (std::size_t i = 0; i < view.token_bytes.size(); ++i) {
    const std::string_view bytes = view.token_bytes[i];
    if (view.marker && std::cmp_equal(i, *view.marker)) {
      bytes_ += static_cast<char>(kMarkerByte);
    } else if (!special[i] && !bytes.contains(static_cast<char>(kMarkerByte))) {
      bytes_ += bytes;
    }
    offsets_.push_back(static_cast<std::uint32_t>(bytes_.size()));
  }
}

std::string_view GrammarVocabulary::bytes_of(TokenId token) const {
  if (token < 0 || std::cmp_greater_equal(token, size())) return {};
  const auto at = static_cast<std::size_t>(token);
  return std::string_view(bytes_).substr(offsets_[at], offsets_[at + 1] - offsets_[at]);
}

const GrammarVocabulary::Wide* GrammarVocabulary::wide(TerminalId id, std::size_t state) const {
  const auto& states = wide_[static_cast<std::size_t>(id)];
  if (states.empty()) return nullptr;
  ENSURE(state >= Terminal::kStart && state - Terminal::kStart < states.size(), "a live state");
  return &states[state - Terminal::kStart];
}

// Runs the table over a part of the trie: allow() gets the tokens that stay inside or end with it;
// the others that reach its end come back as a trie of what they go on with.
template <class Allow>
TokenTrie GrammarVocabulary::run_terminal(const Terminal& table, std::uint8_t state, Range range,
                                          Allow allow) const {
  std::vector<TokenTrie::Entry> rest;
  std::vector<std::uint8_t> path(trie_.depth_max() + 1);
  path[range.depth] = state;
  const auto nodes = trie_.nodes();
  for (std::size_t i = range.begin; i < range.end;) {
    const std::uint8_t next = table.next(path[nodes[i].depth - 1U], nodes[i].byte);
    if (next > Terminal::kDone) {
      path[nodes[i].depth] = next;
      allow(trie_.tokens_at(i));
      ++i;
      continue;
    }
    if (next == Terminal::kDone) {
      allow(trie_.tokens_at(i));
      for (const TokenId token : trie_.tokens_below(i).subspan(trie_.tokens_at(i).size()))
        rest.push_back({bytes_of(token).substr(nodes[i].depth), token});
    }
    i = nodes[i].subtree_end;
  }
  return TokenTrie(std::move(rest));
}

GrammarVocabulary::Wide GrammarVocabulary::make_wide(const Terminal& table,
                                                     std::uint8_t state) const {
  Wide wide;
  wide.mask.resize(mask_words());
  wide.rest = run_terminal(
      table, state, {.end = trie_.nodes().size()}, [&](std::span<const TokenId> tokens) {
        for (const TokenId token : tokens)
          wide.mask[static_cast<std::size_t>(token) / 64] |= std::uint64_t{1} << (token % 64);
      });
  return wide;
}

void GrammarVocabulary::prepare_openings(TerminalId id) {
  const auto nodes = trie_.nodes();
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const Range below{.begin = i + 1, .end = nodes[i].subtree_end, .depth = nodes[i].depth};
    if (nodes[i].byte != '"' || below.end - below.begin < kOpeningNodesMin) continue;
    Opening& opening = openings_[static_cast<std::size_t>(id)][i];
    opening.rest =
        run_terminal(terminal(id), Terminal::kStart, below, [&](std::span<const TokenId> tokens) {
          opening.inside.insert(opening.inside.end(), tokens.begin(), tokens.end());
        });
  }
}

const GrammarVocabulary::Opening* GrammarVocabulary::opening(TerminalId id,
                                                             std::size_t node) const {
  const auto& known = openings_[static_cast<std::size_t>(id)];
  const auto found = known.find(node);
  return found == known.end() ? nullptr : &found->second;
}

}  // namespace fathom::engine
