#include "tests/tidy/functions.hpp"

#include "tests/support/catch.hpp"

using namespace fathom::tidy;

namespace {

std::vector<Function> functions_in(std::string_view text) { return functions_of(lex(text)); }

using Functions = std::vector<Function>;

}  // namespace

TEST_CASE("functions are found in namespaces and classes, and nothing else is one", "[tests]") {
  CHECK(functions_in(R"(namespace a::b {
class X final : public Base<int> {
 public:
  X() : a_(1), b_{2} {
  }
  bool operator()(int x) const { return x; }
 private:
  int a_{3};
};
enum class E { a, b };
extern "C" {
int f(struct stat s = {}) {
  if (s) {
  }
}
}
}  // namespace
)") == Functions{{"X", 4, 5}, {"operator", 6, 6}, {"f", 12, 15}});
}

TEST_CASE("a table is no function, a named lambda is", "[tests]") {
  CHECK(functions_in("const std::map<int, int> kTable = {\n{1, 2},\n};").empty());
  CHECK(functions_in("auto kTable = make({\n1,\n});").empty());
  CHECK(functions_in("constexpr auto twice = [](int x) {\nreturn x;\n};") ==
        Functions{{"twice", 1, 3}});
}

TEST_CASE("templates, operators and trailing types do not hide a function", "[tests]") {
  CHECK(functions_in("template <class T = void>\n requires std::integral<T>\nauto f(T x) -> "
                     "std::vector<T> {\n}") == Functions{{"f", 3, 4}});
  CHECK(functions_in("bool operator<(X a, X b) { return a == b; }") ==
        Functions{{"operator", 1, 1}});
  CHECK(functions_in("std::function<void(int)> make(int x) {\n}") == Functions{{"make", 1, 2}});
  CHECK(functions_in("struct stat look() {\n}") == Functions{{"look", 1, 2}});
}

TEST_CASE("lambdas and local classes count in the function around them", "[tests]") {
  CHECK(functions_in("void f() {\nauto g = [] {\n};\nstruct L {\nvoid h() {\n}\n};\n}") ==
        Functions{{"f", 1, 8}});
}

TEST_CASE("a brace that two branches open is opened once", "[tests]") {
  CHECK(functions_in("#if A\nvoid f() {\n#else\nvoid f(int) {\n#endif\n}\nvoid g() {\n}") ==
        Functions{{"f", 2, 6}, {"g", 7, 8}});
}

TEST_CASE("braces that do not match are no reason to fail", "[tests]") {
  CHECK(functions_in("}}} void f() { }") == Functions{{"f", 1, 1}});
  CHECK(functions_in("void f() { {").empty());
  CHECK(functions_in("#endif\n#else\nvoid f() {").empty());
}
