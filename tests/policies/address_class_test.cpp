#include "policies/address_class.hpp"

#include "tests/support/catch.hpp"

#include <vector>

using namespace fathom::policies;

TEST_CASE("every address has the class of what it reaches", "[policies]") {
  const std::vector<std::pair<const char*, AddressClass>> cases = {
      {"8.8.8.8", AddressClass::public_address},
      {"1.1.1.1", AddressClass::public_address},
      {"9.255.255.255", AddressClass::public_address},
      {"11.0.0.0", AddressClass::public_address},
      {"172.15.255.255", AddressClass::public_address},
      {"172.32.0.0", AddressClass::public_address},
      {"192.167.255.255", AddressClass::public_address},
      {"100.63.255.255", AddressClass::public_address},
      {"100.128.0.0", AddressClass::public_address},
      {"223.255.255.255", AddressClass::public_address},
      {"2606:4700:4700::1111", AddressClass::public_address},
      {"127.0.0.1", AddressClass::loopback},
      {"127.255.255.254", AddressClass::loopback},
      {"::1", AddressClass::loopback},
      {"::ffff:127.0.0.1", AddressClass::loopback},
      {"::127.0.0.1", AddressClass::loopback},
      {"64:ff9b::7f00:1", AddressClass::loopback},
      {"2002:7f00:1::", AddressClass::loopback},
      {"169.254.169.254", AddressClass::metadata},
      {"::ffff:a9fe:a9fe", AddressClass::metadata},
      {"64:ff9b::169.254.169.254", AddressClass::metadata},
      {"2002:a9fe:a9fe::1", AddressClass::metadata},
      {"169.254.170.2", AddressClass::metadata},
      {"100.100.100.200", AddressClass::metadata},
      {"168.63.129.16", AddressClass::metadata},
      {"192.0.0.192", AddressClass::metadata},
      {"fd00:ec2::254", AddressClass::metadata},
      {"169.254.0.1", AddressClass::link_local},
      {"169.254.255.255", AddressClass::link_local},
      {"fe80::1", AddressClass::link_local},
      {"febf::1", AddressClass::link_local},
      {"10.0.0.0", AddressClass::private_range},
      {"10.255.255.255", AddressClass::private_range},
      {"172.16.0.1", AddressClass::private_range},
      {"172.31.255.255", AddressClass::private_range},
      {"192.168.1.1", AddressClass::private_range},
      {"100.64.0.1", AddressClass::private_range},
      {"fd12:3456::1", AddressClass::private_range},
      {"fc00::1", AddressClass::private_range},
      {"fec0::1", AddressClass::private_range},
      {"::ffff:10.0.0.1", AddressClass::private_range},
      {"2002:c0a8:101::1", AddressClass::private_range},
      {"64:ff9b:1::1", AddressClass::private_range},
      {"224.0.0.1", AddressClass::multicast},
      {"239.255.255.250", AddressClass::multicast},
      {"255.255.255.255", AddressClass::multicast},
      {"ff02::1", AddressClass::multicast},
      {"0.0.0.0", AddressClass::unspecified},
      {"0.1.2.3", AddressClass::unspecified},
      {"::", AddressClass::unspecified},
      {"::ffff:0.0.0.0", AddressClass::unspecified},
      {"192.0.2.1", AddressClass::reserved},
      {"198.18.0.1", AddressClass::reserved},
      {"198.51.100.1", AddressClass::reserved},
      {"203.0.113.1", AddressClass::reserved},
      {"240.0.0.1", AddressClass::reserved},
      {"2001:db8::1", AddressClass::reserved},
      {"2001::1", AddressClass::reserved},
      {"100::1", AddressClass::reserved},
      {"4000::1", AddressClass::reserved},
  };
  for (const auto& [text, expected] : cases) {
    INFO(text);
    const auto address = Address::parse(text);
    REQUIRE(address);
    CHECK(name_of(class_of(*address)) == name_of(expected));
  }
}

TEST_CASE("only canonical spellings are addresses", "[policies]") {
  for (const char* text : {"",           "1",          "127.1",
                           "0x7f.0.0.1", "0177.0.0.1", "127.0.0.01",
                           "2130706433", "1.2.3.4.5",  "1.2.3.256",
                           "1.2.3.",     " 1.2.3.4",   "1.2.3.4 ",
                           "1.2.3.4/8",  "[::1]",      "fe80::1%eth0",
                           ":::",        "1::2::3",    "12345::",
                           "::1.2.3",    "::g",        "1:2:3:4:5:6:7:8:9"}) {
    INFO(text);
    CHECK_FALSE(Address::parse(text));
  }
  CHECK_FALSE(Address::parse(std::string_view("1.2.3.4\0", 8)));
  CHECK(Address::parse("2001:DB8:0:0::1")->to_string() == "2001:db8::1");
}

TEST_CASE("a range holds its addresses, whatever wraps them", "[policies]") {
  const AddressRange ten = AddressRange::parse("10.1.0.0/17").value();
  CHECK(ten.contains(*Address::parse("10.1.127.255")));
  CHECK(ten.contains(*Address::parse("::ffff:10.1.0.1")));
  CHECK_FALSE(ten.contains(*Address::parse("10.1.128.0")));
  CHECK_FALSE(ten.contains(*Address::parse("fd00::1")));
  const AddressRange ula = AddressRange::parse("fd00::/8").value();
  CHECK(ula.contains(*Address::parse("fdff::1")));
  CHECK_FALSE(ula.contains(*Address::parse("fc00::1")));
  CHECK(AddressRange::parse("0.0.0.0/0")->contains(*Address::parse("9.9.9.9")));
  CHECK(AddressRange::parse("1.2.3.4")->contains(*Address::parse("1.2.3.4")));
  for (const char* text : {"10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/08",
                           "fd00::/129", "/8", "x/8", "10.0.0.0/8/8", "fd00::1/64"}) {
    INFO(text);
    CHECK_FALSE(AddressRange::parse(text));
  }
}
