#include "engine/text/dsml_parser.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/dsml_streams.hpp"

#include <random>

using namespace fathom;
using namespace fathom::engine;
using test::DsmlCase;
using test::DsmlOutcome;

namespace {

// `<D` stands for `<｜DSML｜`, `</D` likewise.
std::string dsml(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool marker = text[i] == 'D' && i > 0 && (text[i - 1] == '<' || text[i - 1] == '/');
    out += marker ? "｜DSML｜" : std::string(1, text[i]);
  }
  return out;
}

DsmlCase with_tools(DsmlOptions::Start start = DsmlOptions::Start::content) {
  const std::vector<std::string> functions = {
      R"({"name":"bash","parameters":{"properties":{"command":{"type":"string"},
          "timeout_ms":{"type":"integer"},"env":{"type":["object","null"]},
          "any":{}},"required":["command"]}})",
      R"({"name":"now"})"};
  DsmlCase how;
  how.tools = DeclaredTools::create(functions).value();
  how.options.start = start;
  return how;
}

DsmlOutcome parse(const DsmlCase& how, std::string_view text) {
  const std::string bytes = dsml(text);
  const DsmlOutcome whole = test::parse_whole(how, bytes);
  std::vector<std::size_t> each;
  for (std::size_t end = 1; end <= bytes.size(); ++end) each.push_back(end);
  CHECK((test::parse_in_pieces(how, bytes, each) == whole));
  return whole;
}

// Content, then each call as name(arguments), a `…` behind one that was cut.
std::string shown(const DsmlOutcome& outcome) {
  std::string text = outcome.content;
  for (const DsmlOutcome::Call& call : outcome.calls)
    text += " " + call.name + "(" + call.arguments + ")" + (call.finished ? "" : "…");
  return text;
}

std::string in_content(std::string_view text) { return shown(parse(with_tools(), text)); }

// One call of bash, with `parameters` inside.
std::string called_with(std::string_view parameters) {
  return in_content("\n\n<Dtool_calls>\n<Dinvoke name=\"bash\">\n" + std::string(parameters) +
                    "\n</Dinvoke>\n</Dtool_calls>");
}

constexpr std::string_view kLs =
    "<Dinvoke name=\"bash\">\n<Dparameter name=\"command\" string=\"true\">ls</Dparameter>\n"
    "</Dinvoke>";

const std::string kLsCall = R"( bash({"command": "ls"}))";

}  // namespace

TEST_CASE("two newlines before a block belong to it, and are content where none follows",
          "[text]") {
  const std::string block = "<Dtool_calls>\n" + std::string(kLs) + "\n</Dtool_calls>";
  CHECK(in_content("a\n\n" + block) == "a" + kLsCall);
  CHECK(in_content("a \n\n\n" + block) == "a \n" + kLsCall);
  CHECK(in_content("a\n" + block) == "a" + kLsCall);
  CHECK(in_content(block) == kLsCall);
  CHECK(in_content("a\n\n<b>\n\n") == "a\n\n<b>\n\n");
  CHECK(in_content("a\n\n<｜DSML｜tool") == "a\n\n<｜DSML｜tool");
}

TEST_CASE("blanks behind a block are dropped, text behind it is kept as it is", "[text]") {
  const std::string block = "\n\n<Dtool_calls>\n" + std::string(kLs) + "\n</Dtool_calls>";
  CHECK(in_content(block + "\n\n") == kLsCall);
  CHECK(in_content(block + "\n bye\n") == "\n bye\n" + kLsCall);
  CHECK(in_content(block + block) == kLsCall + kLsCall);
  CHECK(in_content(block + "\n</think>\n") == kLsCall);
}

TEST_CASE("the wrapper may be missing, misnamed, unclosed or have odd bars", "[text]") {
  const std::string ls(kLs);
  CHECK(in_content("a\n\n" + ls + "\n</Dtool_calls>") == "a" + kLsCall);
  CHECK(in_content("<Dfunction_calls>" + ls + "</Dfunction_calls>") == kLsCall);
  CHECK(in_content("<Dtool_calls>\n" + ls) == kLsCall);
  CHECK(in_content("<Dtool_calls>\n" + ls + "\nThen I wait.\n</Dtool_calls>") ==
        "\nThen I wait." + kLsCall);
  CHECK(in_content("<|DSML|tool_calls ><||DSML|| invoke name=“now” ></｜DSML| invoke>") ==
        " now({})");
}

