// GPT-2's byte alphabet: how tokenizer.json spells the bytes of a token as printable characters.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fathom::engine {

/// "Ġthe" for " the".
[[nodiscard]] std::string to_byte_alphabet(std::string_view bytes);

/// The bytes that `spelled` stands for; nothing when a character of it stands for no byte.
[[nodiscard]] std::optional<std::string> from_byte_alphabet(std::string_view spelled);

}  // namespace fathom::engine
