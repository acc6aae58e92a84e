#include "runtime/base/ids.hpp"

#include "tests/support/catch.hpp"

#include <set>

using namespace fathom;

TEST_CASE("a ULID survives its text form", "[runtime]") {
  UlidSource source(7);
  for (std::uint64_t ms = 1'700'000'000'000; ms < 1'700'000'000'500; ++ms) {
    const Ulid id = source.next(ms);
    CHECK(id.unix_ms() == ms);
    CHECK(Ulid::parse(id.to_string()).value() == id);
  }
}

TEST_CASE("the text form is the one of the ULID specification", "[runtime]") {
  // The specification's own example.
  const Ulid id = Ulid::parse("01ARZ3NDEKTSV4RRFFQ69G5FAV").value();
  CHECK(id.unix_ms() == 1469922850259);
  CHECK(id.to_string() == "01ARZ3NDEKTSV4RRFFQ69G5FAV");
  CHECK(Ulid::parse("01arz3ndektsv4rrffq69g5fav").value() == id);
  CHECK(Ulid::parse("7ZZZZZZZZZZZZZZZZZZZZZZZZZ").has_value());
}

TEST_CASE("text that is no ULID is refused by name", "[runtime]") {
  CHECK(Ulid::parse("").error().code == ErrorCode::bad_data);
  CHECK(Ulid::parse("01ARZ3NDEKTSV4RRFFQ69G5FA").error().code == ErrorCode::bad_data);
  CHECK(Ulid::parse("01ARZ3NDEKTSV4RRFFQ69G5FAU").error().message ==
        "id '01ARZ3NDEKTSV4RRFFQ69G5FAU' holds a character outside Crockford's base 32");
  CHECK(Ulid::parse("8ZZZZZZZZZZZZZZZZZZZZZZZZZ").error().message ==
        "id '8ZZZZZZZZZZZZZZZZZZZZZZZZZ' is larger than a ULID can be");
}

TEST_CASE("ids strictly increase, also when the clock does not", "[runtime]") {
  UlidSource source(1);
  Ulid last = source.next(1000);
  for (std::uint64_t ms : {1000u, 1000u, 999u, 5u, 1001u, 1001u, 1000u}) {
    const Ulid next = source.next(ms);
    CHECK(next > last);
    CHECK(next.to_string() > last.to_string());
    last = next;
  }
}

TEST_CASE("the same seed gives the same ids, another seed others", "[runtime]") {
  CHECK(UlidSource(3).next(5) == UlidSource(3).next(5));
  CHECK(UlidSource(3).next(5) != UlidSource(4).next(5));
}
