#include "engine/text/bpe.hpp"

#include "tests/support/bpe_trainer.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/random_text.hpp"
#include "tests/support/source_text.hpp"

#include <map>
#include <random>
#include <string>

using namespace fathom::engine;

namespace {

// The definition, step by step: look for the lowest rank among all neighbours, join them, again.
std::vector<TokenId> merge_by_definition(const TokenizerModel& model, std::string_view piece) {
  std::map<std::string, TokenId> bytes;
  for (std::size_t id = 0; id < model.tokens.size(); ++id)
    bytes[model.tokens[id]] = static_cast<TokenId>(id);
  std::map<std::pair<TokenId, TokenId>, std::size_t> ranks;
  for (std::size_t rank = 0; rank < model.merges.size(); ++rank)
    ranks[{model.merges[rank].left, model.merges[rank].right}] = rank;
  std::vector<TokenId> ids;
  for (const char c : piece) ids.push_back(bytes.at(std::string(1, c)));
  for (;;) {
    std::size_t best = model.merges.size();
    std::size_t where = 0;
    for (std::size_t i = 0; i + 1 < ids.size(); ++i) {
      const auto found = ranks.find({ids[i], ids[i + 1]});
      if (found == ranks.end() || found->second >= best) continue;
      best = found->second;
      where = i;
    }
    if (best == model.merges.size()) return ids;
    ids[where] = model.merges[best].result;
    ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(where) + 1);
  }
}

std::array<TokenId, 256> byte_ids(const TokenizerModel& model) {
  std::array<TokenId, 256> bytes{};
  for (std::size_t id = 0; id < model.tokens.size(); ++id)
    if (model.tokens[id].size() == 1)
      bytes[static_cast<std::uint8_t>(model.tokens[id][0])] = static_cast<TokenId>(id);
  return bytes;
}

std::vector<TokenId> encode(const Bpe& bpe, std::string_view piece) {
  std::vector<TokenId> ids;
  bpe.encode(piece, ids);
  return ids;
}

}  // namespace

TEST_CASE("merging gives what its definition gives, for short and long pieces", "[text]") {
  const std::string text = fathom::test::source_text(100'000);
  const TokenizerModel model = fathom::test::train_tokenizer(text, 600);
  const Bpe plain(byte_ids(model), model.merges);
  Bpe with_wholes(byte_ids(model), model.merges);
  for (std::size_t id = 0; id < model.tokens.size(); ++id)
    if (!model.tokens[id].empty())
      with_wholes.add_whole(model.tokens[id], static_cast<TokenId>(id));
  std::mt19937 random(1);
  for (int i = 0; i < 600; ++i) {
    const std::size_t size = 1 + random() % (i % 3 == 0 ? 200 : 20);
    const std::string piece = i % 2 == 0 ? text.substr(random() % (text.size() - size), size)
                                         : fathom::test::random_damaged(random, 1 + size / 3);
    if (piece.empty()) continue;
    const std::vector<TokenId> expected = merge_by_definition(model, piece);
    CHECK(encode(plain, piece) == expected);
    CHECK(encode(with_wholes, piece) == expected);
  }
}

TEST_CASE("a token that merging does not reach is never the answer for its bytes", "[text]") {
  // "abc" exists, but its only merge needs "bc", and "ab" is merged first.
  TokenizerModel model = fathom::test::train_tokenizer("", 0);
  const auto byte = [&](char c) { return byte_ids(model)[static_cast<std::uint8_t>(c)]; };
  const auto add = [&](std::string text, TokenId left, TokenId right) {
    model.tokens.push_back(std::move(text));
    model.merges.push_back({left, right, static_cast<TokenId>(model.tokens.size() - 1)});
    return model.merges.back().result;
  };
  const TokenId ab = add("ab", byte('a'), byte('b'));
  const TokenId bc = add("bc", byte('b'), byte('c'));
  const TokenId abc = add("abc", byte('a'), bc);
  Bpe bpe(byte_ids(model), model.merges);
  bpe.add_whole("ab", ab);
  bpe.add_whole("abc", abc);
  CHECK(encode(bpe, "ab") == std::vector{ab});
  CHECK(encode(bpe, "abc") == std::vector{ab, byte('c')});
}

TEST_CASE("megabytes of one letter are merged in one go", "[text]") {
  TokenizerModel model = fathom::test::train_tokenizer(std::string(4096, 'a'), 10);
  const Bpe bpe(byte_ids(model), model.merges);
  const std::vector<TokenId> ids = encode(bpe, std::string(4'000'000, 'a'));
  std::size_t bytes = 0;
  for (const TokenId id : ids) bytes += model.tokens[static_cast<std::size_t>(id)].size();
  CHECK(bytes == 4'000'000);
  CHECK(ids.size() < 1'000'000);
}
