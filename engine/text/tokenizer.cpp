#include "engine/text/tokenizer.hpp"

#include "engine/text/pretokenizer.hpp"
#include "engine/text/special_token.hpp"
#include "runtime/base/ensure.hpp"
#include "runtime/base/file.hpp"

#include <algorithm>

namespace fathom::engine {

Result<Tokenizer> Tokenizer::load(const std::filesystem::path& tokenizer_json) {
  const std::string json = TRY(read_file(tokenizer_json, kTokenizerJsonBytesMax));
  auto tokenizer = parse(json);
  if (!tokenizer)
    return fail(context("load " + tokenizer_json.string(), std::move(tokenizer).error()));
  return tokenizer;
}

Result<Tokenizer> Tokenizer::parse(std::string_view tokenizer_json) {
  return create(TRY(parse_tokenizer_json(tokenizer_json)));
}

Result<Tokenizer> Tokenizer::create(TokenizerModel model) {
  std::array<TokenId, 256> bytes{};
  bytes.fill(-1);
  for (std::size_t id = 0; id < model.tokens.size(); ++id)
    if (model.tokens[id].size() == 1)
      bytes[static_cast<std::uint8_t>(model.tokens[id][0])] = static_cast<TokenId>(id);
  ENSURE(std::ranges::find(bytes, -1) == bytes.end(), "the loader has found a token for each byte");
  Tokenizer tokenizer(std::move(model), bytes);
  for (auto [text, id] :
       {std::pair{special::kBos, &tokenizer.bos_}, std::pair{special::kEos, &tokenizer.eos_}}) {
    const std::optional<TokenId> found = tokenizer.find_special(text);
    if (!found)
      return fail(ErrorCode::bad_data,
                  "no added token '" + std::string(text) + "': not a DeepSeek-V4 tokenizer");
    *id = *found;
  }
  return tokenizer;
}

Tokenizer::Tokenizer(TokenizerModel model, const std::array<TokenId, 256>& bytes)
    : tokens_(std::move(model.tokens)), bpe_(bytes, model.merges) {
  for (const AddedToken& token : model.added)
    tokens_.resize(std::max(tokens_.size(), static_cast<std::size_t>(token.id) + 1));
  added_.resize(tokens_.size());
  for (std::size_t id = 0; id < tokens_.size(); ++id)
    if (!tokens_[id].empty()) bpe_.add_whole(tokens_[id], static_cast<TokenId>(id));
  for (AddedToken& token : model.added) {
    const auto id = static_cast<std::size_t>(token.id);
    tokens_[id] = std::move(token.text);
    added_[id] = true;
    specials_.emplace(tokens_[id], token.id);
    special_sizes_.push_back(tokens_[id].size());
    special_starts_.set(static_cast<std::uint8_t>(tokens_[id].front()));
  }
  std::ranges::sort(special_sizes_, std::greater<>());
  special_sizes_.erase(std::unique(special_sizes_.begin(), special_sizes_.end()),
                       special_sizes_.end());
}

void Tokenizer::append(std::string_view text, std::vector<TokenId>& out) const {
  PieceScanner pieces(text);
  for (std::string_view piece = pieces.next(); !piece.empty(); piece = pieces.next())
    bpe_.encode(piece, out);
}

std::vector<TokenId> Tokenizer::encode(std::string_view text) const {
  std::vector<TokenId> ids;
  append(text, ids);
  return ids;
}

std::vector<TokenId> Tokenizer::encode_template(std::string_view text) const {
  const TextPiece piece{TextOrigin::chat_template, std::string(text)};
  return encode_pieces(std::span(&piece, 1));
}

std::vector<TokenId> Tokenizer::encode_pieces(std::span<const TextPiece> pieces) const {
  std::vector<TokenId> ids;
  std::string text;  // since the last added token
  for (const TextPiece& piece : pieces) {
    std::size_t from = 0;
    if (piece.origin == TextOrigin::chat_template) {
      while (const std::optional<Match> match = find_added(piece.text, from)) {
        text.append(piece.text, from, match->at - from);
        append(text, ids);
        text.clear();
        ids.push_back(match->id);
        from = match->at + match->text.size();
      }
    }
    text.append(piece.text, from);
  }
  append(text, ids);
  return ids;
}

std::optional<Tokenizer::Match> Tokenizer::find_added(std::string_view text,
                                                      std::size_t from) const {
  for (std::size_t at = from; at < text.size(); ++at) {
    if (!special_starts_[static_cast<std::uint8_t>(text[at])]) continue;
    for (const std::size_t size : special_sizes_) {
      if (size > text.size() - at) continue;
      const auto found = specials_.find(text.substr(at, size));
      if (found != specials_.end()) return Match{at, found->first, found->second};
    }
  }
  return std::nullopt;
}

Result<std::vector<TokenId>> Tokenizer::encode_fim(std::string_view prefix,
                                                   std::string_view suffix) const {
  const auto begin = find_special(special::kFimBegin);
  const auto hole = find_special(special::kFimHole);
  const auto end = find_special(special::kFimEnd);
  if (!begin || !hole || !end)
    return fail(ErrorCode::unsupported,
                "fill in the middle: this checkpoint's tokenizer has no fim tokens (send the "
                "prompt without a suffix)");
  std::vector<TokenId> ids{*begin};
  append(prefix, ids);
  ids.push_back(*hole);
  append(suffix, ids);
  ids.push_back(*end);
  return ids;
}

std::string Tokenizer::decode(std::span<const TokenId> ids) const {
  std::string text;
  for (const TokenId id : ids) text += token_bytes(id);
  return text;
}

std::string_view Tokenizer::token_bytes(TokenId id) const {
  const auto place = static_cast<std::size_t>(id);
  return id >= 0 && place < tokens_.size() ? std::string_view(tokens_[place]) : std::string_view();
}

bool Tokenizer::is_special(TokenId id) const {
  const auto place = static_cast<std::size_t>(id);
  return id >= 0 && place < added_.size() && added_[place];
}

std::optional<TokenId> Tokenizer::find_special(std::string_view text) const {
  const auto found = specials_.find(text);
  return found == specials_.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace fathom::engine