TEST_CASE("a bare invoke is a call only if it is whole and has what it needs", "[text]") {
  const auto stays = [](std::string_view text) { CHECK(in_content(text) == dsml(text)); };
  stays("Write <Dinvoke name=\"bash\"> to call.");
  stays("<Dinvoke name=\"rm\">\n</Dinvoke>");
  stays("<Dinvoke name=\"bash\">\n</Dinvoke>");
  stays("<Dinvoke name=\"bash\">\n<Dparameter name=\"timeout_ms\">1</Dparameter>\n</Dinvoke>");
  stays("<Dinvoke name=\"bash\">\n<Dparameter name=\"command\">ls");
  stays("<Dinvoke name=\"bash\"> <b>");
  CHECK(in_content("<Dinvoke name=\"bash\">x " + std::string(kLs)) ==
        dsml("<Dinvoke name=\"bash\">x ") + kLsCall);
}

TEST_CASE("a wrapper without a call of a declared tool is text", "[text]") {
  const auto stays = [](std::string_view text) { CHECK(in_content(text) == dsml(text)); };
  stays("<Dtool_calls>");
  stays("<Dtool_calls>\n</Dtool_calls> and on");
  stays("<Dtool_calls>\n<Dinvoke name=\"rm\">\n</Dinvoke>\n</Dtool_calls>");
  stays("<Dtool_calls><Dmagic></Dtool_calls>");
  CHECK(in_content("<Dtool_calls>\n<Dinvoke name=\"rm\">\n</Dinvoke>\n" + std::string(kLs) +
                   "\n<Dinvoke name=\"rm\">x</Dinvoke>\n<Dinvoke name=\"now\">\n\n</Dinvoke>\n"
                   "</Dtool_calls>") == kLsCall + " now({})");
}

TEST_CASE("a block inside the reasoning ends it once its first invoke closes", "[text]") {
  const DsmlCase how = with_tools(DsmlOptions::Start::reasoning);
  const DsmlOutcome called = parse(how, "why\n\n<Dtool_calls>\n" + std::string(kLs));
  CHECK(called.reasoning == "why");
  CHECK(shown(called) == kLsCall);
  const DsmlOutcome prose = parse(how, "say <Dtool_calls>\n<Dinvoke name=\"bash\">\n</think>no");
  CHECK(prose.reasoning == dsml("say <Dtool_calls>\n<Dinvoke name=\"bash\">\n"));
  CHECK(prose.content == "no");
}

TEST_CASE("reasoning ends at its first marker, later ones are removed", "[text]") {
  const DsmlCase how = with_tools(DsmlOptions::Start::reasoning);
  const DsmlOutcome outcome = parse(how, "r\n\n</think>a</think>b</thin");
  CHECK(outcome.reasoning == "r\n\n");
  CHECK(outcome.content == "ab</thin");
  CHECK(parse(how, "only thoughts\n").reasoning == "only thoughts\n");
}

TEST_CASE("without declared tools nothing is a call", "[text]") {
  DsmlCase how;
  how.options.start = DsmlOptions::Start::content;
  const std::string text = "\n\n<Dtool_calls>\n" + std::string(kLs) + "\n</Dtool_calls>";
  CHECK(shown(parse(how, text)) == dsml(text));
}

TEST_CASE("with tool choice none a block is read and dropped", "[text]") {
  DsmlCase how = with_tools();
  how.options.calls = DsmlOptions::Calls::drop;
  const DsmlOutcome outcome = parse(how, "a\n\n<Dtool_calls>\n" + std::string(kLs));
  CHECK(shown(outcome) == "a");
  CHECK(outcome.finish == FinishReason::stop);
}

