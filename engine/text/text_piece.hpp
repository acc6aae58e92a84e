// Text with its origin: only a chat template may speak in special tokens. What a user, a file or a
// tool wrote is only ever text, whatever it spells.
#pragma once

#include <cstdint>
#include <string>

namespace fathom::engine {

enum class TextOrigin : std::uint8_t { user, chat_template };

struct TextPiece {
  TextOrigin origin = TextOrigin::user;
  std::string text;

  friend bool operator==(const TextPiece&, const TextPiece&) = default;
};

}  // namespace fathom::engine
