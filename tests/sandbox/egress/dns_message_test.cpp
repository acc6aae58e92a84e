#include "sandbox/egress/dns_message.hpp"

#include "tests/support/catch.hpp"

#include <string>
#include <string_view>

using namespace fathom::sandbox;
using namespace std::string_literals;
using namespace std::string_view_literals;

namespace {

const std::string kHead = "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"s;
const std::string kQuestion = "\x03PyP\x02io\x00\x00\x01\x00\x01"s;
const std::string kOpt = "\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00"s;

std::string with_counts(char questions, char answers, char authorities, char additional) {
  std::string head = kHead;
  head[5] = questions;
  head[7] = answers;
  head[9] = authorities;
  head[11] = additional;
  return head;
}

// The response code of a message that was refused without being read.
int refusal_of(const std::string& message) {
  const dns::Reading reading = dns::read_query(message);
  if (reading.query) return -1;
  if (reading.refusal.empty()) return -2;
  CHECK(reading.refusal.size() == 12);
  CHECK(reading.refusal.substr(0, 2) == message.substr(0, 2));
  return reading.refusal[3] & 0x0f;
}

dns::Query query_of(const std::string& message) {
  auto reading = dns::read_query(message);
  REQUIRE(reading.query);
  return *reading.query;
}

}  // namespace

TEST_CASE("a query is read, its case kept", "[sandbox-egress]") {
  CHECK(query_of(kHead + kQuestion) ==
        dns::Query{0x1234, true, false, kQuestion, "PyP.io", dns::kTypeA, dns::kClassInternet});
  const dns::Query extended = query_of(with_counts(1, 0, 0, 1) + kQuestion + kOpt);
  CHECK(extended.extended);
  const dns::Query root = query_of(kHead + "\0\0\x02\0\x01"s);
  CHECK(root.name.empty());
  CHECK(root.type == 2);
}

TEST_CASE("a byte of a label can pass neither for a dot nor for an end", "[sandbox-egress]") {
  CHECK(query_of(kHead + "\x04"
                         "a.b\0"
                         "\x04test\0\0\x01\0\x01"s)
            .name == "a\\046b\\000.test");
}

TEST_CASE("a message that is no plain query is refused by its header alone", "[sandbox-egress]") {
  constexpr int kFormatError = 1;
  // Counts.
  CHECK(refusal_of(with_counts(0, 0, 0, 0)) == kFormatError);
  CHECK(refusal_of(with_counts(2, 0, 0, 0) + kQuestion + kQuestion) == kFormatError);
  CHECK(refusal_of(with_counts(1, 1, 0, 0) + kQuestion) == kFormatError);
  CHECK(refusal_of(with_counts(1, 0, 1, 0) + kQuestion) == kFormatError);
  CHECK(refusal_of(with_counts(1, 0, 0, 2) + kQuestion + kOpt + kOpt) == kFormatError);
  // A compression pointer, to itself and to the header; the reserved label types.
  CHECK(refusal_of(kHead + "\xc0\x0c\0\x01\0\x01"s) == kFormatError);
  CHECK(refusal_of(kHead + "\x01"
                           "a\xc0\x00\0\x01\0\x01"s) == kFormatError);
  CHECK(refusal_of(kHead + "\x40"
                           "a\0\0\x01\0\x01"s) == kFormatError);
  for (const char length : {'\x40', '\x80', '\xc0'})
    CHECK(refusal_of(kHead + length + std::string(200, 'a') + "\0\0\x01\0\x01"s) == kFormatError);
  CHECK(refusal_of(kHead + "\x40"s + std::string(64, 'a') + "\0\0\x01\0\x01"s) == kFormatError);
  // Too little, too much.
  CHECK(refusal_of(kHead + "\x05"
                           "abc"s) == kFormatError);
  CHECK(refusal_of(kHead + kQuestion.substr(0, kQuestion.size() - 1)) == kFormatError);
  CHECK(refusal_of(kHead + kQuestion + "x") == kFormatError);
  CHECK(refusal_of(with_counts(1, 0, 0, 1) + kQuestion) == kFormatError);
  CHECK(refusal_of(with_counts(1, 0, 0, 1) + kQuestion + kOpt + "x") == kFormatError);
  CHECK(refusal_of(with_counts(1, 0, 0, 1) + kQuestion +
                   "\x01"
                   "a"s +
                   kOpt) == kFormatError);
  // An additional record that is no OPT.
  CHECK(refusal_of(with_counts(1, 0, 0, 1) + kQuestion + "\0\0\x01\0\x01\0\0\0\0\0\0"s) ==
        kFormatError);
  CHECK(refusal_of(kHead + std::string(2000, 'x')) == kFormatError);
  // Another operation than a query.
  std::string notify = kHead + kQuestion;
  notify[2] = '\x20';
  CHECK(refusal_of(notify) == 4);
}

TEST_CASE("what is an answer itself, or no message, gets none", "[sandbox-egress]") {
  std::string answer = kHead + kQuestion;
  answer[2] = '\x81';
  CHECK(refusal_of(answer) == -2);
  CHECK(refusal_of("") == -2);
  CHECK(refusal_of(kHead.substr(0, 11)) == -2);
}

TEST_CASE("a name of 253 bytes is read and one of 254 is not", "[sandbox-egress]") {
  const std::string label63 = "\x3f"s + std::string(63, 'a');
  const std::string three = label63 + label63 + label63;
  const std::string end = "\0\0\x01\0\x01"s;
  CHECK(query_of(kHead + three + "\x3d"s + std::string(61, 'b') + end).name.size() == 253);
  CHECK(refusal_of(kHead + three + "\x3e"s + std::string(62, 'b') + end) == 1);
}

TEST_CASE("answers repeat the question and are byte for byte as RFC 1035 has them",
          "[sandbox-egress]") {
  const dns::Query plain = query_of(kHead + kQuestion);
  CHECK(dns::write_answer(plain, dns::Code::no_such_name) ==
        "\x12\x34\x85\x83\0\x01\0\0\0\0\0\0"s + kQuestion);
  CHECK(dns::write_address(plain, boost::asio::ip::make_address_v4("198.18.0.1")) ==
        "\x12\x34\x85\x80\0\x01\0\x01\0\0\0\0"s + kQuestion +
            "\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\xc6\x12\0\x01"s);
  CHECK(dns::write_pointer(plain, "a.io") == "\x12\x34\x85\x80\0\x01\0\x01\0\0\0\0"s + kQuestion +
                                                 "\xc0\x0c\0\x0c\0\x01\0\0\0\x3c\0\x06\x01"
                                                 "a\x02io\0"s);
  const dns::Query extended = query_of(with_counts(1, 0, 0, 1) + kQuestion + kOpt);
  CHECK(dns::write_answer(extended, dns::Code::ok) ==
        "\x12\x34\x85\x80\0\x01\0\0\0\0\0\x01"s + kQuestion + kOpt);
}

TEST_CASE("the name of a reverse look-up is an address backwards", "[sandbox-egress]") {
  const auto address = dns::address_of_reverse_name("1.0.18.198.in-addr.arpa");
  REQUIRE(address);
  CHECK(address->to_string() == "198.18.0.1");
  CHECK_FALSE(dns::address_of_reverse_name("18.198.in-addr.arpa"));
  CHECK_FALSE(dns::address_of_reverse_name("1.0.18.256.in-addr.arpa"));
  CHECK_FALSE(dns::address_of_reverse_name("b.a.ip6.arpa"));
}
