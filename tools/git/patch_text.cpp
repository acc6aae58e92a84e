#include "tools/git/patch_text.hpp"

#include "tools/git/beneath.hpp"

#include <algorithm>
#include <charconv>

namespace fathom::tools {
namespace {

std::unexpected<Error> bad(std::size_t line, std::string_view why) {
  return fail(ErrorCode::bad_data, "patch line " + std::to_string(line) + ": " + std::string(why));
}

// "\"a/\\303\\244\"" as git quotes names; anything else is itself, up to a tab (diff puts a time
// behind one).
std::optional<std::string> unquote(std::string_view text) {
  if (!text.starts_with('"')) return std::string(text.substr(0, text.find('\t')));
  std::string name;
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '"') return name;
    if (text[i] != '\\') {
      name += text[i];
      continue;
    }
    if (++i == text.size()) return std::nullopt;
    constexpr std::string_view kLetters = "abfnrtv\\\"";
    constexpr std::string_view kMeanings = "\a\b\f\n\r\t\v\\\"";
    const std::size_t letter = kLetters.find(text[i]);
    if (letter != std::string_view::npos) {
      name += kMeanings[letter];
      continue;
    }
    unsigned byte = 0;
    const char* begin = text.data() + i;
    const char* end = begin + std::min<std::size_t>(3, text.size() - i);
    const auto read = std::from_chars(begin, end, byte, 8);
    if (read.ptr != begin + 3 || byte > 255) return std::nullopt;
    name += static_cast<char>(byte);
    i += 2;
  }
  return std::nullopt;
}

bool take_number(std::string_view& text, std::size_t& number) {
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  if (read.ec != std::errc()) return false;
  text.remove_prefix(static_cast<std::size_t>(read.ptr - text.data()));
  return true;
}

bool take_text(std::string_view& text, std::string_view expected) {
  if (!text.starts_with(expected)) return false;
  text.remove_prefix(expected.size());
  return true;
}

// "-3,4" or "-3", which means one line.
bool take_range(std::string_view& text, char sign, std::size_t& start, std::size_t& count) {
  count = 1;
  if (!take_text(text, std::string_view(&sign, 1)) || !take_number(text, start)) return false;
  return !take_text(text, ",") || take_number(text, count);
}

class Parser {
 public:
  explicit Parser(std::string_view text) : rest_(text) { advance(); }

  Result<std::vector<FilePatch>> run() {
    while (!at_end_) {
      if (line_.starts_with("diff --git ")) {
        TRY(begin_file());
        advance();
      } else if (line_.starts_with("--- ") && next_starts_with("+++ ")) {
        TRY(names());
      } else if (line_.starts_with("@@ ")) {
        if (files_.empty()) return bad(number_, "a hunk before any '--- a/FILE' and '+++ b/FILE'");
        TRY(hunk());
      } else {
        TRY(header());
        advance();
      }
    }
    TRY(finish_file());
    if (files_.empty())
      return fail(ErrorCode::bad_data,
                  "patch: no file in it: begin with '--- a/FILE' and '+++ b/FILE'");
    return std::move(files_);
  }

 private:
  void advance() {
    at_end_ = rest_.empty();
    const std::size_t end = rest_.find('\n');
    ends_ = end != std::string_view::npos;
    line_ = rest_.substr(0, end);
    rest_.remove_prefix(ends_ ? end + 1 : rest_.size());
    ++number_;
  }
  [[nodiscard]] bool next_starts_with(std::string_view text) const {
    return rest_.starts_with(text);
  }
  [[nodiscard]] std::string_view header_line() const {
    return line_.ends_with('\r') ? line_.substr(0, line_.size() - 1) : line_;
  }

  Result<> begin_file() {
    TRY(finish_file());
    if (files_.size() == kPatchFilesMax)
      return fail(ErrorCode::too_large, "patch: too many files: send it in parts");
    files_.emplace_back().line = number_;
    named_ = false;
    const std::string_view line = header_line();
    git_line_ = line.substr(std::min<std::size_t>(line.size(), 11));
    return {};
  }

