#include "tests/support/bpe_trainer.hpp"

#include "engine/text/byte_tokenizer.hpp"
#include "engine/text/pretokenizer.hpp"

#include <map>
#include <queue>
#include <set>
#include <unordered_map>

namespace fathom::test {
namespace {

using engine::TokenId;
using Pair = std::pair<TokenId, TokenId>;

constexpr std::size_t kLeastTokens = 274;  // what byte_tokenizer needs

struct Word {
  std::vector<TokenId> ids;
  long count = 0;
};

class Trainer {
 public:
  explicit Trainer(std::string_view text) : model_(engine::byte_tokenizer(kLeastTokens).value()) {
    std::array<TokenId, 256> bytes{};
    for (std::size_t id = 0; id < model_.tokens.size(); ++id)
      if (model_.tokens[id].size() == 1)
        bytes[static_cast<std::uint8_t>(model_.tokens[id][0])] = static_cast<TokenId>(id);
    std::unordered_map<std::string_view, long> counts;
    engine::PieceScanner pieces(text);
    for (auto piece = pieces.next(); !piece.empty(); piece = pieces.next()) ++counts[piece];
    for (const auto& [piece, count] : std::map(counts.begin(), counts.end())) {
      Word word{{}, count};
      for (const char c : piece) word.ids.push_back(bytes[static_cast<std::uint8_t>(c)]);
      words_.push_back(std::move(word));
      count_pairs(words_.size() - 1, 1);
    }
  }

  engine::TokenizerModel run(std::size_t merges) {
    for (const auto& [pair, state] : pairs_) queue_.push({state.count, pair});
    while (model_.merges.size() < merges && !queue_.empty()) {
      const Candidate best = queue_.top();
      queue_.pop();
      const auto found = pairs_.find(best.pair);
      if (found == pairs_.end() || found->second.count != best.count || best.count < 2) continue;
      merge(best.pair);
    }
    return std::move(model_);
  }

 private:
  struct PairState {
    long count = 0;
    std::set<std::size_t> words;
  };
  struct Candidate {
    long count = 0;
    Pair pair;
    bool operator<(const Candidate& other) const {
      return count != other.count ? count < other.count : pair > other.pair;
    }
  };

  void count_pairs(std::size_t index, long sign) {
    const Word& word = words_[index];
    for (std::size_t i = 0; i + 1 < word.ids.size(); ++i) {
      PairState& state = pairs_[{word.ids[i], word.ids[i + 1]}];
      state.count += sign * word.count;
      if (sign > 0) state.words.insert(index);
    }
  }

  void merge(const Pair& pair) {
    const auto text_of = [&](TokenId id) { return model_.tokens[static_cast<std::size_t>(id)]; };
    const std::string joined = text_of(pair.first) + text_of(pair.second);
    const std::set<std::size_t> words = std::move(pairs_[pair].words);
    pairs_.erase(pair);
    // Two ways may spell the same bytes; a vocabulary has them once, so the later way is left out.
    if (!texts_.insert(joined).second) return;
    const auto made = static_cast<TokenId>(model_.tokens.size());
    model_.tokens.push_back(joined);
    model_.merges.push_back({pair.first, pair.second, made});
    std::set<Pair> touched;
    for (const std::size_t index : words) {
      Word& word = words_[index];
      count_pairs(index, -1);
      std::vector<TokenId> ids;
      for (std::size_t i = 0; i < word.ids.size(); ++i) {
        const bool here = i + 1 < word.ids.size() && Pair{word.ids[i], word.ids[i + 1]} == pair;
        ids.push_back(here ? made : word.ids[i]);
        if (here) ++i;
      }
      word.ids = std::move(ids);
      count_pairs(index, 1);
      for (std::size_t i = 0; i + 1 < word.ids.size(); ++i)
        touched.insert({word.ids[i], word.ids[i + 1]});
    }
    pairs_.erase(pair);
    for (const Pair& changed : touched) queue_.push({pairs_[changed].count, changed});
  }

  engine::TokenizerModel model_;
  std::vector<Word> words_;
  std::map<Pair, PairState> pairs_;
  std::priority_queue<Candidate> queue_;
  std::set<std::string> texts_;
};

}  // namespace

engine::TokenizerModel train_tokenizer(std::string_view text, std::size_t merges) {
  return Trainer(text).run(merges);
}

}  // namespace fathom::test
