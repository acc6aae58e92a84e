#include "policies/yaml_document.hpp"

#include "policies/yaml_bytes.hpp"
#include "runtime/base/ensure.hpp"
#include "runtime/base/text.hpp"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <sstream>

namespace fathom::policies {
namespace {

constexpr std::size_t kQuotedInErrorMax = 80;

// Thrown through yaml-cpp to end a parse; caught in parse_yaml and nowhere else.
struct Stop {
  Place at;
  ErrorCode code;
  std::string message;
};

[[noreturn]] void stop(Place at, std::string message) {
  throw Stop{at, ErrorCode::usage, std::move(message)};
}

std::string in_quotes(std::string_view text) {
  return "'" + to_printable(clip_middle(text, kQuotedInErrorMax)) + "'";
}

// What YAML 1.1 took for booleans and YAML 1.2 does not, and spellings of true and false that some
// readers take for text: the author's meaning is not known.
std::string_view boolean_meant(std::string_view text) {
  constexpr std::size_t kWordMax = 5;
  if (text.size() > kWordMax || text == "true" || text == "false") return {};
  std::string lower(text);
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  for (std::string_view word : {"yes", "on", "y", "true"})
    if (lower == word) return "true";
  for (std::string_view word : {"no", "off", "n", "false"})
    if (lower == word) return "false";
  return {};
}

// Builds the tree from yaml-cpp's events. Events, and not its nodes: there a duplicate key, an
// anchor and the quotes of a scalar have already gone.
class TreeBuilder final : public YAML::EventHandler {
 public:
  explicit TreeBuilder(std::string_view text) : text_(text) {
    root_.at = {1, 1};  // of an empty document
    find_lines();
  }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ > 1)
      stop(place(mark), "a second document begins here ('---'): put it into a file of its own");
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    check_plain(mark, anchor, "?");
    take(node_at(YamlNode::Kind::null, mark));
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    stop(place(mark), "an alias ('*'): write the value out, or quote text that begins with '*'");
  }
  void OnAnchor(const YAML::Mark& mark, const std::string&) override {
    stop(place(mark), "an anchor ('&'): write the value out where it is used");
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override;
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    check_plain(mark, anchor, tag);
    push(mark, YamlNode::Kind::sequence);
  }
  void OnSequenceEnd() override { pop(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    check_plain(mark, anchor, tag);
    push(mark, YamlNode::Kind::mapping);
  }
  void OnMapEnd() override { pop(); }

  [[nodiscard]] Place place(const YAML::Mark& mark) const;
  YamlNode take_root() { return std::move(root_); }

 private:
  // A mapping that is being read; between a key and its value, the key's entry is the last one.
  struct Open {
    YamlNode node;
    bool has_key = false;
  };

  void find_lines();
  [[nodiscard]] YamlNode node_at(YamlNode::Kind kind, const YAML::Mark& mark) const;
  void check_plain(const YAML::Mark& mark, YAML::anchor_t anchor, const std::string& tag) const;
  void push(const YAML::Mark& mark, YamlNode::Kind kind);
  void pop();
  void take(YamlNode node);
  void take_key(YamlNode node);

  std::string_view text_;
  std::vector<std::size_t> lines_;  // offsets of their first bytes
  std::vector<Open> open_;
  YamlNode root_;
  std::size_t documents_ = 0;
  std::size_t nodes_ = 0;
};

void TreeBuilder::find_lines() {
  lines_.push_back(0);
  for (std::size_t i = 0; i < text_.size(); ++i)
    if (text_[i] == '\n') lines_.push_back(i + 1);
}

YamlNode TreeBuilder::node_at(YamlNode::Kind kind, const YAML::Mark& mark) const {
  YamlNode node;
  node.kind = kind;
  node.at = place(mark);
  return node;
}

// yaml-cpp counts from 0, and columns in bytes.
Place TreeBuilder::place(const YAML::Mark& mark) const {
  const auto line = static_cast<std::size_t>(std::max(mark.line, 0));
  const auto column = static_cast<std::size_t>(std::max(mark.column, 0));
  if (line >= lines_.size()) return place_of(text_, text_.size());
  // Within its line only: counting from the start for each node would take quadratic time.
  Place at = place_of(text_.substr(lines_[line], column), column);
  at.line = static_cast<std::uint32_t>(line) + 1;
  return at;
}

void TreeBuilder::check_plain(const YAML::Mark& mark, YAML::anchor_t anchor,
                              const std::string& tag) const {
  if (anchor != YAML::NullAnchor)
    stop(place(mark), "an anchor ('&'): write the value out where it is used");
  // "?" is a plain scalar, "!" a quoted one, nothing a collection; the rest stands in the document.
  if (tag != "?" && tag != "!" && !tag.empty())
    stop(place(mark), "a tag (" + in_quotes(tag) + "): remove it, and quote what should be text");
}

void TreeBuilder::OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                           const std::string& value) {
  check_plain(mark, anchor, tag);
  // Escapes in quotes can make what the bytes of the document did not show.
  if (value.find('\0') != std::string::npos)
    stop(place(mark), "text with a NUL character (remove it)");
  if (find_invalid_utf8(value) != std::string::npos)
    stop(place(mark), "text that is not UTF-8 (correct its escapes)");
  const bool quoted = tag == "!";
  const bool is_key =
      !open_.empty() && open_.back().node.kind == YamlNode::Kind::mapping && !open_.back().has_key;
  if (!quoted && !is_key)
    if (const std::string_view meant = boolean_meant(value); !meant.empty())
      stop(place(mark), in_quotes(value) +
                            " is a boolean to some readers and text to others (write " +
                            std::string(meant) + ", or \"" + value + "\" in quotes)");
  YamlNode node = node_at(YamlNode::Kind::scalar, mark);
  node.text = value;
  node.quoted = quoted;
  take(std::move(node));
}

