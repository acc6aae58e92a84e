#include "engine/remote/http_date.hpp"

#include <array>
#include <chrono>

namespace fathom::engine {
namespace {

constexpr std::string_view kForm = "Sun, 06 Nov 1994 08:49:37 GMT";
constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

std::optional<int> digits(std::string_view text) {
  int value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  return value;
}

}  // namespace

std::optional<WallTime> parse_http_date(std::string_view text) {
  using namespace std::chrono;
  if (text.size() != kForm.size() || !text.ends_with(" GMT") || text.substr(3, 2) != ", ")
    return std::nullopt;
  if (text[19] != ':' || text[22] != ':') return std::nullopt;
  const auto on = digits(text.substr(5, 2));
  const auto in = digits(text.substr(12, 4));
  const auto h = digits(text.substr(17, 2));
  const auto m = digits(text.substr(20, 2));
  const auto s = digits(text.substr(23, 2));
  unsigned number = 0;
  for (unsigned i = 0; i < kMonths.size(); ++i)
    if (text.substr(8, 3) == kMonths[i]) number = i + 1;
  if (!on || !in || !h || !m || !s || number == 0) return std::nullopt;
  const year_month_day date{year(*in), month(number), day(static_cast<unsigned>(*on))};
  if (!date.ok() || *h > 23 || *m > 59 || *s > 60) return std::nullopt;
  return sys_days(date) + hours(*h) + minutes(*m) + seconds(*s);
}

}  // namespace fathom::engine
