// Any bytes as what a client sends. The first byte cuts the rest into pieces; however it is cut,
// the same requests come out and the same one is refused.
#include "runtime/base/ensure.hpp"
#include "runtime/net/request_parser.hpp"

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

using namespace fathom::net;

namespace {

constexpr std::size_t kHeaderBytesMax = 512;  // small, so that the bounds are reached
constexpr std::size_t kBodyBytesMax = 256;
constexpr std::size_t kRequestsMax = 8;

// What the parser made of the bytes, one text a request and one for a refusal.
std::vector<std::string> outcomes(std::string_view bytes, std::size_t piece) {
  std::vector<std::string> out;
  RequestParser parser(kHeaderBytesMax, kBodyBytesMax);
  std::string waiting;
  while (out.size() < kRequestsMax) {
    const std::size_t used = parser.put(waiting);
    ENSURE(used <= waiting.size(), "it takes no more than there is");
    waiting.erase(0, used);
    if (parser.state() == RequestParser::State::refused) {
      out.push_back("refused " + std::to_string(parser.refusal().status));
      return out;
    }
    if (parser.state() == RequestParser::State::complete) {
      const HttpRequest request = parser.take();
      ENSURE(request.body.size() <= kBodyBytesMax, "the body keeps its bound");
      ENSURE(request.target.starts_with('/') || request.target == "*", "origin form");
      out.push_back(request.method + " " + request.target + " " + request.body);
      parser.reset();
      continue;
    }
    if (used > 0) continue;
    if (bytes.empty()) return out;
    const std::size_t size = std::min(piece, bytes.size());
    waiting += bytes.substr(0, size);
    bytes.remove_prefix(size);
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t piece = 1 + data[0] % 64u;
  const auto whole = outcomes(bytes, bytes.size() + 1);
  ENSURE(outcomes(bytes, piece) == whole, "the cut does not matter");
  return 0;
}
