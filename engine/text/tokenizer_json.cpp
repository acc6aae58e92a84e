#include "engine/text/tokenizer_json.hpp"

#include "engine/text/byte_alphabet.hpp"
#include "engine/text/json_value.hpp"
#include "engine/text/pretokenizer.hpp"
#include "runtime/base/text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <set>
#include <unordered_map>
#include <unordered_set>

namespace fathom::engine {
namespace {

using Kind = JsonValue::Kind;

std::unexpected<Error> bad(std::string message) {
  return fail(ErrorCode::bad_data, std::move(message));
}

// Token text from a file, fit for one line.
std::string shown(std::string_view text) {
  return "'" + to_printable(clip_prefix(text, 40)) + (text.size() > 40 ? "…'" : "'");
}

std::string_view text_of(const JsonValue* value) {
  return value && value->is(Kind::string) ? std::string_view(value->text) : std::string_view();
}

// Absent, null, false, 0 and "" all say that an option is off.
bool is_off(const JsonValue* value) {
  if (!value || value->is(Kind::null)) return true;
  if (value->is(Kind::boolean)) return !value->boolean;
  if (value->is(Kind::number)) return value->text == "0" || value->text == "0.0";
  return value->is(Kind::string) && value->text.empty();
}

const JsonValue* member(const JsonValue* object, std::string_view key) {
  return object ? object->find(key) : nullptr;
}

// A regular expression may hold the two control characters themselves or their escapes.
std::string with_escaped_newlines(std::string_view pattern) {
  std::string out;
  for (const char c : pattern) {
    if (c == '\r') {
      out += "\\r";
    } else if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out;
}

Result<> check_split(const JsonValue& step, std::string_view expression) {
  const std::string_view type = text_of(step.find("type"));
  if (type != "Split") return bad("expected Split, not " + shown(type));
  const std::string_view pattern = text_of(member(step.find("pattern"), "Regex"));
  if (with_escaped_newlines(pattern) != expression)
    return bad("its expression is " + shown(pattern) + ", expected " + shown(expression));
  if (text_of(step.find("behavior")) != "Isolated") return bad("its behavior must be Isolated");
  if (!is_off(step.find("invert"))) return bad("invert is not supported");
  return {};
}

// The scanner in pretokenizer.cpp is these four steps and nothing else.
Result<> check_pre_tokenizer(const JsonValue* pre_tokenizer) {
  constexpr std::array<std::string_view, 3> kSplits = {kSplitNumbers, kSplitCjk, kSplitWords};
  const std::string_view type = text_of(member(pre_tokenizer, "type"));
  if (type != "Sequence")
    return bad("pre_tokenizer: expected DeepSeek-V4's Sequence, not " + shown(type));
  const JsonValue* steps = pre_tokenizer->find("pretokenizers");
  if (!steps || !steps->is(Kind::array) || steps->items.size() != kSplits.size() + 1)
    return bad("pre_tokenizer: expected three Splits and a ByteLevel, as DeepSeek-V4 has");
  for (std::size_t i = 0; i < kSplits.size(); ++i) {
    const std::string where = "pre_tokenizer: step " + std::to_string(i + 1);
    if (auto ok = check_split(steps->items[i], kSplits[i]); !ok)
      return fail(context(where, std::move(ok).error()));
  }
  const JsonValue& bytes = steps->items.back();
  if (text_of(bytes.find("type")) != "ByteLevel")
    return bad("pre_tokenizer: step 4: expected ByteLevel");
  for (std::string_view option : {"add_prefix_space", "use_regex"})
    if (const JsonValue* on = bytes.find(option); !on || !is_off(on))
      return bad("pre_tokenizer: step 4: " + std::string(option) + " must be false");
  return {};
}

Result<> check_options(const JsonValue& root, const JsonValue& model) {
  if (const std::string_view type = text_of(model.find("type")); type != "BPE")
    return bad("model: type is " + shown(type) + ", expected 'BPE' (not a DeepSeek-V4 tokenizer)");
  for (std::string_view option : {"dropout", "unk_token", "continuing_subword_prefix",
                                  "end_of_word_suffix", "byte_fallback", "ignore_merges"})
    if (!is_off(model.find(option)))
      return bad("model: " + std::string(option) + " is not supported");
  const JsonValue* normalizer = root.find("normalizer");
  const JsonValue* steps = member(normalizer, "normalizers");
  const bool empty = steps && steps->is(Kind::array) && steps->items.empty();
  if (!is_off(normalizer) && !empty)
    return bad("normalizer: " + shown(text_of(member(normalizer, "type"))) +
               " is not supported: DeepSeek-V4 has none");
  return check_pre_tokenizer(root.find("pre_tokenizer"));
}

Result<TokenId> to_id(const JsonValue* value, std::string_view token) {
  std::size_t id = 0;
  const bool number = value && value->is(Kind::number);
  const char* end = number ? value->text.data() + value->text.size() : nullptr;
  const auto read = number ? std::from_chars(value->text.data(), end, id)
                           : std::from_chars_result{nullptr, std::errc::invalid_argument};
  if (read.ec != std::errc() || read.ptr != end)
    return bad("token " + shown(token) + ": its id is not a whole number");
  if (id >= kVocabMax)
    return fail(ErrorCode::too_large, "token " + shown(token) + ": id " + value->text +
                                          " is not below the limit of " +
                                          std::to_string(kVocabMax));
  return static_cast<TokenId>(id);
}

class Loader {
 public:
  Result<TokenizerModel> run(const JsonValue& root) {
    const JsonValue* model = root.find("model");
    if (!model || !model->is(Kind::object)) return bad("no 'model': not a tokenizer.json");
    TRY(check_options(root, *model));
    const JsonValue* vocab = model->find("vocab");
    if (!vocab || !vocab->is(Kind::object)) return bad("model: no 'vocab'");
    const JsonValue* merges = model->find("merges");
    if (!merges || !merges->is(Kind::array)) return bad("model: no 'merges'");
    // Added tokens first: what stands in the vocabulary too is told apart by them.
    TRY(read_added(root.find("added_tokens")));
    TRY(read_vocab(*vocab));
    TRY(read_merges(*merges));
    return std::move(model_);
  }

 private:
  Result<> read_added(const JsonValue* list) {
    if (!list) return {};
    if (!list->is(Kind::array)) return bad("added_tokens is not a list");
    std::set<std::string_view> texts;
    for (const JsonValue& entry : list->items) {
      const std::string_view text = text_of(entry.find("content"));
      if (text.empty()) return bad("added_tokens: an entry without content");
      if (text.size() > kAddedTokenBytesMax)
        return fail(ErrorCode::too_large, "added token " + shown(text) + ": longer than " +
                                              std::to_string(kAddedTokenBytesMax) + " bytes");
      const TokenId id = TRY(to_id(entry.find("id"), text));
      for (std::string_view option : {"lstrip", "rstrip", "single_word"})
        if (!is_off(entry.find(option)))
          return bad("added token " + shown(text) + ": " + std::string(option) +
                     " is not supported");
      if (!texts.insert(text).second) return bad("added token " + shown(text) + " stands twice");
      TRY(claim(id, text));
      added_.insert(id);
      model_.added.push_back({id, std::string(text)});
    }
    return {};
  }

  Result<> read_vocab(const JsonValue& vocab) {
    ids_.reserve(vocab.keys.size());
    for (std::size_t i = 0; i < vocab.keys.size(); ++i) {
      const std::string_view spelled = vocab.keys[i];
      const TokenId id = TRY(to_id(&vocab.items[i], spelled));
      const auto place = static_cast<std::size_t>(id);
      if (added_.contains(id)) {
        if (names_[place] != spelled) TRY(claim(id, spelled));  // fails, naming both
        continue;
      }
      const std::optional<std::string> bytes = from_byte_alphabet(spelled);
      if (!bytes) return bad("token " + shown(spelled) + " is not spelled in the byte alphabet");
      if (bytes->empty()) return bad("token " + std::to_string(id) + " is empty");
      TRY(claim(id, spelled));
      if (model_.tokens.size() <= place) model_.tokens.resize(place + 1);
      model_.tokens[place] = *bytes;
      ids_.emplace(spelled, id);
    }
    model_.tokens.resize(names_.size());
    for (int byte = 0; byte < 256; ++byte) {
      const std::string spelled = to_byte_alphabet(std::string(1, static_cast<char>(byte)));
      if (!ids_.contains(spelled))
        return bad("model: no token for byte " + std::to_string(byte) + " (" + spelled +
                   "): not a byte-level vocabulary");
    }
    return {};
  }

  Result<> read_merges(const JsonValue& merges) {
    if (merges.items.size() > kVocabMax)
      return fail(ErrorCode::too_large,
                  "model: more merges than the limit of " + std::to_string(kVocabMax));
    std::set<std::pair<TokenId, TokenId>> pairs;
    for (std::size_t rank = 0; rank < merges.items.size(); ++rank) {
      auto merge = read_merge(merges.items[rank]);
      if (merge && !pairs.emplace(merge->left, merge->right).second)
        merge = bad("its pair already has a merge");
      if (!merge) return fail(context("merge " + std::to_string(rank), std::move(merge).error()));
      model_.merges.push_back(*merge);
    }
    return {};
  }

  // "a b", or ["a", "b"] in newer files.
  [[nodiscard]] Result<Merge> read_merge(const JsonValue& entry) const {
    std::string_view left;
    std::string_view right;
    if (entry.is(Kind::array) && entry.items.size() == 2) {
      left = text_of(&entry.items[0]);
      right = text_of(&entry.items[1]);
    } else if (entry.is(Kind::string)) {
      const std::string_view pair = entry.text;
      const std::size_t space = std::min(pair.find(' '), pair.size());
      left = pair.substr(0, space);
      right = pair.substr(std::min(space + 1, pair.size()));
    }
    if (left.empty() || right.empty() || right.contains(' ')) return bad("not a pair of tokens");
    Merge merge;
    merge.left = TRY(id_of(left));
    merge.right = TRY(id_of(right));
    const auto result = ids_.find(std::string(left) + std::string(right));
    if (result == ids_.end())
      return bad("makes " + shown(std::string(left) + std::string(right)) +
                 ", which is not in the vocabulary");
    merge.result = result->second;
    return merge;
  }

  [[nodiscard]] Result<TokenId> id_of(std::string_view spelled) const {
    const auto found = ids_.find(std::string(spelled));
    if (found == ids_.end()) return bad("unknown token " + shown(spelled));
    return found->second;
  }

  // Ids are counted from 0 and each names one token.
  Result<> claim(TokenId id, std::string_view name) {
    const auto place = static_cast<std::size_t>(id);
    if (names_.size() <= place) names_.resize(place + 1);
    if (!names_[place].empty())
      return bad("id " + std::to_string(id) + " is both " + shown(names_[place]) + " and " +
                 shown(name));
    names_[place] = name;
    return {};
  }

  TokenizerModel model_;
  std::vector<std::string_view> names_;  ///< by id, as spelled
  std::unordered_set<TokenId> added_;
  std::unordered_map<std::string, TokenId> ids_;  ///< regular tokens, as spelled
};

}  // namespace

Result<TokenizerModel> parse_tokenizer_json(std::string_view json) {
  if (json.size() > kTokenizerJsonBytesMax)
    return fail(ErrorCode::too_large, "larger than the limit of " +
                                          format_bytes(kTokenizerJsonBytesMax) +
                                          ": not a tokenizer.json");
  const JsonValue root = TRY(parse_json(json));
  return Loader().run(root);
}

}  // namespace fathom::engine
