#include "policies/yaml_value.hpp"

#include "tests/support/catch.hpp"

#include <array>

using namespace fathom;
using namespace fathom::policies;

namespace {

constexpr std::array<std::string_view, 3> kVerdicts = {"allow", "ask", "deny"};

// The value of `a` in a document of one line.
struct Fixture {
  YamlNode root;
  explicit Fixture(const std::string& text) : root(parse_yaml("a: " + text + "\n", "f").value()) {}
  [[nodiscard]] YamlValue a() const { return YamlValue("f", root, "").require("a").value(); }
};

template <class T>
std::string error_of(const Result<T>& result) {
  return result ? "accepted" : result.error().message;
}

}  // namespace

TEST_CASE("typed values are read exactly", "[policies]") {
  CHECK(Fixture("x y").a().text().value() == "x y");
  CHECK(Fixture("true").a().boolean().value());
  CHECK(Fixture("42").a().integer(0, 42).value() == 42);
  CHECK(Fixture("4GiB").a().size(0, kYamlBytesMax << 20).value() == 4ULL << 30);
  CHECK(Fixture("10m").a().duration().value() == std::chrono::minutes(10));
  CHECK(Fixture("ask").a().choice(kVerdicts).value() == 1);
  CHECK(Fixture("[1, 2]").a().items(2).value()[1].path() == "a[1]");
  CHECK(Fixture("{b: 1}").a().fields(1).value()[0].value.path() == "a.b");
}

TEST_CASE("a value of the wrong type names its place and the fix", "[policies]") {
  CHECK(error_of(Fixture("[x]").a().text()) ==
        "f: line 1: column 4: a: a list where text should be");
  CHECK(error_of(Fixture("~").a().text()).find("nothing where text should be") !=
        std::string::npos);
  CHECK(error_of(Fixture("true").a().text()).find("(write \"true\")") != std::string::npos);
  CHECK(error_of(Fixture("\"\"").a().text()).find("is empty") != std::string::npos);
  CHECK(error_of(Fixture("\"x\\ny\"").a().text()).find("line break") != std::string::npos);
  CHECK(error_of(Fixture("\"true\"").a().boolean()).find("(remove the quotes)") !=
        std::string::npos);
  CHECK(error_of(Fixture("1").a().boolean()).find("'1' where true or false") != std::string::npos);
  CHECK(error_of(Fixture("alow").a().choice(kVerdicts))
            .find("unknown word 'alow' (did you mean 'allow'?)") != std::string::npos);
  CHECK(error_of(Fixture("x").a().items(3)).find("text where a list should be") !=
        std::string::npos);
  CHECK(error_of(Fixture("[1, 2]").a().items(1)).find("a list of more than 1") !=
        std::string::npos);
  for (const char* number :
       {"-1", "+1", "01", "0x10", "1e3", "1.0", "43", "\"42\"", "99999999999999999999"})
    CHECK(error_of(Fixture(number).a().integer(0, 42)).find("(between 0 and 42)") !=
          std::string::npos);
  for (const char* size : {"4GB", "4 GiB", "1.5GiB", "GiB", "-1", "99999999TiB", "4gib"})
    CHECK(error_of(Fixture(size).a().size(0, ~0ULL)).find("is no size") != std::string::npos);
  CHECK(error_of(Fixture("1KiB").a().size(2048, 4096)).find("(between 2KiB and 4KiB)") !=
        std::string::npos);
  for (const char* duration : {"10", "10 m", "0s", "1.5h", "m", "99999h"})
    CHECK(error_of(Fixture(duration).a().duration()).find("is no duration") != std::string::npos);
}

TEST_CASE("an unknown key is answered with the nearest one", "[policies]") {
  const YamlNode root = parse_yaml("x: 1\nexec:\n  alow: 1\n", "f").value();
  const YamlValue exec = YamlValue("f", root, "").require("exec").value();
  CHECK(error_of(exec.fields(kVerdicts)) ==
        "f: line 3: column 3: exec: unknown key 'alow' (did you mean 'allow'?)");
  CHECK(error_of(YamlValue("f", root, "").require("kind")) ==
        "f: line 1: column 1: 'kind' is missing (add 'kind: …')");
  CHECK(did_you_mean("zzzz", kVerdicts) == "'zzzz' (one of: allow, ask, deny)");
}
