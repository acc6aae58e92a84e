#include "sandbox/egress/dns_message.hpp"

#include "policies/host_pattern.hpp"
#include "runtime/base/ensure.hpp"

#include <algorithm>
#include <array>

namespace fathom::sandbox::dns {
namespace {

constexpr std::size_t kHeaderBytes = 12;
constexpr std::uint16_t kTypeOpt = 41;
constexpr std::uint16_t kAnswer = 0x8000;
constexpr std::uint16_t kOpcodeMask = 0x7800;
constexpr std::uint16_t kAuthoritative = 0x0400;
constexpr std::uint16_t kTruncated = 0x0200;
constexpr std::uint16_t kRecursionDesired = 0x0100;
constexpr std::uint16_t kRecursionAvailable = 0x0080;
constexpr std::uint16_t kNameAtQuestion = 0xC000 | kHeaderBytes;  // a pointer to the question
// Short: a name that was forgotten (SyntheticAddresses) is asked for again soon.
constexpr std::uint32_t kTimeToLiveSeconds = 60;
constexpr std::uint16_t kPayloadBytesMax = 1232;  // what we say we take, by DNS flag day 2020

// Reads big-endian values; what does not fit makes ok() false for good.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  std::uint8_t u8() {
    if (at_ >= bytes_.size()) return ok_ = false, std::uint8_t{0};
    return static_cast<std::uint8_t>(bytes_[at_++]);
  }
  std::uint16_t u16() {
    const unsigned high = u8();
    return static_cast<std::uint16_t>(high << 8U | u8());
  }
  std::string_view take(std::size_t size) {
    if (bytes_.size() - at_ < size) return ok_ = false, std::string_view();
    at_ += size;
    return bytes_.substr(at_ - size, size);
  }
  [[nodiscard]] std::size_t at() const { return at_; }
  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] bool at_end() const { return ok_ && at_ == bytes_.size(); }

 private:
  std::string_view bytes_;
  std::size_t at_ = 0;
  bool ok_ = true;
};

void put16(std::string& out, unsigned value) {
  out += static_cast<char>(value >> 8U & 0xFFU);
  out += static_cast<char>(value & 0xFFU);
}

void put32(std::string& out, std::uint32_t value) {
  put16(out, value >> 16U);
  put16(out, value & 0xFFFFU);
}

void append_label(std::string& name, std::string_view label) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
  if (!name.empty()) name += '.';
  for (const char c : label) {
    if (kPlain.find(c) != std::string_view::npos) {
      name += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    name += '\\';
    name += static_cast<char>('0' + byte / 100);
    name += static_cast<char>('0' + byte / 10 % 10);
    name += static_cast<char>('0' + byte % 10);
  }
}

// A length byte with its two high bits set would be a pointer, which a lone question has no use
// for.
bool read_name(Reader& in, std::string& name) {
  std::size_t bytes = 0;
  for (;;) {
    const std::size_t size = in.u8();
    if (size == 0) return in.ok();
    bytes += size + 1;
    if (size > policies::kLabelBytesMax || bytes > policies::kHostBytesMax + 1) return false;
    const std::string_view label = in.take(size);
    if (!in.ok()) return false;
    append_label(name, label);
  }
}

// The one record that may follow the question.
bool read_opt(Reader& in) {
  const bool root = in.u8() == 0;
  const std::uint16_t type = in.u16();
  (void)in.take(6);  // payload size, extended code, version, flags
  (void)in.take(in.u16());
  return root && type == kTypeOpt && in.ok();
}

std::string header(std::uint16_t id, unsigned flags, const std::array<unsigned, 4>& counts) {
  std::string out;
  put16(out, id);
  put16(out, flags);
  for (const unsigned count : counts) put16(out, count);
  return out;
}

