// Measures grammars at DeepSeek's vocabulary size: preparing the vocabulary, compiling, masks and
// accepting along recorded calls and JSON, each mask beside a memcpy of as many bytes.
//
// The vocabulary is made up (bytes, fragments of code and JSON, words, CJK); how far the real one
// differs in tokens that hold quotes is not known here. `./dev bench` builds it.
//
// On one of two 2.3 GHz Xeon cores, microseconds, p50 and p99, states new to a fresh grammar and
// states seen before together (goals 5 and 50): tool calls 0.5 and 22, JSON by schema 0.9 and 39,
// any JSON object 0.9 and 109; a memcpy of a mask 0.16. Compiling four tools 240 (goal 10,000),
// accepting a token 0.10; preparing the vocabulary 138 ms.
#include "tests/engine/text/grammar_fixture.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>

using namespace fathom::engine;
using namespace fathom::engine::test;

namespace {

constexpr std::size_t kTokens = 129'280;
constexpr int kRounds = 200;

template <class Work>
double microseconds(Work work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start)
      .count();
}

double share(std::vector<double>& values, double part) {
  std::ranges::sort(values);
  return values[static_cast<std::size_t>(part * static_cast<double>(values.size() - 1))];
}

void print(const char* name, std::vector<double>& values) {
  std::printf("%-34s p50 %8.2f us   p99 %8.2f us   max %8.2f us\n", name, share(values, 0.5),
              share(values, 0.99), share(values, 1));
}

const std::vector<GrammarTool>& tools() {
  static const std::vector<GrammarTool> made = {
      {"read_file", R"({"type":"object","properties":{"path":{"type":"string"},
         "first_line":{"type":"integer"},"last_line":{"type":"integer"}},"required":["path"]})"},
      {"edit_file", R"({"type":"object","properties":{"path":{"type":"string"},
         "edits":{"type":"array","items":{"type":"object","properties":{
           "old":{"type":"string"},"new":{"type":"string"},"all":{"type":"boolean"}},
           "required":["old","new"]},"minItems":1,"maxItems":20}},"required":["path","edits"]})"},
      {"shell", R"({"type":"object","properties":{"command":{"type":"string"},
         "timeout_s":{"type":"integer","minimum":1,"maximum":600},
         "env":{"type":"object","additionalProperties":{"type":"string"}}},
         "required":["command"]})"},
      {"search", R"({"type":"object","properties":{"pattern":{"type":"string"},
         "paths":{"type":"array","items":{"type":"string"}},
         "mode":{"enum":["content","files","count"]}},"required":["pattern"]})"}};
  return made;
}

constexpr std::string_view kCalls =
    "I will change the file.\n\n<｜DSML｜tool_calls>\n<｜DSML｜invoke name=\"edit_file\">\n"
    "<｜DSML｜parameter name=\"path\" string=\"true\">engine/text/grammar.cpp</｜DSML｜parameter>\n"
    "<｜DSML｜parameter name=\"edits\" string=\"false\">[{\"old\": \"int x = 1;\\n  return x;\", "
    "\"new\": \"int value = 1;\\n  return \\\"value\\\";\", \"all\": false}, {\"old\": \"a\", "
    "\"new\": \"b, \\u00e9 \xE4\xB8\xAD\"}]</｜DSML｜parameter>\n</｜DSML｜invoke>\n"
    "<｜DSML｜invoke name=\"shell\">\n<｜DSML｜parameter name=\"command\" string=\"true\">"
    "./dev test -L unit 2>&1 | tail -20</｜DSML｜parameter>\n"
    "<｜DSML｜parameter name=\"env\" string=\"false\">{\"PATH\": \"/usr/bin\", \"LANG\": \"C\"}"
    "</｜DSML｜parameter>\n</｜DSML｜invoke>\n</｜DSML｜tool_calls>";

constexpr std::string_view kDocument =
    "{\"title\": \"A report\", \"items\": [{\"name\": \"first\", \"score\": 12.5, \"tags\": "
    "[\"a\", "
    "\"b\"]}, {\"name\": \"second one\", \"score\": -3, \"tags\": []}], \"summary\": \"Everything "
    "that was measured, and what it means; see the tables.\", \"done\": true}";

struct Figures {
  std::vector<double> first;  ///< the first time a state is seen
  std::vector<double> again;
  std::vector<double> accept;
};

// Along `text`, with states seen for the first time in a fresh grammar, then again.
template <class Make>
void measure(const char* name, const TestVocabulary& vocabulary, std::string_view text, Make make) {
  Figures figures;
  std::vector<double> compile;
  std::vector<std::uint64_t> mask(vocabulary.prepared()->mask_words());
  Dice dice(1);
  for (int round = 0; round < kRounds; ++round) {
    std::shared_ptr<const Grammar> grammar;
    compile.push_back(microseconds([&] { grammar = make(); }));
    const auto tokens = round % 2 == 0 ? vocabulary.cut_greedily(text) : vocabulary.cut(text, dice);
    for (std::vector<double>* masks : {&figures.first, &figures.again}) {
      GrammarState state(grammar);
      for (const TokenId token : tokens) {
        masks->push_back(microseconds([&] { state.mask(mask); }));
        bool taken = false;
        figures.accept.push_back(microseconds([&] { taken = state.accept(token); }));
        if (!taken) {
          std::printf("%s: refused '%s'\n", name, std::string(vocabulary.text_of(token)).c_str());
          return;
        }
      }
    }
  }
  std::printf("%s\n", name);
  print("  compile   (goal 10,000)", compile);
  print("  mask, state new to the grammar", figures.first);
  print("  mask, state seen before", figures.again);
  std::vector<double> all = figures.first;
  all.insert(all.end(), figures.again.begin(), figures.again.end());
  print("  mask, both  (goals 5 and 50)", all);
  print("  accept", figures.accept);
}

void measure_peers() {
  std::vector<std::uint64_t> from(kTokens / 64, 1);
  std::vector<std::uint64_t> to(from.size());
  std::vector<double> copies;
  for (int i = 0; i < 10'000; ++i) {
    copies.push_back(microseconds([&] {
      std::memcpy(to.data(), from.data(), to.size() * sizeof to[0]);
      asm volatile("" : : "r"(to.data()) : "memory");
    }));
    from[static_cast<std::size_t>(i) % from.size()] += to[0];
  }
  print("memcpy of 16 KB (and the clock)", copies);
}

}  // namespace

int main() {
  const TestVocabulary vocabulary(kTokens);
  std::shared_ptr<const GrammarVocabulary> prepared;
  const double took =
      microseconds([&] { prepared = GrammarVocabulary::create(vocabulary.view()).value(); });
  std::printf("vocabulary of %zu tokens, %zu trie nodes: prepared in %.0f ms\n", prepared->size(),
              prepared->trie().nodes().size(), took / 1000);
  measure_peers();
  measure("tool calls, automatic, 4 tools", vocabulary, kCalls,
          [&] { return Grammar::tool_calls(prepared, tools()).value(); });
  measure("JSON by schema", vocabulary, kDocument, [&] {
    return Grammar::json_schema(prepared, R"({"type":"object","properties":{
        "title":{"type":"string"},"items":{"type":"array","items":{"type":"object","properties":{
          "name":{"type":"string","maxLength":100},"score":{"type":"number"},
          "tags":{"type":"array","items":{"type":"string"}}},"required":["name"]}},
        "summary":{"type":"string"},"done":{"type":"boolean"}},"required":["title","items"]})")
        .value();
  });
  measure("any JSON object", vocabulary, kDocument,
          [&] { return Grammar::json_object(prepared).value(); });
}
