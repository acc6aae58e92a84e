// What search programs print about hostile files: matches, trees and clipped texts stay valid.
#include "runtime/base/ensure.hpp"
#include "runtime/base/text.hpp"
#include "tools/clip.hpp"
#include "tools/search/file_tree.hpp"
#include "tools/search/match_list.hpp"
#include "tools/tool.hpp"

#include <cstdint>

using namespace fathom;
using namespace fathom::tools;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  const MatchList list = parse_matches(bytes);
  const auto valid = [](std::string_view text) {
    return find_invalid_utf8(text) == std::string_view::npos;
  };
  ENSURE(valid(show_matches(list, 50)), "matches reach a model");
  ENSURE(list.files <= list.matches.size(), "a file has a match");
  const FileTree tree = file_tree(bytes, "", 2, 50);
  ENSURE(valid(tree.text), "trees reach a model");
  const Clipped clipped = clip(ToolOutput::of(bytes).text, {40, estimate_tokens, ""});
  ENSURE(valid(clipped.text), "results reach a model");
  return 0;
}
