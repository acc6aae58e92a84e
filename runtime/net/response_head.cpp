#include "runtime/net/response_head.hpp"

#include <boost/beast/http/status.hpp>

#include <algorithm>
#include <array>
#include <cstdio>

namespace fathom::net {
namespace {

bool is_ours(std::string_view name) {
  constexpr std::array<std::string_view, 5> kOurs{"Date", "Connection", "Content-Length",
                                                  "Transfer-Encoding", "Keep-Alive"};
  return std::ranges::any_of(kOurs,
                             [&](std::string_view n) { return equal_ignoring_case(n, name); });
}

void append_clean(std::string& out, std::string_view text) {
  const auto clean = [](char c) { return c == '\r' || c == '\n' || c == '\0' ? ' ' : c; };
  std::ranges::transform(text, std::back_inserter(out), clean);
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
  append_clean(out, name);
  out += ": ";
  append_clean(out, value);
  out += "\r\n";
}

}  // namespace

std::string response_head(const HttpResponse& response, const HeadFacts& facts) {
  std::string out;
  out.reserve(256);
  out += "HTTP/1.1 ";
  out += std::to_string(response.status);
  out += ' ';
  const auto reason =
      boost::beast::http::obsolete_reason(boost::beast::http::int_to_status(response.status));
  out.append(reason.data(), reason.size());
  out += "\r\n";
  append_field(out, "Date", facts.date);
  for (const Header& field : response.headers.fields())
    if (!is_ours(field.name)) append_field(out, field.name, field.value);
  if (facts.framing == Framing::length)
    append_field(out, "Content-Length", std::to_string(facts.body_bytes));
  if (facts.framing == Framing::chunked) append_field(out, "Transfer-Encoding", "chunked");
  if (facts.persistence == Persistence::close) {
    append_field(out, "Connection", "close");
  } else if (facts.http_1_0) {
    append_field(out, "Connection", "keep-alive");
  }
  out += "\r\n";
  return out;
}

bool is_bodiless(unsigned status) { return status < 200 || status == 204 || status == 304; }

std::string_view HttpDate::at(WallTime now) {
  const auto second = std::chrono::floor<std::chrono::seconds>(now);
  if (second == second_) return text_;
  second_ = second;
  // strftime would ask the locale for the names.
  constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto day = std::chrono::floor<std::chrono::days>(second);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss time(second - day);
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%s, %02u %s %04d %02d:%02d:%02d GMT",
                kDays[std::chrono::weekday(day).c_encoding()], static_cast<unsigned>(date.day()),
                kMonths[static_cast<unsigned>(date.month()) - 1], static_cast<int>(date.year()),
                static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
                static_cast<int>(time.seconds().count()));
  text_ = text.data();
  return text_;
}

}  // namespace fathom::net
