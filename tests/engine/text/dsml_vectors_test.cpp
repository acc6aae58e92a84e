// The parser against vectors: completions that the official encoder parsed, and malformed ones with
// the outcome that api rules ask for. Each in every cut into two, byte by byte, and in random cuts.
#include "engine/text/json_value.hpp"
#include "engine/text/python_json.hpp"
#include "engine/text/special_token.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/dsml_streams.hpp"
#include "tests/support/skip.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/support/vectors.hpp"

#include <random>

using namespace fathom;
using namespace fathom::engine;
using test::DsmlCase;
using test::DsmlOutcome;

namespace {

DsmlOutcome parse_every_way(const DsmlCase& how, std::string_view bytes) {
  const DsmlOutcome whole = test::parse_whole(how, bytes);
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut)
    if (test::parse_in_pieces(how, bytes, {cut, bytes.size()}) != whole)
      FAIL("cut at " << cut << " gives another result");
  std::vector<std::size_t> each;
  for (std::size_t end = 1; end <= bytes.size(); ++end) each.push_back(end);
  CHECK((test::parse_in_pieces(how, bytes, each) == whole));
  std::mt19937 random(1);
  for (int i = 0; i < 50; ++i) {
    std::vector<std::size_t> ends;
    for (std::size_t at = 0; at < bytes.size();)
      ends.push_back(at = std::min(bytes.size(), at + 1 + random() % 12));
    CHECK((test::parse_in_pieces(how, bytes, ends) == whole));
  }
  return whole;
}

std::string text_of(const JsonValue* value) { return value ? value->text : std::string(); }

DsmlOptions::Start start_of(const JsonValue& vector) {
  return text_of(vector.find("thinking_mode")) == "chat" ? DsmlOptions::Start::content
                                                         : DsmlOptions::Start::reasoning;
}

std::string printed(std::string_view json) {
  const auto value = parse_json(json);
  return value ? to_python_json(*value) : "not JSON: " + std::string(json);
}

// Vectors of the official parser: its tools are declared, their schemas unknown.
void check_parse_vector(const JsonValue& vector) {
  INFO(text_of(vector.find("name")));
  DsmlCase how;
  std::vector<std::string> functions;
  for (std::string_view name : {"a", "b", "bash", "w"})
    functions.push_back(R"({"name":")" + std::string(name) + "\"}");
  how.tools = DeclaredTools::create(functions).value();
  how.options.start = start_of(vector);
  std::string bytes = text_of(vector.find("completion"));
  if (bytes.ends_with(special::kEos)) bytes.resize(bytes.size() - special::kEos.size());
  const DsmlOutcome outcome = parse_every_way(how, bytes);
  const JsonValue* message = vector.find("reference")->find("message");
  if (!message) return;
  CHECK(outcome.message.text == text_of(message->find("content")));
  CHECK(outcome.message.reasoning == text_of(message->find("reasoning_content")));
  const auto& calls = message->find("tool_calls")->items;
  REQUIRE(outcome.message.calls.size() == calls.size());
  for (std::size_t i = 0; i < calls.size(); ++i) {
    const JsonValue* function = calls[i].find("function");
    const std::string arguments = text_of(function->find("arguments"));
    CHECK(outcome.message.calls[i].name == text_of(function->find("name")));
    // The reference pastes what is not JSON; a client cannot read that, so here it is a string.
    if (parse_json(arguments)) CHECK(outcome.message.calls[i].arguments == arguments);
    CHECK(parse_json(outcome.message.calls[i].arguments));
  }
}

void check_robust_vector(const JsonValue& vector) {
  INFO(text_of(vector.find("name")));
  DsmlCase how;
  std::vector<std::string> functions;
  for (const JsonValue& tool : vector.find("tools")->items)
    functions.push_back(to_python_json(*tool.find("function")));
  how.tools = DeclaredTools::create(functions).value();
  how.options.start = start_of(vector);
  if (text_of(vector.find("tool_choice")) == "none") how.options.calls = DsmlOptions::Calls::drop;
  if (text_of(vector.find("ended_by")) == "limit") how.ended_by = EndedBy::limit;
  const DsmlOutcome outcome = parse_every_way(how, text_of(vector.find("completion")));
  const JsonValue& expected = *vector.find("expected");
  constexpr std::string_view kReasons[] = {"stop", "length", "tool_calls"};
  CHECK(outcome.message.reasoning == text_of(expected.find("reasoning_content")));
  CHECK(outcome.message.text == text_of(expected.find("content")));
  CHECK(kReasons[static_cast<std::size_t>(outcome.finish)] ==
        text_of(expected.find("finish_reason")));
  const auto& calls = expected.find("tool_calls")->items;
  REQUIRE(outcome.message.calls.size() == calls.size());
  for (std::size_t i = 0; i < calls.size(); ++i) {
    CHECK(outcome.message.calls[i].name == text_of(calls[i].find("name")));
    CHECK(printed(outcome.message.calls[i].arguments) ==
          to_python_json(*calls[i].find("arguments")));
  }
}

std::size_t check_vectors(const std::filesystem::path& folder) {
  std::size_t checked = 0;
  for (const auto& path : test::files_in(folder, "_vectors.json")) {
    const JsonValue vectors = parse_json(test::slurp(path)).value();
    for (const JsonValue& vector : vectors.items) {
      vector.find("reference") ? check_parse_vector(vector) : check_robust_vector(vector);
      ++checked;
    }
  }
  return checked;
}

}  // namespace

TEST_CASE("our own completions parse as they should, however they are cut", "[golden]") {
  CHECK(check_vectors("tests/golden/encoding") >= 22);
}

TEST_CASE("all public completions parse as they should, however they are cut", "[golden]") {
  const auto folder = test::vectors_dir() / "encoding" / "public";
  if (check_vectors(folder) == 0)
    test::skip("no vectors in " + folder.string() +
               ": only those in tests/golden/encoding were parsed (set FATHOM_VECTORS)");
}
