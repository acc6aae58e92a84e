#include "tools/reports/kept_baseline.hpp"

#include "tests/support/catch.hpp"

namespace fathom::tools {
namespace {

TEST_CASE("a kept baseline reads back as it was", "[tools]") {
  const KeptBaseline kept{"01RUN",
                          "/repo",
                          {"go", "test"},
                          {{"a::\"quoted\"\n", CaseStatus::passed},
                           {"b", CaseStatus::failed},
                           {"c", CaseStatus::error},
                           {"ä", CaseStatus::skipped}}};
  const auto text = to_text(kept);
  REQUIRE(text);
  const auto back = parse_kept_baseline(*text);
  REQUIRE(back);
  CHECK(*back == kept);
}

TEST_CASE("what is no kept baseline is refused", "[tools]") {
  for (const char* text :
       {"", "{", "[]", "null", R"({"version":2})",
        R"({"version":1,"run":"r","workspace":"w","command":[]})",
        R"({"version":1,"run":1,"workspace":"w","command":[],"cases":{}})",
        R"({"version":1,"run":"r","workspace":"w","command":["x",1],"cases":{}})",
        R"({"version":1,"run":"r","workspace":"w","command":[],"cases":{"passed":["a"]}})",
        R"({"version":1,"run":"r","workspace":"w","command":[],)"
        R"("cases":{"passed":[[["a"]]],"failed":[],"error":[],"skipped":[]}})"}) {
    INFO(text);
    const auto kept = parse_kept_baseline(text);
    REQUIRE_FALSE(kept);
    CHECK(kept.error().code == ErrorCode::bad_data);
  }
}

TEST_CASE("names beyond the bound are not kept", "[tools]") {
  KeptBaseline kept;
  for (std::size_t i = 0; i * kCaseNameBytesMax < kKeptBaselineBytesMax; ++i)
    kept.cases.emplace(std::to_string(i) + std::string(kCaseNameBytesMax, 'x'), CaseStatus::passed);
  const auto text = to_text(kept);
  REQUIRE_FALSE(text);
  CHECK(text.error().code == ErrorCode::too_large);
}

}  // namespace
}  // namespace fathom::tools
