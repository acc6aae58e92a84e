#include "engine/text/byte_tokenizer.hpp"

#include "engine/text/byte_alphabet.hpp"
#include "engine/text/pretokenizer.hpp"
#include "engine/text/python_json.hpp"
#include "engine/text/special_token.hpp"

#include <array>

namespace fathom::engine {
namespace {

// In the order of their ids in the real vocabulary.
constexpr std::array kMarkers = {special::kFimHole,  special::kFimBegin,  special::kFimEnd,
                                 special::kUser,     special::kAssistant, special::kThink,
                                 special::kThinkEnd, special::kDsml,      special::kLatestReminder,
                                 special::kAction,   special::kQuery,     special::kAuthority,
                                 special::kDomain,   special::kTitle,     special::kReadUrl};

std::string quoted(std::string_view text) {
  std::string out = "\"";
  append_json_escaped(out, text);
  return out + '"';
}

std::string split(std::string_view expression) {
  return R"({"type":"Split","pattern":{"Regex":)" + quoted(expression) +
         R"(},"behavior":"Isolated","invert":false},)";
}

std::string pre_tokenizer() {
  return R"({"type":"Sequence","pretokenizers":[)" + split(kSplitNumbers) + split(kSplitCjk) +
         split(kSplitWords) +
         R"({"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false}]})";
}

}  // namespace

std::string to_tokenizer_json(const TokenizerModel& model) {
  std::string out = R"({"version":"1.0","truncation":null,"padding":null,"added_tokens":[)";
  for (std::size_t i = 0; i < model.added.size(); ++i) {
    const AddedToken& token = model.added[i];
    out +=
        (i == 0 ? "\n{\"id\":" : ",\n{\"id\":") + std::to_string(token.id) +
        ",\"content\":" + quoted(token.text) +
        R"(,"single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true})";
  }
  out += "],\n\"normalizer\":null,\n\"pre_tokenizer\":" + pre_tokenizer();
  out += R"(,
"post_processor":null,
"decoder":{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true},
"model":{"type":"BPE","dropout":null,"unk_token":null,"continuing_subword_prefix":null,)"
         R"("end_of_word_suffix":null,"fuse_unk":false,"byte_fallback":false,"vocab":{)";
  bool first = true;
  for (std::size_t id = 0; id < model.tokens.size(); ++id) {
    if (model.tokens[id].empty()) continue;
    out += first ? "\n" : ",\n";
    out += quoted(to_byte_alphabet(model.tokens[id])) + ":" + std::to_string(id);
    first = false;
  }
  out += "},\"merges\":[";
  for (std::size_t rank = 0; rank < model.merges.size(); ++rank) {
    const auto spelled = [&](TokenId id) {
      return to_byte_alphabet(model.tokens[static_cast<std::size_t>(id)]);
    };
    const Merge& merge = model.merges[rank];
    out += rank == 0 ? "\n" : ",\n";
    out += quoted(spelled(merge.left) + " " + spelled(merge.right));
  }
  return out + "]}}\n";
}

Result<TokenizerModel> byte_tokenizer(std::size_t vocab_size) {
  constexpr std::array kFirst = {special::kBos, special::kEos, special::kPad};
  constexpr std::size_t kLeast = kFirst.size() + 256 + kMarkers.size();
  if (vocab_size < kLeast || vocab_size > kVocabMax)
    return fail(ErrorCode::usage, "a byte tokenizer cannot have " + std::to_string(vocab_size) +
                                      " tokens (choose " + std::to_string(kLeast) + " to " +
                                      std::to_string(kVocabMax) + ")");
  TokenizerModel model;
  const auto add = [&model](std::string_view text) {
    model.added.push_back({static_cast<TokenId>(model.tokens.size()), std::string(text)});
    model.tokens.emplace_back();
  };
  for (std::string_view text : kFirst) add(text);
  for (int byte = 0; byte < 256; ++byte) model.tokens.emplace_back(1, static_cast<char>(byte));
  for (std::string_view text : kMarkers) add(text);
  for (std::size_t number = 0; model.tokens.size() < vocab_size; ++number)
    add("<｜place▁holder▁no▁" + std::to_string(number) + "｜>");
  return model;
}

}  // namespace fathom::engine
