#include "tests/tidy/lexer.hpp"

#include "tests/support/catch.hpp"

#include <random>
#include <string>

using namespace fathom::tidy;

namespace {

// `kind:text` of every token, for comparing whole answers.
std::vector<std::string> tokens_of(std::string_view text) {
  constexpr std::string_view kKinds = "inscchdp";
  std::vector<std::string> out;
  for (const Token& token : lex(text)) {
    const char kind =
        token.kind == TokenKind::comment ? '/' : kKinds[static_cast<std::size_t>(token.kind)];
    out.push_back(std::string(1, kind) + ":" + std::string(token.text));
  }
  return out;
}

using Words = std::vector<std::string>;

}  // namespace

TEST_CASE("names, numbers and marks are told apart", "[tests]") {
  CHECK(tokens_of("int x = 1'000;") == Words{"i:int", "i:x", "p:=", "n:1'000", "p:;"});
  CHECK(tokens_of("a->b::c") == Words{"i:a", "p:->", "i:b", "p:::", "i:c"});
  CHECK(tokens_of("0x1p-3f .5e+7 x1") == Words{"n:0x1p-3f", "n:.5e+7", "i:x1"});
  CHECK(tokens_of("1-2") == Words{"n:1", "p:-", "n:2"});
  CHECK(tokens_of("größe") == Words{"i:größe"});
}

TEST_CASE("what stands in a string or a comment is no code", "[tests]") {
  CHECK(tokens_of(R"("// no" /* "no" */ 'x')") == Words{"s:\"// no\"", "/:/* \"no\" */", "c:'x'"});
  CHECK(tokens_of(R"("a\"b" c)") == Words{"s:\"a\\\"b\"", "i:c"});
  CHECK(tokens_of("u8\"x\" L'y' R\"(z)\"") == Words{"s:u8\"x\"", "c:L'y'", "s:R\"(z)\""});
  CHECK(tokens_of("// a \\\n b\nc") == Words{"/:// a \\\n b", "i:c"});
  CHECK(tokens_of("'\"' x '\\''") == Words{"c:'\"'", "i:x", "c:'\\''"});
}

TEST_CASE("a raw string ends at its own mark only", "[tests]") {
  CHECK(tokens_of("R\"-( \" )\" // )-\" x") == Words{"s:R\"-( \" )\" // )-\"", "i:x"});
  CHECK(tokens_of("R\"(open") == Words{"s:R\"(open"});
  CHECK(tokens_of("FooR\"(\"") == Words{"i:FooR", "s:\"(\""});
}

TEST_CASE("directives carry their name and, for an include, the header", "[tests]") {
  CHECK(tokens_of("#include <a/b.hpp> // c") == Words{"d:include", "h:<a/b.hpp>", "/:// c"});
  CHECK(tokens_of("  #  include \"x.hpp\"") == Words{"d:include", "h:\"x.hpp\""});
  CHECK(tokens_of("#define A \\\n b\nc") == Words{"d:define", "i:A", "i:b", "i:c"});
  const std::vector<Token> tokens = lex("#define A \\\n b\nc");
  CHECK(tokens[2] == Token{TokenKind::identifier, "b", 2, true});
  CHECK(tokens[3] == Token{TokenKind::identifier, "c", 3, false});
  CHECK(tokens_of("a # b") == Words{"i:a", "p:#", "i:b"});
}

TEST_CASE("every token knows its line, also behind long comments and strings", "[tests]") {
  const std::vector<Token> tokens = lex("a /*\n\n*/ b R\"(\n)\" c\n\"open\nd");
  REQUIRE(tokens.size() == 7);
  CHECK(tokens[1].line == 1);
  CHECK(tokens[2].line == 3);
  CHECK(tokens[4].line == 4);
  CHECK(tokens[5].line == 5);
  CHECK(tokens[6] == Token{TokenKind::identifier, "d", 6, false});
}

TEST_CASE("any bytes are cut into tokens that lie in order inside the text", "[tests]") {
  constexpr std::string_view kParts =
      "\"'\\\n/*R(#<>: {}ab0.\r\xff\x00\x80"
      "e+include";
  std::mt19937 random(1);
  for (int round = 0; round < 20'000; ++round) {
    std::string text(random() % 40, ' ');
    for (char& c : text)
      c = random() % 8 == 0 ? static_cast<char>(random()) : kParts[random() % kParts.size()];
    const char* at = text.data();
    int line = 1;
    for (const Token& token : lex(text)) {
      const bool ordered = token.text.data() >= at && token.line >= line;
      const bool inside = token.text.data() + token.text.size() <= text.data() + text.size();
      if (!ordered || !inside) FAIL("round " << round);
      at = token.text.data() + token.text.size();
      line = token.line;
    }
  }
}