TEST_CASE("values follow the schema before the mark", "[text]") {
  const auto one = [](std::string_view attributes, std::string_view value) {
    std::string call = called_with("<Dparameter name=" + std::string(attributes) + ">" +
                                   std::string(value) + "</Dparameter>");
    return call.substr(call.find(": ") + 2, call.size() - call.find(": ") - 4);
  };
  CHECK(one(R"("command" string="true")", "\"a\"\n") == R"("\"a\"\n")");
  CHECK(one(R"("command" string="false")", "\"a\"") == R"("a")");
  CHECK(one(R"("command" string="false")", "50") == R"("50")");
  CHECK(one(R"("command")", "7") == R"("7")");
  CHECK(one(R"("timeout_ms" string="true")", "50") == "50");
  CHECK(one(R"("timeout_ms" string="true")", "soon") == R"("soon")");
  CHECK(one(R"("timeout_ms" string="false")", " 50\n") == "50");
  CHECK(one(R"("timeout_ms")", "[1]") == R"("[1]")");
  CHECK(one(R"("env")", R"({"A": 1.0})") == R"({"A": 1.0})");
  CHECK(one(R"("env" string="true")", "null") == "null");
  CHECK(one(R"("any" string="true")", "1") == R"("1")");
  CHECK(one(R"("any" string="false")", "{oops") == R"("{oops")");
  CHECK(one(R"("any")", "true") == "true");
  CHECK(one(R"("any")", "x") == R"("x")");
}

TEST_CASE("a closing tag ends a value only where something of the call follows", "[text]") {
  const auto value = [](std::string_view text) {
    return called_with("<Dparameter name=\"command\" string=\"true\">" + std::string(text) +
                       "</Dparameter>");
  };
  CHECK(value("cmd 2>&1") == R"( bash({"command": "cmd 2>&1"}))");
  CHECK(value("a</Dparameter> b") == " bash({\"command\": \"a</｜DSML｜parameter> b\"})");
  CHECK(value("a<b</") == R"( bash({"command": "a<b</"}))");
  CHECK(value("x</Dtool_calls>y") == " bash({\"command\": \"x</｜DSML｜tool_calls>y\"})");
  CHECK(in_content("<Dtool_calls><Dinvoke name=\"bash\"><Dparameter name=\"command\">ls\n"
                   "</Dtool_calls>\n") == R"( bash({"command": "ls\n"}))");
  CHECK(in_content("<Dtool_calls><Dinvoke name=\"bash\"><Dparameter name=\"command\">ls"
                   "</Dparameter>\n</Dtool_calls>\n") == kLsCall);
}

TEST_CASE("of a parameter that stands twice the first counts, invented tags are skipped",
          "[text]") {
  CHECK(called_with("<Dparameter name=\"any\">1</Dparameter>\n"
                    "<Dparameter name=\"any\">2</Dparameter>") == R"( bash({"any": 1}))");
  CHECK(called_with("<Dnote>x</Dnote><Dparameter name=\"any\">1</Dparameter>") ==
        R"( bash({"any": 1}))");
}

TEST_CASE("a call that is cut stays open and is no result", "[text]") {
  DsmlCase how = with_tools();
  const std::string text = "<Dtool_calls>" + std::string(kLs) +
                           "<Dinvoke name=\"bash\"><Dparameter name=\"command\">rm -rf /tmp";
  how.ended_by = EndedBy::limit;
  const DsmlOutcome cut = parse(how, text);
  CHECK(shown(cut) == kLsCall + R"( bash({"command": "rm -rf /tmp)…)");
  CHECK(cut.message.calls.size() == 1);
  CHECK(cut.finish == FinishReason::length);
  how.ended_by = EndedBy::eos;
  CHECK(parse(how, text).finish == FinishReason::tool_calls);
  CHECK(parse(how, text.substr(0, 13) + text.substr(13 + kLs.size())).finish == FinishReason::stop);
  CHECK(shown(parse(how, "<Dtool_calls>" + std::string(kLs) + "\n</Dtool_c")) == kLsCall);
}

