#include "tests/agents/cli/prefix_gate.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>

namespace fathom::test {
namespace {

using nlohmann::json;

struct Request {
  std::size_t event = 0;  ///< its place in the journal
  std::uint64_t epoch = 0;
  std::size_t stable = 0;
};

std::vector<Request> requests_of(const std::vector<json>& events) {
  std::vector<Request> out;
  for (std::size_t i = 0; i < events.size(); ++i)
    if (events[i]["type"] == "model.request")
      out.push_back({i, events[i]["data"]["epoch"], events[i]["data"]["stable_bytes"]});
  return out;
}

// Which events brought the byte in: those between the requests around it.
std::string owners_of(std::size_t byte, const std::vector<Request>& requests,
                      const std::vector<json>& events) {
  const auto with = std::ranges::find_if(
      requests, [byte](const Request& request) { return byte < request.stable; });
  if (with == requests.begin()) return "the setup or the first message";
  std::string out;
  for (std::size_t i = (with - 1)->event + 1; i < with->event; ++i) {
    const std::string type = events[i]["type"];
    if (type != "model.message" && type != "tool.finished" && type != "user.message") continue;
    if (!out.empty()) out += " or ";
    out.append("seq ").append(events[i]["seq"].dump()).append(" ").append(type);
  }
  return out;
}

std::string spelled(char byte) { return json(std::string(1, byte)).dump(-1, ' ', true); }

// What the model said between two requests, as JSON spells it.
std::string answer_between(const Request& from, const Request& to,
                           const std::vector<json>& events) {
  for (std::size_t i = from.event; i < to.event; ++i) {
    if (events[i]["type"] != "model.message") continue;
    const std::string text = json(events[i]["data"].value("text", "")).dump();
    return text.substr(1, text.size() - 2);
  }
  return "";
}

}  // namespace

std::string find_break(const std::vector<std::string>& bodies, const std::vector<json>& events) {
  const std::vector<Request> requests = requests_of(events);
  if (requests.size() != bodies.size())
    return std::to_string(requests.size()) + " requests in the journal, " +
           std::to_string(bodies.size()) + " were sent";
  for (std::size_t i = 1; i < bodies.size(); ++i) {
    const Request& before = requests[i - 1];
    if (requests[i].epoch != before.epoch) continue;
    const std::string_view promised = std::string_view(bodies[i - 1]).substr(0, before.stable);
    const std::string_view now = bodies[i];
    const auto [was, is] = std::ranges::mismatch(promised, now);
    std::string request = "request " + std::to_string(i + 1) + ": ";
    if (was != promised.end()) {
      const auto byte = static_cast<std::size_t>(was - promised.begin());
      return request + "byte " + std::to_string(byte) + " is " +
             (is == now.end() ? "missing" : spelled(*is)) + " and was " + spelled(*was) +
             "; it belongs to " + owners_of(byte, requests, events);
    }
    const std::string answer = answer_between(before, requests[i], events);
    if (!now.substr(promised.size()).contains(answer))
      return request.append("does not go on with the answer: ").append(answer);
  }
  return "";
}

}  // namespace fathom::test
