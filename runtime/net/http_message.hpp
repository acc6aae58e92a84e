// What travels over HTTP, as values: no library type of the network leaves runtime/net.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fathom::net {

struct Header {
  std::string name;
  std::string value;

  friend bool operator==(const Header&, const Header&) = default;
};

/// Header fields in the order they were sent. Names compare without regard to case.
class Headers {
 public:
  Headers() = default;
  Headers(std::initializer_list<Header> fields) : fields_(fields) {}

  /// The value of the first field of this name, or nullptr.
  [[nodiscard]] const std::string* find(std::string_view name) const;
  /// The value of the first field of this name, or "".
  [[nodiscard]] std::string_view get(std::string_view name) const;
  void add(std::string name, std::string value) {
    fields_.push_back({std::move(name), std::move(value)});
  }
  /// Replaces every field of this name by one.
  void set(std::string_view name, std::string value);
  void remove(std::string_view name);

  [[nodiscard]] const std::vector<Header>& fields() const { return fields_; }

  friend bool operator==(const Headers&, const Headers&) = default;

 private:
  std::vector<Header> fields_;
};

/// True when the two header names (or tokens) are equal without regard to ASCII case.
[[nodiscard]] bool equal_ignoring_case(std::string_view a, std::string_view b);

struct HttpRequest {
  std::string method = "GET";
  std::string target = "/";  ///< origin form: path and query, percent-encoded as on the wire
  Headers headers;
  std::string body;
};

struct HttpResponse {
  unsigned status = 200;
  Headers headers;
  std::string body;
};

}  // namespace fathom::net