TEST_CASE("the raw bytes of the calls are the block as it was sampled", "[text]") {
  const std::string block = dsml("\n\n<Dtool_calls>\n\n" + std::string(kLs) + " \n" +
                                 "<Dinvoke name=\"rm\">x</Dinvoke>\n<Dinvoke name=\"now\">\n" +
                                 "<Dparameter name=\"n\" string=\"false\">1.0</Dparameter>\xE4" +
                                 "</Dinvoke>\n</Dtool_calls>");
  const DsmlOutcome outcome = test::parse_whole(with_tools(), "text" + block + "\n");
  REQUIRE(outcome.message.calls.size() == 2);
  CHECK(outcome.message.calls[0].raw + outcome.message.calls[1].raw == block);
}

TEST_CASE("what is held back has a bound, beyond which it is text", "[text]") {
  const std::string junk(2 * DsmlParser::kHeldBytesMax, 'x');
  const std::string wrapped = dsml("\n\n<Dtool_calls>") + junk + dsml(kLs);
  const DsmlOutcome outcome = test::parse_whole(with_tools(), wrapped);
  CHECK(outcome.content == dsml("\n\n<Dtool_calls>") + junk);
  CHECK(outcome.calls.size() == 1);  // by itself, as a bare one
  const std::string bare = dsml("<Dinvoke name=\"bash\"><Dparameter name=\"command\">") + junk +
                           dsml("</Dparameter></Dinvoke>");
  CHECK((test::parse_whole(with_tools(), bare).content == bare));
  DsmlCase how = with_tools();
  std::vector<std::size_t> ends;
  for (std::size_t at = 0; at < wrapped.size();)
    ends.push_back(at = std::min(wrapped.size(), at + 1000));
  CHECK((test::parse_in_pieces(how, wrapped, ends) == outcome));
}

TEST_CASE("bytes that are not UTF-8 become replacement characters in whatever they are", "[text]") {
  const DsmlOutcome outcome = test::parse_whole(
      with_tools(), dsml("a\xE4\n\n<Dtool_calls><Dinvoke name=\"bash\"><Dparameter "
                         "name=\"command\">\xF0\x9F</Dparameter></Dinvoke>"));
  CHECK(outcome.content == "a\uFFFD");
  CHECK(outcome.message.calls[0].arguments == "{\"command\": \"\uFFFD\"}");
}

TEST_CASE("random rubbish of markers parses the same however it is cut", "[text]") {
  const std::vector<std::string> parts = {"</think>",
                                          "\n",
                                          "\n\n",
                                          " ",
                                          "text",
                                          "<",
                                          "</",
                                          dsml("<Dtool_calls>"),
                                          dsml("</Dtool_calls>"),
                                          dsml("<Dinvoke name=\"bash\">"),
                                          dsml("<Dinvoke name=\"now\">"),
                                          dsml("<Dinvoke name=\"rm\">"),
                                          dsml("</Dinvoke>"),
                                          "｜DSML｜",
                                          "\xE4",
                                          "é",
                                          dsml("<Dparameter name=\"command\" string=\"true\">"),
                                          dsml("<Dparameter name=\"any\">"),
                                          dsml("<Dparameter name=\"timeout_ms\" string=\"false\">"),
                                          dsml("</Dparameter>"),
                                          "1"};
  std::mt19937 random(1);
  for (std::size_t i = 0; i < 3'000; ++i) {
    std::string bytes;
    for (std::size_t n = 1 + random() % 16; n > 0; --n) bytes += parts[random() % parts.size()];
    const DsmlCase how =
        with_tools(i % 2 == 0 ? DsmlOptions::Start::reasoning : DsmlOptions::Start::content);
    const DsmlOutcome whole = test::parse_whole(how, bytes);
    std::vector<std::size_t> ends;
    for (std::size_t at = 0; at < bytes.size();)
      ends.push_back(at = std::min(bytes.size(), at + 1 + random() % (1 + i % 9)));
    if (test::parse_in_pieces(how, bytes, ends) != whole) FAIL("differs: " << bytes);
  }
}