void TreeBuilder::push(const YAML::Mark& mark, YamlNode::Kind kind) {
  if (!open_.empty() && open_.back().node.kind == YamlNode::Kind::mapping && !open_.back().has_key)
    stop(place(mark), "a key that is a list or a mapping (keys are text)");
  if (open_.size() >= kYamlDepthMax)
    throw Stop{place(mark), ErrorCode::too_large,
               "more than " + std::to_string(kYamlDepthMax) + " levels of nesting"};
  open_.push_back({node_at(kind, mark), false});
}

void TreeBuilder::pop() {
  ENSURE(!open_.empty(), "the parser ends what it began");
  YamlNode node = std::move(open_.back().node);
  open_.pop_back();
  take(std::move(node));
}

void TreeBuilder::take(YamlNode node) {
  if (++nodes_ > kYamlNodesMax)
    throw Stop{node.at, ErrorCode::too_large,
               "more than " + std::to_string(kYamlNodesMax) + " values"};
  if (open_.empty()) {
    root_ = std::move(node);
    return;
  }
  Open& parent = open_.back();
  if (parent.node.kind == YamlNode::Kind::sequence) {
    parent.node.items.push_back(std::move(node));
  } else if (parent.has_key) {
    parent.node.entries.back().value = std::move(node);
    parent.has_key = false;
  } else {
    take_key(std::move(node));
  }
}

void TreeBuilder::take_key(YamlNode node) {
  if (node.kind != YamlNode::Kind::scalar)
    stop(node.at, "a key that is null (write the key, or quote it: \"null\")");
  if (node.text == "<<" && !node.quoted) stop(node.at, "a merge key ('<<'): write the keys out");
  std::vector<YamlEntry>& entries = open_.back().node.entries;
  if (entries.size() >= kYamlEntriesMax)
    throw Stop{node.at, ErrorCode::too_large,
               "more than " + std::to_string(kYamlEntriesMax) + " keys in one mapping"};
  for (const YamlEntry& entry : entries)
    if (entry.key == node.text)
      stop(node.at, "duplicate key " + in_quotes(node.text) + " (first at line " +
                        std::to_string(entry.at.line) + "): keep one of them");
  entries.push_back({std::move(node.text), node.at, {}});
  open_.back().has_key = true;
}

std::string hint_for(const std::string& message) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kHints = {{
      {"illegal map value", "is a ':' in unquoted text, or an indentation wrong?"},
      {"end of map not found", "is the indentation above the same as here?"},
      {"end of sequence not found", "is the indentation above the same as here?"},
      {"end of map flow not found", "close the '{'"},
      {"end of sequence flow not found", "close the '['"},
      {"unknown token", "quote text that begins with a special character"},
  }};
  for (const auto& [says, hint] : kHints)
    if (message.find(says) != std::string::npos) return " (" + std::string(hint) + ")";
  return "";
}

}  // namespace

Error yaml_error(std::string_view file, Place at, std::string_view message) {
  return {ErrorCode::usage, std::string(file) + ": line " + std::to_string(at.line) + ": column " +
                                std::to_string(at.column) + ": " + std::string(message)};
}

Result<YamlNode> parse_yaml(std::string_view text, std::string_view file) {
  if (text.size() > kYamlBytesMax)
    return fail(ErrorCode::too_large, std::string(file) + ": more than " +
                                          format_bytes(kYamlBytesMax) +
                                          " (documents are written by people: is this the file?)");
  if (const auto flaw = find_flaw(text)) return fail(yaml_error(file, flaw->at, flaw->message));
  TreeBuilder builder(text);
  const auto failed = [&](Place at, ErrorCode code, const std::string& message) {
    Error error = yaml_error(file, at, message);
    error.code = code;
    return fail(std::move(error));
  };
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const Stop& stopped) {
    return failed(stopped.at, stopped.code, stopped.message);
  } catch (const YAML::Exception& error) {
    return failed(builder.place(error.mark), ErrorCode::usage,
                  to_printable(error.msg) + hint_for(error.msg));
  }
  return builder.take_root();
}

std::string yaml_quoted(std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (byte < 0x20 || byte == 0x7F) {
      out += "\\x";
      out += kHex[byte >> 4U];
      out += kHex[byte & 0xFU];
    } else {
      out += c;
    }
  }
  return out + "\"";
}

}  // namespace fathom::policies
