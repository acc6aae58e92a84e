// Paths of the tree as text: '/' between folders, from the root.
#pragma once

#include <string_view>

namespace fathom::tidy {

/// True when `path` is `folder` or lies below it.
[[nodiscard]] bool is_below(std::string_view path, std::string_view folder);

/// "a" of "a/b.hpp"; empty for "b.hpp".
[[nodiscard]] std::string_view first_folder(std::string_view path);

/// "a/b" of "a/b/c.hpp"; empty for "c.hpp".
[[nodiscard]] std::string_view folder_of(std::string_view path);

/// "c.hpp" of "a/b/c.hpp".
[[nodiscard]] std::string_view file_name(std::string_view path);

[[nodiscard]] bool is_header(std::string_view path);
[[nodiscard]] bool is_source(std::string_view path);

/// `*` stands for anything inside one folder's name, `**` for anything.
[[nodiscard]] bool glob_matches(std::string_view glob, std::string_view path);

}  // namespace fathom::tidy
