// The first byte says what to do and where the rest is cut into a file, a text to find and a text
// to put there. An edit changes one splice and can be taken back; a refusal is one line of text.
#include "runtime/base/ensure.hpp"
#include "runtime/base/text.hpp"
#include "tools/edit/diff.hpp"
#include "tools/edit/edit_match.hpp"

#include <algorithm>
#include <cstdint>
#include <string>

using namespace fathom;
using namespace fathom::tools;

namespace {

constexpr std::size_t kRefusalBytesMax = 1'300;  // two cut lines whose every byte is shown as \xNN

// Texts are separated by a byte that no UTF-8 has.
std::string_view take(std::string_view& rest) {
  const std::size_t end = std::min(rest.find('\xF8'), rest.size());
  const std::string_view part = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return part;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string_view file = take(rest);
  const std::string_view old_text = take(rest);
  const std::string_view new_text = take(rest);
  const auto splice = data[0] % 2 == 0 ? plan_replace(file, old_text, new_text)
                                       : plan_insert(file, data[0] / 2, new_text);
  if (!splice) {
    const std::string& why = splice.error().message;
    ENSURE(find_invalid_utf8(why) == std::string::npos, "a refusal is text");
    ENSURE(!why.contains('\n') && why.size() < kRefusalBytesMax, "a refusal is one short line");
    return 0;
  }
  ENSURE(splice->offset + splice->length <= file.size(), "a splice lies inside the file");
  const std::string after = spliced(file, *splice);
  const Splice inverse{splice->offset, splice->text.size(),
                       std::string(file.substr(splice->offset, splice->length))};
  ENSURE(spliced(after, inverse) == file, "an edit can be taken back");
  ENSURE(after != file, "an edit changes something");
  const std::string diff = line_diff(file, after);
  ENSURE(!diff.empty() && find_invalid_utf8(diff) == std::string::npos, "a difference is text");
  return 0;
}
