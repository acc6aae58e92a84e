// DNS messages (RFC 1035, RFC 6891): just what a name server for one machine needs. Queries come
// from confined programs, so the reader takes one form only: one question, no other records but one
// OPT, no compression pointers, nothing behind the end. Answers have at most one record of fixed
// form.
#pragma once

#include <boost/asio/ip/address_v4.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fathom::sandbox::dns {

namespace asio = boost::asio;

constexpr std::size_t kQueryBytesMax = 1024;  ///< a name, and an OPT record with some options

enum class Code : std::uint8_t {
  ok = 0,
  format_error = 1,
  server_failure = 2,
  no_such_name = 3,
  not_implemented = 4,
  refused = 5,
};

constexpr std::uint16_t kTypeA = 1;
constexpr std::uint16_t kTypePtr = 12;
constexpr std::uint16_t kTypeAaaa = 28;
constexpr std::uint16_t kClassInternet = 1;

struct Query {
  std::uint16_t id = 0;
  bool recursion_desired = false;
  bool extended = false;  ///< an OPT record came along: the answer has one too
  std::string question;   ///< as it came, case and all: it is repeated in the answer (0x20)
  /// Labels joined by dots, their case as it came; "" is the root. A byte that host names do not
  /// have is written as \DDD, so that no byte of a label can pass for a dot or an end.
  std::string name;
  std::uint16_t type = 0;
  std::uint16_t klass = 0;

  friend bool operator==(const Query&, const Query&) = default;
};

/// What came of reading a message: a query, or an answer that says why not, or neither (a message
/// that is itself an answer, or has no whole header, gets silence: two servers could otherwise be
/// made to shout at each other).
struct Reading {
  std::optional<Query> query;
  std::string refusal;
};
Reading read_query(std::string_view message);

/// An answer without records: the name does not exist, or has none of the wanted type (ok).
std::string write_answer(const Query& query, Code code);
/// One A record.
std::string write_address(const Query& query, asio::ip::address_v4 address);
/// One PTR record; `name` is a canonical host name.
std::string write_pointer(const Query& query, std::string_view name);

/// The address whose reverse name this is ("1.0.18.198.in-addr.arpa"), if it is one.
std::optional<asio::ip::address_v4> address_of_reverse_name(std::string_view name);

}  // namespace fathom::sandbox::dns
