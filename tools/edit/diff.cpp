#include "tools/edit/diff.hpp"

#include "tools/edit/file_text.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace fathom::tools {
namespace {

constexpr std::size_t kDiffLineBytesMax = 300;

using Lines = std::vector<std::string_view>;

Lines lines_of(std::string_view text) {
  Lines lines;
  while (!text.empty()) {
    const std::size_t end = line_end(text, 0);
    lines.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
  return lines;
}

enum class Kind : char { same = ' ', gone = '-', come = '+' };

struct Step {
  Kind kind = Kind::same;
  std::size_t before = 0;  ///< index of the line there, or of where it would be
  std::size_t after = 0;
};

// Myers, "An O(ND) difference algorithm" (1986), greedy forward; every round's frontier is kept to
// walk back. Nothing when more than kDiffEditsMax lines differ.
std::optional<std::vector<Step>> shortest(std::span<const std::string_view> a,
                                          std::span<const std::string_view> b) {
  const auto n = static_cast<std::ptrdiff_t>(a.size());
  const auto m = static_cast<std::ptrdiff_t>(b.size());
  constexpr auto kEdits = static_cast<std::ptrdiff_t>(kDiffEditsMax);
  std::vector<std::ptrdiff_t> reach(2 * kDiffEditsMax + 3, 0);  // by diagonal
  const auto at = [&](std::vector<std::ptrdiff_t>& of, std::ptrdiff_t diagonal) -> auto& {
    return of[static_cast<std::size_t>(diagonal + kEdits + 1)];
  };
  const auto comes = [&](std::vector<std::ptrdiff_t>& of, std::ptrdiff_t k, std::ptrdiff_t d) {
    return k == -d || (k != d && at(of, k - 1) < at(of, k + 1));
  };
  std::vector<std::vector<std::ptrdiff_t>> rounds;
  std::ptrdiff_t edits = 0;
  for (bool done = false; !done; ++edits) {
    if (edits > kEdits) return std::nullopt;
    rounds.push_back(reach);
    for (std::ptrdiff_t k = -edits; k <= edits && !done; k += 2) {
      std::ptrdiff_t x = comes(reach, k, edits) ? at(reach, k + 1) : at(reach, k - 1) + 1;
      while (x < n && x - k < m && x - k >= 0 &&
             a[static_cast<std::size_t>(x)] == b[static_cast<std::size_t>(x - k)])
        ++x;
      at(reach, k) = x;
      done = x >= n && x - k >= m;
    }
  }
  std::vector<Step> steps;
  std::ptrdiff_t x = n;
  std::ptrdiff_t y = m;
  const auto push = [&](Kind kind) {
    steps.push_back({kind, static_cast<std::size_t>(x), static_cast<std::size_t>(y)});
  };
  for (std::ptrdiff_t d = edits - 1; d >= 0; --d) {
    std::vector<std::ptrdiff_t>& was = rounds[static_cast<std::size_t>(d)];
    const std::ptrdiff_t k = x - y;
    const bool came = comes(was, k, d);
    const std::ptrdiff_t from_x = d == 0 ? 0 : at(was, came ? k + 1 : k - 1);
    const std::ptrdiff_t from_y = d == 0 ? 0 : from_x - (came ? k + 1 : k - 1);
    while (x > from_x && y > from_y) {
      --x;
      --y;
      push(Kind::same);
    }
    if (d == 0) break;
    (came ? y : x) -= 1;
    push(came ? Kind::come : Kind::gone);
  }
  std::ranges::reverse(steps);
  return steps;
}

std::vector<Step> replaced(std::size_t before, std::size_t after) {
  std::vector<Step> steps;
  steps.reserve(before + after);
  for (std::size_t i = 0; i < before; ++i) steps.push_back({Kind::gone, i, 0});
  for (std::size_t i = 0; i < after; ++i) steps.push_back({Kind::come, before, i});
  return steps;
}

// The steps of the middle with a little of what surrounds it, in places of the whole texts.
std::vector<Step> with_surroundings(std::span<const Step> middle, std::size_t prefix,
                                    const Lines& before, const Lines& after, std::size_t suffix) {
  std::vector<Step> steps;
  for (std::size_t i = prefix - std::min(prefix, kDiffContextLines); i < prefix; ++i)
    steps.push_back({Kind::same, i, i});
  for (const Step& step : middle)
    steps.push_back({step.kind, step.before + prefix, step.after + prefix});
  for (std::size_t i = 0; i < std::min(suffix, kDiffContextLines); ++i)
    steps.push_back({Kind::same, before.size() - suffix + i, after.size() - suffix + i});
  return steps;
}

struct Hunk {
  std::size_t begin = 0;
  std::size_t end = 0;
};

std::vector<Hunk> hunks_of(std::span<const Step> steps) {
  std::vector<Hunk> hunks;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (steps[i].kind == Kind::same) continue;
    const std::size_t begin = i - std::min(i, kDiffContextLines);
    const std::size_t end = std::min(steps.size(), i + 1 + kDiffContextLines);
    if (!hunks.empty() && begin <= hunks.back().end) {
      hunks.back().end = end;
    } else {
      hunks.push_back({begin, end});
    }
  }
  return hunks;
}

std::string side(char sign, std::size_t first, std::size_t count) {
  return std::string(1, sign) + std::to_string(count == 0 ? first : first + 1) + "," +
         std::to_string(count);
}

std::string header(std::span<const Step> steps) {
  std::size_t before = 0;
  std::size_t after = 0;
  for (const Step& step : steps) {
    if (step.kind != Kind::come) ++before;
    if (step.kind != Kind::gone) ++after;
  }
  return "@@ " + side('-', steps.front().before, before) + " " +
         side('+', steps.front().after, after) + " @@\n";
}

}  // namespace

std::string line_diff(std::string_view before_text, std::string_view after_text) {
  const Lines before = lines_of(before_text);
  const Lines after = lines_of(after_text);
  const auto [first, other] = std::ranges::mismatch(before, after);
  const auto prefix = static_cast<std::size_t>(first - before.begin());
  std::size_t suffix = 0;
  while (suffix < std::min(before.size(), after.size()) - prefix &&
         before[before.size() - suffix - 1] == after[after.size() - suffix - 1])
    ++suffix;
  const auto gone = std::span(before).subspan(prefix, before.size() - prefix - suffix);
  const auto come = std::span(after).subspan(prefix, after.size() - prefix - suffix);
  if (gone.empty() && come.empty()) return "";
  auto middle = shortest(gone, come);
  if (!middle) middle = replaced(gone.size(), come.size());
  const std::vector<Step> steps = with_surroundings(*middle, prefix, before, after, suffix);
  std::string out;
  std::size_t lines = 0;
  std::size_t left_out = 0;
  for (const Hunk& hunk : hunks_of(steps)) {
    const auto part = std::span(steps).subspan(hunk.begin, hunk.end - hunk.begin);
    if (lines < kDiffLinesMax) out += header(part);
    for (const Step& step : part) {
      if (++lines > kDiffLinesMax) {
        ++left_out;
        continue;
      }
      const std::string_view line =
          step.kind == Kind::come ? after[step.after] : before[step.before];
      out.append(1, static_cast<char>(step.kind)).append(shown_line(line, kDiffLineBytesMax));
      out += '\n';
    }
  }
  if (left_out > 0) out += "… " + std::to_string(left_out) + " more lines\n";
  return out;
}

}  // namespace fathom::tools
