#include "tools/edit/edit_match.hpp"

#include "tools/edit/near_miss.hpp"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

namespace fathom::tools {
namespace {

constexpr auto kNowhere = std::string_view::npos;
constexpr std::string_view kPair = "\r\n";

// memmem is linear in the worst case; string_view::find is not.
std::size_t find_from(std::string_view in, std::string_view word, std::size_t from) {
  if (from > in.size()) return kNowhere;
  const void* found = ::memmem(in.data() + from, in.size() - from, word.data(), word.size());
  return found == nullptr ? kNowhere
                          : static_cast<std::size_t>(static_cast<const char*>(found) - in.data());
}

std::vector<std::size_t> find_all(std::string_view in, std::string_view word) {
  std::vector<std::size_t> places;
  for (std::size_t at = find_from(in, word, 0); at != kNowhere; at = find_from(in, word, at + 1)) {
    places.push_back(at);
    if (places.size() > kMatchesCountedMax) break;
  }
  return places;
}

// The byte of `file` that is byte `target` of with_line_ending(file, lf).
std::size_t original_offset(std::string_view file, std::size_t target) {
  std::size_t at = 0;
  for (std::size_t folded = 0;;) {
    const std::size_t feed = std::min(file.find('\n', at), file.size());
    const bool pair = feed < file.size() && feed > at && file[feed - 1] == '\r';
    const std::size_t length = feed - at - (pair ? 1 : 0);
    if (target <= folded + length) return at + (target - folded);
    folded += length + 1;
    at = feed + 1;
  }
}

std::unexpected<Error> ambiguous(std::string_view file, const std::vector<std::size_t>& places) {
  std::string lines;
  for (std::size_t i = 0; i < places.size() && i < kMatchesShownMax; ++i)
    lines.append(i == 0 ? "" : ", ").append(std::to_string(line_at(file, places[i])));
  if (places.size() > kMatchesShownMax) lines += ", …";
  const bool counted = places.size() <= kMatchesCountedMax;
  const std::string count =
      counted ? std::to_string(places.size()) : "more than " + std::to_string(kMatchesCountedMax);
  return fail(ErrorCode::usage, "old_str is in " + count + " places (lines " + lines +
                                    "): add lines around it until it is in one");
}

struct Place {
  std::size_t offset = 0;
  std::size_t length = 0;
};

Result<Place> find_unique(std::string_view file, std::string_view old_text,
                          std::string_view new_text) {
  std::vector<std::size_t> places;
  if (old_text.find_first_of(kPair) != kNowhere &&
      (file.contains(kPair) || old_text.contains(kPair))) {
    const std::string folded_file = with_line_ending(file, LineEnding::lf);
    const std::string folded_text = with_line_ending(old_text, LineEnding::lf);
    places = find_all(folded_file, folded_text);
    if (places.size() > 1) return ambiguous(folded_file, places);
    if (places.size() == 1) {
      const std::size_t begin = original_offset(file, places[0]);
      return Place{begin, original_offset(file, places[0] + folded_text.size()) - begin};
    }
  }
  // Also finds what is no whole line end, such as a "\r" whose "\n" is not part of old_text.
  places = find_all(file, old_text);
  if (places.size() > 1) return ambiguous(file, places);
  if (places.empty()) return fail(ErrorCode::not_found, explain_miss(file, old_text, new_text));
  return Place{places[0], old_text.size()};
}

}  // namespace

Result<Splice> plan_replace(std::string_view file, std::string_view old_text,
                            std::string_view new_text) {
  if (old_text.empty())
    return fail(ErrorCode::usage, "old_str is empty: use insert, or create for a new file");
  const Place place = TRY(find_unique(file, old_text, new_text));
  Splice splice{place.offset, place.length, std::string(new_text)};
  if (file.contains('\n'))
    splice.text = with_line_ending(new_text, line_ending_at(file, place.offset));
  if (splice.text == file.substr(place.offset, place.length))
    return fail(ErrorCode::usage, "old_str and new_str are the same: nothing would change");
  return splice;
}

Result<Splice> plan_insert(std::string_view file, std::int64_t after_line, std::string_view text) {
  if (text.empty())
    return fail(ErrorCode::usage, "new_str is empty: send the lines to insert in new_str");
  const std::size_t mark = mark_bytes(file);
  const std::size_t lines = count_lines(file.substr(mark));
  if (after_line < 0 || static_cast<std::uint64_t>(after_line) > lines)
    return fail(ErrorCode::usage, "insert_line " + std::to_string(after_line) +
                                      " is no line to insert behind: send 0 to " +
                                      std::to_string(lines));
  const auto line = static_cast<std::size_t>(after_line);
  Splice splice;
  splice.offset = line == 0 ? mark : line_begin(file, line + 1);
  splice.text = std::string(text);
  if (lines == 0) return splice;
  const LineEnding ending = line_ending_at(file, splice.offset);
  splice.text = with_line_ending(text, ending);
  const std::string end = ending == LineEnding::crlf ? "\r\n" : "\n";
  const bool behind_open_line = splice.offset == file.size() && !file.ends_with('\n');
  if (!behind_open_line) {
    if (!splice.text.ends_with('\n')) splice.text += end;
    return splice;
  }
  if (splice.text.ends_with(end)) splice.text.resize(splice.text.size() - end.size());
  splice.text.insert(0, end);
  return splice;
}

}  // namespace fathom::tools