std::string head_of_answer(const Query& query, Code code, unsigned answers) {
  const unsigned flags = kAnswer | kAuthoritative | kRecursionAvailable |
                         (query.recursion_desired ? kRecursionDesired : 0U) |
                         static_cast<unsigned>(code);
  std::string out = header(query.id, flags, {1, answers, 0, query.extended ? 1U : 0U});
  return out + query.question;
}

void put_record(std::string& out, std::uint16_t type, std::string_view data) {
  put16(out, kNameAtQuestion);
  put16(out, type);
  put16(out, kClassInternet);
  put32(out, kTimeToLiveSeconds);
  put16(out, static_cast<unsigned>(data.size()));
  out += data;
}

std::string with_opt(std::string out, const Query& query) {
  if (!query.extended) return out;
  out += '\0';
  put16(out, kTypeOpt);
  put16(out, kPayloadBytesMax);
  put32(out, 0);
  put16(out, 0);
  return out;
}

}  // namespace

Reading read_query(std::string_view message) {
  if (message.size() < kHeaderBytes) return {};
  Reader in(message);
  Query query;
  query.id = in.u16();
  const std::uint16_t flags = in.u16();
  if ((flags & kAnswer) != 0) return {};
  query.recursion_desired = (flags & kRecursionDesired) != 0;
  const auto refuse = [&](Code code) {
    const unsigned kept = flags & (kOpcodeMask | kRecursionDesired);
    return Reading{{}, header(query.id, kAnswer | kept | static_cast<unsigned>(code), {})};
  };
  if ((flags & kOpcodeMask) != 0) return refuse(Code::not_implemented);

  const unsigned questions = in.u16();
  const unsigned answers = in.u16();
  const unsigned authorities = in.u16();
  const unsigned additional = in.u16();
  const bool one_question = questions == 1 && answers == 0 && authorities == 0 && additional <= 1;
  if (message.size() > kQueryBytesMax || !one_question || (flags & kTruncated) != 0)
    return refuse(Code::format_error);
  if (!read_name(in, query.name)) return refuse(Code::format_error);
  query.type = in.u16();
  query.klass = in.u16();
  if (!in.ok()) return refuse(Code::format_error);
  query.question = message.substr(kHeaderBytes, in.at() - kHeaderBytes);
  query.extended = additional == 1;
  if (query.extended && !read_opt(in)) return refuse(Code::format_error);
  if (!in.at_end()) return refuse(Code::format_error);
  return {std::move(query), {}};
}

std::string write_answer(const Query& query, Code code) {
  return with_opt(head_of_answer(query, code, 0), query);
}

std::string write_address(const Query& query, asio::ip::address_v4 address) {
  std::string out = head_of_answer(query, Code::ok, 1);
  const auto bytes = address.to_bytes();
  put_record(out, kTypeA, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  return with_opt(std::move(out), query);
}

std::string write_pointer(const Query& query, std::string_view name) {
  std::string data;
  for (std::string_view rest = name; !rest.empty();) {
    const std::size_t dot = std::min(rest.find('.'), rest.size());
    ENSURE(dot > 0 && dot <= policies::kLabelBytesMax, "the name is canonical");
    data += static_cast<char>(dot);
    data += rest.substr(0, dot);
    rest.remove_prefix(std::min(dot + 1, rest.size()));
  }
  data += '\0';
  std::string out = head_of_answer(query, Code::ok, 1);
  put_record(out, kTypePtr, data);
  return with_opt(std::move(out), query);
}

std::optional<asio::ip::address_v4> address_of_reverse_name(std::string_view name) {
  constexpr std::string_view kZone = ".in-addr.arpa";
  if (!name.ends_with(kZone)) return std::nullopt;
  boost::system::error_code ec;
  const std::string digits(name.substr(0, name.size() - kZone.size()));
  const auto backwards = asio::ip::make_address_v4(digits, ec);
  if (ec) return std::nullopt;
  const auto bytes = backwards.to_bytes();
  return asio::ip::address_v4({bytes[3], bytes[2], bytes[1], bytes[0]});
}

}  // namespace fathom::sandbox::dns