  // A patch without hunks has its names in the first line only: "a/NAME b/NAME", the same twice.
  Result<> finish_file() {
    if (files_.empty()) return {};
    FilePatch& file = files_.back();
    if (!named_ && git_line_.size() > 5) {
      const std::size_t half = git_line_.size() / 2;
      const std::string_view old_name = git_line_.substr(0, half);
      const std::string_view new_name = git_line_.substr(std::min(half + 1, git_line_.size()));
      if (!old_name.starts_with("a/") || !new_name.starts_with("b/") ||
          old_name.substr(2) != new_name.substr(2))
        return bad(file.line, "the names are not clear: add '--- a/FILE' and '+++ b/FILE'");
      if (!is_new_) file.old_path = TRY(path(old_name, file.line));
      if (!is_gone_) file.new_path = TRY(path(new_name, file.line));
    }
    is_new_ = is_gone_ = false;
    if (file.old_path.empty() && file.new_path.empty()) return bad(file.line, "no name of a file");
    return {};
  }

  static Result<std::string> path(std::string_view text, std::size_t line) {
    auto name = unquote(text);
    if (!name) return bad(line, "a name whose quotes do not end");
    if (*name == "/dev/null") return std::string();
    if (name->starts_with("a/") || name->starts_with("b/")) name->erase(0, 2);
    auto plain = plain_path(*name);
    if (!plain) return bad(line, plain.error().message);
    if (plain->empty()) return bad(line, "no name of a file");
    return plain;
  }

  Result<> names() {
    const bool of_git =
        !files_.empty() && !named_ && files_.back().hunks.empty() && !git_line_.empty();
    if (!of_git) TRY(begin_file());
    git_line_ = {};
    named_ = true;
    const std::string old_path = TRY(path(header_line().substr(4), number_));
    advance();
    const std::string new_path = TRY(path(header_line().substr(4), number_));
    files_.back().old_path = old_path;
    files_.back().new_path = new_path;
    advance();
    if (at_end_ || !line_.starts_with("@@ ")) return bad(number_, "no hunk ('@@ -1,2 +1,2 @@')");
    return {};
  }

  Result<std::uint32_t> mode(std::string_view text) const {
    std::uint32_t value = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), value, 8);
    if (read.ec != std::errc() || read.ptr != text.data() + text.size() ||
        (value & 0170000U) != 0100000U)
      return bad(number_, "only regular files are patched, no links or submodules");
    if (value != 0100644U && value != 0100755U)
      return bad(number_, "a file's mode is 100644 or 100755");
    return value & 0777U;
  }

  // The lines of git between the names and the hunks. What is before the first file is a message.
  Result<> header() {
    if (files_.empty() || !files_.back().hunks.empty() || git_line_.empty()) {
      if (line_.starts_with("@@")) return bad(number_, "a hunk begins with '@@ -1,2 +1,2 @@'");
      return {};
    }
    std::string_view text = header_line();
    FilePatch& file = files_.back();
    if (take_text(text, "new file mode ")) {
      is_new_ = true;
      file.new_mode = TRY(mode(text));
      return {};
    }
    if (take_text(text, "new mode ")) {
      file.new_mode = TRY(mode(text));
      return {};
    }
    if (take_text(text, "deleted file mode ") || take_text(text, "old mode ")) {
      is_gone_ = is_gone_ || header_line().starts_with("deleted");
      TRY(mode(text));
      return {};
    }
    if (take_text(text, "copy from ") || text.starts_with("GIT binary patch") ||
        text.starts_with("Binary files "))
      return bad(number_, "copies and binary files are not taken");
    if (take_text(text, "rename from ")) file.old_path = TRY(path(text, number_));
    if (take_text(text, "rename to ")) {
      file.new_path = TRY(path(text, number_));
      named_ = !file.old_path.empty();
    }
    return {};
  }

  Result<> hunk() {
    Hunk hunk;
    hunk.line = number_;
    std::string_view text = header_line();
    std::size_t old_count = 0;
    std::size_t new_start = 0;
    std::size_t new_count = 0;
    if (!take_text(text, "@@ ") || !take_range(text, '-', hunk.old_start, old_count) ||
        !take_text(text, " ") || !take_range(text, '+', new_start, new_count) ||
        !take_text(text, " @@"))
      return bad(number_, "a hunk begins with '@@ -1,2 +1,2 @@'");
    for (advance(); old_count > 0 || new_count > 0; advance()) {
      // Editors and models drop the space of an empty context line.
      const char sign = line_.empty() ? ' ' : line_.front();
      const bool takes_old = sign != '+';
      const bool takes_new = sign != '-';
      if (at_end_ || (sign != ' ' && sign != '-' && sign != '+') || (takes_old && old_count == 0) ||
          (takes_new && new_count == 0))
        return bad(hunk.line, "the counts in the hunk's header do not fit its lines: " +
                                  std::to_string(old_count) + " old and " +
                                  std::to_string(new_count) + " new are missing at line " +
                                  std::to_string(number_));
      old_count -= takes_old ? 1 : 0;
      new_count -= takes_new ? 1 : 0;
      hunk.lines.push_back({sign, std::string(line_.substr(line_.empty() ? 0 : 1)) + "\n"});
      if (next_starts_with("\\ ")) {
        hunk.lines.back().text.pop_back();
        advance();
      }
    }
    files_.back().hunks.push_back(std::move(hunk));
    return {};
  }

  std::string_view rest_;
  std::string_view line_;
  std::size_t number_ = 0;
  bool ends_ = false;
  bool at_end_ = false;
  std::vector<FilePatch> files_;
  bool named_ = false;
  bool is_new_ = false;
  bool is_gone_ = false;
  std::string_view git_line_;  ///< what follows "diff --git " of the file at hand
};

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size() - 1) + 1;
    lines.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
  return lines;
}

