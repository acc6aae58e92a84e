#include "engine/text/dsml_tag.hpp"

#include "tests/support/catch.hpp"

#include <string>

using namespace fathom::engine;
using Kind = DsmlTag::Kind;

TEST_CASE("a tag is read with its name and mark", "[text]") {
  const std::string text = "<｜DSML｜parameter name=\"a b\" string=\"true\">x";
  const DsmlTag tag = read_tag(text);
  CHECK(tag.kind == Kind::open_parameter);
  CHECK(tag.name == "a b");
  CHECK(tag.mark == StringMark::yes);
  CHECK(text.substr(tag.size) == "x");
  CHECK(read_tag("<|DSML|invoke string=\"no\" name='x'>").kind == Kind::open_invoke);
  CHECK(read_tag("</｜｜DSML｜｜ invoke >").kind == Kind::close_invoke);
  CHECK(read_tag("<｜DSML｜toolcalls>").kind == Kind::open_calls);
  CHECK(read_tag("</｜DSML｜function_calls>").kind == Kind::close_calls);
}

TEST_CASE("what cannot become a tag is none, whatever follows", "[text]") {
  for (const char* text : {"<b", "<｜DSMX", "<｜｜｜DSML", "<｜DSML｜magic>", "<｜DSML｜invoke>",
                           "<｜DSML｜invokename=", "<｜DSML｜invoke name=x",
                           "<｜DSML｜tool_calls x", "</｜DSML｜parameter name"})
    CHECK(read_tag(text).kind == Kind::none);
}

TEST_CASE("every beginning of a tag is cut, up to a bound", "[text]") {
  for (const std::string tag : {"<｜DSML｜invoke name=\"bash\">", "</ ||DSML|| parameter >",
                                "<｜DSML｜parameter name=“a”>"}) {
    for (std::size_t size = 1; size < tag.size(); ++size)
      if (read_tag(tag.substr(0, size)).kind != Kind::cut) FAIL(tag.substr(0, size));
    CHECK(read_tag(tag).kind != Kind::cut);
    CHECK(read_tag(tag).size == tag.size());
  }
  const std::string endless = "<｜DSML｜invoke name=\"" + std::string(kTagBytesMax, 'x');
  CHECK(read_tag(endless).kind == Kind::none);
  CHECK(read_tag(endless.substr(0, kTagBytesMax - 1)).kind == Kind::cut);
}
