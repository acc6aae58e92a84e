// Any bytes as tokenizer.json: what is accepted can be written and read back, and encodes.
#include "engine/text/byte_tokenizer.hpp"
#include "engine/text/tokenizer.hpp"
#include "runtime/base/ensure.hpp"

using namespace fathom::engine;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view json(reinterpret_cast<const char*>(data), size);
  auto model = parse_tokenizer_json(json);
  if (!model) return 0;
  const auto again = parse_tokenizer_json(to_tokenizer_json(*model));
  ENSURE(again && again->tokens == model->tokens && again->added == model->added,
         "what was read can be written");
  const auto tokenizer = Tokenizer::create(*std::move(model));
  if (!tokenizer) return 0;
  for (const TokenId id : tokenizer->encode(json))
    ENSURE(!tokenizer->is_special(id), "text makes no special tokens");
  ENSURE(tokenizer->decode(tokenizer->encode(json)) == json, "text comes back");
  ENSURE(tokenizer->decode(tokenizer->encode_template(json)) == json, "a template too");
  return 0;
}