std::string in_style(const PatchLine& line, bool crlf) {
  if (!crlf || !line.text.ends_with('\n') || line.text.ends_with("\r\n")) return line.text;
  return line.text.substr(0, line.text.size() - 1) + "\r\n";
}

}  // namespace

Result<std::vector<FilePatch>> parse_patch(std::string_view text) { return Parser(text).run(); }

PatchedText apply_hunks(std::string_view text, const std::vector<Hunk>& hunks) {
  const std::vector<std::string_view> lines = lines_of(text);
  const bool crlf = !lines.empty() && lines.front().ends_with("\r\n");
  PatchedText patched;
  std::size_t at = 0;  // lines that are done with
  std::ptrdiff_t moved = 0;
  for (const Hunk& hunk : hunks) {
    std::vector<std::string> old_lines;
    for (const PatchLine& line : hunk.lines)
      if (line.sign != '+') old_lines.push_back(in_style(line, crlf));
    const auto fits = [&](std::size_t place) {
      return place >= at && place + old_lines.size() <= lines.size() &&
             std::equal(old_lines.begin(), old_lines.end(),
                        lines.begin() + static_cast<std::ptrdiff_t>(place));
    };
    // Without old lines the number names the line behind which the new ones go.
    const std::size_t first = hunk.old_start - (old_lines.empty() || hunk.old_start == 0 ? 0 : 1);
    const std::ptrdiff_t expected = static_cast<std::ptrdiff_t>(first) + moved;
    std::size_t place = expected < 0 ? lines.size() + 1 : static_cast<std::size_t>(expected);
    if (!fits(place)) {
      std::vector<std::size_t> places;
      for (std::size_t i = at; !old_lines.empty() && i + old_lines.size() <= lines.size(); ++i)
        if (fits(i)) places.push_back(i);
      if (places.size() != 1) {
        patched.rejected.push_back({hunk.line, places.empty()
                                                   ? "its lines are not in the file"
                                                   : "its lines are in the file " +
                                                         std::to_string(places.size()) + " times"});
        continue;
      }
      moved += static_cast<std::ptrdiff_t>(places.front()) - expected;
      place = places.front();
    }
    for (; at < place; ++at) patched.text += lines[at];
    for (const PatchLine& line : hunk.lines)
      if (line.sign != '-') {
        // Kept lines are the file's own bytes, and equal to the patch's.
        patched.text += in_style(line, crlf);
      }
    at = place + old_lines.size();
  }
  for (; at < lines.size(); ++at) patched.text += lines[at];
  return patched;
}

}  // namespace fathom::tools
