#include "tests/tidy/sources.hpp"

#include "tests/support/catch.hpp"

using namespace fathom::tidy;

namespace {

Findings check(std::string cmake) {
  return check_sources({{"a/CMakeLists.txt", std::move(cmake)}, {"a/b/x.cpp", ""}});
}

}  // namespace

TEST_CASE("a source is listed relative to its CMakeLists.txt or to the root", "[tests]") {
  CHECK(check("add_library(a b/x.cpp)").empty());
  CHECK(check("set(all ${CMAKE_CURRENT_SOURCE_DIR}/b/x.cpp)").empty());
  CHECK(check("set(all \"${CMAKE_SOURCE_DIR}/a/b/x.cpp\")").empty());
  CHECK(check("set(all ../a/b/x.cpp)").empty());
  CHECK(check("foreach(case x y)\n add_executable(${case} b/${case}.cpp)\nendforeach()").empty());
}

TEST_CASE("a source that no CMakeLists.txt lists is reported", "[tests]") {
  const Findings unlisted = {
      {"a/b/x.cpp", 1, "no CMakeLists.txt lists it: add it to a/CMakeLists.txt"}};
  CHECK(check("# b/x.cpp") == unlisted);
  CHECK(check("file(GLOB all b/*.cpp)") == unlisted);
  CHECK(check("foreach(case x)\n use(${case}.cpp)") == unlisted);
}

TEST_CASE("tests in different folders may share a helper, one folder lists it once", "[tests]") {
  const auto check_shared = [](std::string first, std::string second) {
    return check_sources({{"tests/a/CMakeLists.txt", std::move(first)},
                          {"tests/b/CMakeLists.txt", std::move(second)},
                          {"tests/support/x.cpp", ""}});
  };
  CHECK(check_shared("../support/x.cpp", "../support/x.cpp").empty());
  CHECK(check_shared("../support/x.cpp ../support/x.cpp", "").size() == 1);
}

TEST_CASE("a source listed twice or not there is reported where it is listed", "[tests]") {
  CHECK(check("b/x.cpp\nb/x.cpp") ==
        Findings{{"a/CMakeLists.txt", 2,
                  "a/b/x.cpp is already listed in a/CMakeLists.txt:1: drop one of them"}});
  CHECK(
      check("b/x.cpp\nb/y.cpp") ==
      Findings{{"a/CMakeLists.txt", 2, "a/b/y.cpp does not exist: add the file or drop the line"}});
  CHECK(check("b/x.cpp\nset_source_files_properties(b/x.cpp PROPERTIES A 1)").empty());
  CHECK(check("b/x.cpp ${CMAKE_CURRENT_BINARY_DIR}/made.cpp").empty());
}
