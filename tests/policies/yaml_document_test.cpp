#include "policies/yaml_document.hpp"

#include "tests/support/catch.hpp"

using namespace fathom;
using namespace fathom::policies;

namespace {

std::string error_of(std::string_view text) {
  const auto node = parse_yaml(text, "p.yaml");
  return node ? "accepted" : node.error().message;
}

const YamlNode& at(const YamlNode& node, std::string_view key) {
  for (const YamlEntry& entry : node.entries)
    if (entry.key == key) return entry.value;
  throw std::runtime_error("no such key");
}

}  // namespace

TEST_CASE("a document keeps the author's words, their quotes and their places", "[policies]") {
  const YamlNode root =
      parse_yaml("a: text\nb: [1, \"no\"]\nc:\n  d: ~\n  é: 'x'  # why\n", "p.yaml").value();
  REQUIRE(root.kind == YamlNode::Kind::mapping);
  CHECK(at(root, "a").text == "text");
  CHECK_FALSE(at(root, "a").quoted);
  CHECK(at(root, "a").at == Place{1, 4});
  CHECK(at(root, "b").items.size() == 2);
  CHECK(at(root, "b").items[1].quoted);
  CHECK(at(root, "b").items[1].text == "no");
  CHECK(at(at(root, "c"), "d").kind == YamlNode::Kind::null);
  CHECK(at(at(root, "c"), "é").at == Place{5, 6});  // in code points, not bytes
}

TEST_CASE("an empty document is null", "[policies]") {
  CHECK(parse_yaml("", "p.yaml").value().kind == YamlNode::Kind::null);
  CHECK(parse_yaml("# nothing\n", "p.yaml").value().kind == YamlNode::Kind::null);
}

TEST_CASE("what YAML allows and documents must not have is refused with line and column",
          "[policies]") {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"a: &x 1\nb: *x\n", "line 1: column 4: an anchor ('&')"},
      {"a: 1\nb: *x\n", "line 2: column 4: "},
      {"a: {<<: {b: 1}}\n", "line 1: column 5: a merge key ('<<')"},
      {"a: !!int 1\n", "line 1: column 4: a tag ("},
      {"a: !secret x\n", "line 1: column 4: a tag ("},
      {"a: ! no\n", "accepted"},  // the non-specific tag: text, as if quoted
      {"a: !<!> no\n", "accepted"},
      {"%YAML 1.2\n---\na: 1\n", "line 1: column 1: a '%' directive"},
      {"a: 1\n---\nb: 2\n", "line 2: column 1: a second document begins here"},
      {"a: 1\nb: 2\na: 3\n", "line 3: column 1: duplicate key 'a' (first at line 1)"},
      {"{a: 1, \"a\": 2}\n", "line 1: column 8: duplicate key 'a'"},
      {"a:\n\tb: 1\n", "line 2: column 1: a tab in the indentation"},
      {"a:\n  \tb: 1\n", "line 2: column 3: a tab in the indentation"},
      {"a: x\x01y\n", "line 1: column 5: control character \\x01"},
      {std::string("a: x\0y\n", 7), "line 1: column 5: a NUL byte"},
      {"a: \"x\\0y\"\n", "line 1: column 4: text with a NUL character"},
      {"a: \xff\n", "line 1: column 4: the text is not UTF-8"},
      {"\xEF\xBB\xBF"
       "a: 1\n",
       "line 1: column 1: a byte order mark"},
      {"a: 1\rb: 2\n", "line 1: column 5: control character \\x0d"},
      {"? [a, b]\n: 1\n", "line 1: column 3: a key that is a list or a mapping"},
      {"~: 1\n", "line 1: column 1: a key that is null"},
      {"a: [1\n", "line 2: column 1: end of sequence flow not found (close the '[')"},
      {"a: b: c\n", "line 1: column 5: illegal map value"},
      {"a: @x\n", "line 1: column 4: unknown token"},
  };
  for (const auto& [text, expected] : cases) {
    const std::string error = error_of(text);
    INFO(text << " -> " << error);
    CHECK(error.find(expected) != std::string::npos);
    if (error != "accepted") CHECK(error.starts_with("p.yaml: line "));
  }
}

