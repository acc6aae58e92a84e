// What the writer and the reader of session events share. Not for others.
#pragma once

#include "runtime/base/message.hpp"

#include <array>
#include <cstddef>
#include <string_view>
#include <utility>

namespace fathom::engine {

inline constexpr std::size_t kBlobTextBytesMax = 256UL << 20;  // a million tokens are some 4 MB
inline constexpr std::string_view kSetupName = "setup";  ///< of what stands before all messages
inline constexpr std::array kRoleNames = {std::pair{Role::system, std::string_view("system")},
                                          std::pair{Role::user, std::string_view("user")},
                                          std::pair{Role::assistant, std::string_view("assistant")},
                                          std::pair{Role::tool, std::string_view("tool")}};

}  // namespace fathom::engine
