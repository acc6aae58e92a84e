#include "runtime/base/result.hpp"

#include "tests/support/catch.hpp"

#include <cerrno>
#include <memory>

using namespace fathom;

namespace {

Result<int> parse_digit(char c) {
  if (c < '0' || c > '9') return fail(ErrorCode::bad_data, std::string("'") + c + "' is no digit");
  return c - '0';
}

Result<int> sum(std::string_view digits) {
  int total = 0;
  for (char c : digits) total += TRY(parse_digit(c));
  return total;
}

Result<std::unique_ptr<int>> boxed(char c) { return std::make_unique<int>(TRY(parse_digit(c))); }

Result<> check(char c) {
  const std::unique_ptr<int> box = TRY(boxed(c));
  TRY(Result<>{});
  return {};
}

}  // namespace

TEST_CASE("TRY yields the value or returns the error", "[runtime]") {
  CHECK(sum("123").value() == 6);
  CHECK(sum("1x3").error() == Error{ErrorCode::bad_data, "'x' is no digit"});
  CHECK(*boxed('7').value() == 7);
  CHECK(check('7').has_value());
  CHECK(check('q').error().message == "'q' is no digit");
}

TEST_CASE("context reads from the outside in and keeps the code", "[runtime]") {
  const Error error = context("load ci.yaml", Error{ErrorCode::bad_data, "line 12: unknown key"});
  CHECK(error == Error{ErrorCode::bad_data, "load ci.yaml: line 12: unknown key"});
}

TEST_CASE("a failed system call becomes the code that callers act on", "[runtime]") {
  CHECK(system_error("open x", ENOENT).code == ErrorCode::not_found);
  CHECK(system_error("open x", EACCES).code == ErrorCode::permission);
  CHECK(system_error("write x", ENOSPC).code == ErrorCode::disk_full);
  CHECK(system_error("bind x", EADDRINUSE).code == ErrorCode::in_use);
  CHECK(system_error("read x", EIO).code == ErrorCode::io);
  CHECK(system_error("open x", ENOENT).message == "open x: No such file or directory");
}

TEST_CASE("every error code has its own name", "[runtime]") {
  std::string_view last = name_of(ErrorCode::usage);
  for (int i = 1; i <= static_cast<int>(ErrorCode::unsupported); ++i) {
    const auto name = name_of(static_cast<ErrorCode>(i));
    CHECK(name != last);
    CHECK(name != "unknown");
    last = name;
  }
}