TEST_CASE("words that are booleans to some readers only are refused with the fix", "[policies]") {
  for (const char* word :
       {"yes", "no", "on", "off", "y", "n", "Yes", "NO", "On", "OFF", "Y", "N", "True", "FALSE"}) {
    const std::string error = error_of("a:\n  - " + std::string(word) + "\n");
    INFO(error);
    CHECK(error.starts_with("p.yaml: line 2: column 5: '" + std::string(word) +
                            "' is a boolean to some readers and text to others (write "));
    CHECK(error_of("a: \"" + std::string(word) + "\"\n") == "accepted");
  }
  CHECK(error_of("a: no\n").find("(write false, or \"no\" in quotes)") != std::string::npos);
  CHECK(error_of("a: [true, false, none, ony]\n") == "accepted");
  CHECK(error_of("retry: {on: x}\n") == "accepted");  // a key is text
}

TEST_CASE("tabs are content inside a block scalar and behind text", "[policies]") {
  const YamlNode root = parse_yaml("run: |\n  make:\n  \tcc x.c\nnext: a\tb\n", "p.yaml").value();
  CHECK(at(root, "run").text == "make:\n\tcc x.c\n");
  CHECK(at(root, "next").text == "a\tb");
  CHECK(error_of("run: |\n  x\na:\n \tb: 1\n").find("line 4: column 2: a tab") !=
        std::string::npos);
}

TEST_CASE("bombs end at their bounds", "[policies]") {
  std::string billion = "a0: &a0 [x, x]\n";
  for (int i = 1; i < 40; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    billion += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + before + ", " +
               before + "]\n";
  }
  CHECK(error_of(billion).find("line 1: column 5: an anchor") != std::string::npos);
  CHECK(error_of(std::string(10'000'000, 'x')).find("more than 1.0 MiB") != std::string::npos);
  CHECK(parse_yaml(std::string(10'000'000, 'x'), "p").error().code == ErrorCode::too_large);
  for (const char* opening : {"[", "{", "[\n", "{a: ", "- ", "? "}) {
    std::string nested;
    while (nested.size() < 100'000) nested += opening;
    INFO(opening);
    CHECK(error_of(nested) != "accepted");
  }
  std::string deep;
  for (int i = 0; i < 400; ++i) deep += std::string(static_cast<std::size_t>(i), ' ') + "a:\n";
  CHECK(error_of(deep).find("line 33: column 33: more than 32 levels") != std::string::npos);
  std::string wide;
  for (int i = 0; i < 70'000; ++i) wide += "- 1\n";
  CHECK(error_of(wide).find("line 65537: column 3: more than 65536 values") != std::string::npos);
  std::string keys;
  for (int i = 0; i < 5'000; ++i) keys += "k" + std::to_string(i) + ": 1\n";
  CHECK(error_of(keys).find("line 4097: column 1: more than 4096 keys") != std::string::npos);
}

TEST_CASE("nothing is taken from the environment", "[policies]") {
  const YamlNode root = parse_yaml("a: $HOME ${PATH}\n", "p.yaml").value();
  CHECK(at(root, "a").text == "$HOME ${PATH}");
}

TEST_CASE("quoted text reads back as itself", "[policies]") {
  for (const std::string& text :
       {std::string("plain"), std::string("a\"b\\c"), std::string("\x01\x7f\n\t"),
        std::string("é€😀"), std::string("#: - [x]"), std::string("")}) {
    const auto node = parse_yaml("a: " + yaml_quoted(text) + "\n", "p.yaml");
    INFO(yaml_quoted(text));
    REQUIRE(node);
    CHECK(at(*node, "a").text == text);
    CHECK(at(*node, "a").quoted);
  }
}
