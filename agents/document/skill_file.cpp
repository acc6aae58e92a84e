#include "agents/document/skill_file.hpp"

#include "policies/yaml_value.hpp"
#include "runtime/base/text.hpp"

#include <optional>

namespace fathom::agents {
namespace {

using policies::YamlValue;

constexpr std::string_view kMark = "---";

// The line without its end, and where the next one begins.
struct Line {
  std::string_view text;
  std::size_t next = 0;
};

Line line_at(std::string_view text, std::size_t begin) {
  const std::size_t end = std::min(text.find('\n', begin), text.size());
  std::string_view line = text.substr(begin, end - begin);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return {line, std::min(end + 1, text.size())};
}

// The head with its first mark, which YAML reads as the beginning of a document: so lines count as
// they do in the file.
std::optional<std::string_view> head_of(std::string_view text) {
  const Line first = line_at(text, 0);
  if (first.text != kMark) return std::nullopt;
  for (std::size_t at = first.next; at < text.size();) {
    const Line line = line_at(text, at);
    if (line.text == kMark) return text.substr(0, at);
    at = line.next;
  }
  return std::nullopt;
}

// Runs of white space as one space, none at the ends.
std::string one_line(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool space = c == ' ' || c == '\t' || c == '\n' || c == '\r';
    if (!space) {
      out += c;
    } else if (!out.empty() && out.back() != ' ') {
      out += ' ';
    }
  }
  if (out.ends_with(' ')) out.pop_back();
  return out;
}

Result<std::string> line_of(const YamlValue& head, std::string_view key, std::size_t bytes_max) {
  const YamlValue value = TRY(head.require(key));
  std::string text = to_printable(one_line(TRY(value.any_text(bytes_max))));
  if (text.empty()) return fail(value.error("is empty (write it)"));
  return text;
}

}  // namespace

Result<SkillHead> parse_skill_head(std::string_view text, std::string_view file) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  const auto head = head_of(text.substr(0, kSkillHeadBytesMax));
  if (!head)
    return fail(policies::yaml_error(
        file, {1, 1},
        "no head between two lines of '---' in the first " + format_bytes(kSkillHeadBytesMax)));
  const policies::YamlNode node = TRY(policies::parse_yaml(*head, file));
  const YamlValue root(file, node, "");
  (void)TRY(root.fields(policies::kYamlEntriesMax));  // a mapping; what else it has is others'
  return SkillHead{TRY(line_of(root, "name", kSkillNameBytesMax)),
                   TRY(line_of(root, "description", kSkillDescriptionBytesMax))};
}

}  // namespace fathom::agents
