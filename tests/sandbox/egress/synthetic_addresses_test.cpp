#include "sandbox/egress/synthetic_addresses.hpp"

#include "tests/support/catch.hpp"

#include <set>

using namespace fathom::sandbox;

TEST_CASE("a name keeps its address and an address its name", "[sandbox-egress]") {
  SyntheticAddresses table;
  const auto a = table.address_of("a.test");
  const auto b = table.address_of("b.test");
  CHECK(a.to_string() == "198.18.0.1");
  CHECK(b != a);
  CHECK(table.address_of("a.test") == a);
  CHECK(table.name_of(a) == "a.test");
  CHECK(table.name_of(b) == "b.test");
  CHECK_FALSE(table.name_of(boost::asio::ip::make_address_v4("198.18.0.3")));
}

TEST_CASE("the name that was used longest ago is forgotten, and its address rests",
          "[sandbox-egress]") {
  SyntheticAddresses table(2);
  const auto a = table.address_of("a.test");
  const auto b = table.address_of("b.test");
  (void)table.name_of(a);  // a connection counts as use
  const auto c = table.address_of("c.test");
  CHECK(table.size() == 2);
  CHECK_FALSE(table.name_of(b));
  CHECK(table.name_of(a) == "a.test");
  CHECK(c != b);
  CHECK(table.address_of("b.test") != b);
}

TEST_CASE("addresses stay in their range and come back only after all others", "[sandbox-egress]") {
  SyntheticAddresses table(3);
  const auto kept = table.address_of("kept.test");
  std::set<std::uint32_t> seen;
  for (int i = 0; i < 131'069; ++i) {
    (void)table.name_of(kept);
    const auto address = table.address_of("n" + std::to_string(i) + ".test");
    CHECK(SyntheticAddresses::contains(address));
    seen.insert(address.to_uint());
  }
  CHECK(seen.size() == 131'069);
  CHECK_FALSE(seen.contains(kept.to_uint()));
  // The table is once around: the next address is free again, and not the one still in use.
  CHECK(table.address_of("again.test").to_string() == "198.18.0.2");
}

TEST_CASE("the range is 198.18.0.0/15", "[sandbox-egress]") {
  const auto in = [](const char* text) {
    return SyntheticAddresses::contains(boost::asio::ip::make_address_v4(text));
  };
  CHECK(in("198.18.0.0"));
  CHECK(in("198.19.255.255"));
  CHECK_FALSE(in("198.17.255.255"));
  CHECK_FALSE(in("198.20.0.0"));
  CHECK_FALSE(in("0.0.0.0"));
}
