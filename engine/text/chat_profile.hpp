// The two chat encodings of V4 checkpoints (api.md A.1).
#pragma once

#include <cstdint>

namespace fathom::engine {

/// Which encoder the checkpoint came with: they differ in the texts for reasoning effort. Chosen by
/// checkpoint, never by the model's name; V4.1 has another format and no profile here.
enum class ChatProfile : std::uint8_t {
  preview,   ///< DeepSeek-V4-Pro and -Flash of April 2026
  july_2026  ///< "0731": V4-Flash-0731, V4-Flash-Vision-Exp
};

}  // namespace fathom::engine
