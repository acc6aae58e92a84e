#include "engine/session/session_events.hpp"

#include "runtime/base/text.hpp"
#include "runtime/trace/event_json.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/random_text.hpp"
#include "tests/support/temp_dir.hpp"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <limits>
#include <random>

using namespace fathom;
using namespace fathom::engine;
using nlohmann::ordered_json;

namespace {

trace::BlobStore store_in(const test::TempDir& dir) {
  return trace::BlobStore::open(dir / "blobs").value();
}

trace::Event event_of(trace::EventDraft draft) {
  trace::Event event;
  event.run = RunId{};
  event.stream = std::string(trace::kStreamNameBytesMax, 's');
  event.at.seq = ~std::uint64_t{0} >> 1;
  event.mono_ns = std::int64_t{1} << 62;
  draft.span.value = ~std::uint64_t{0};
  draft.parent.value = ~std::uint64_t{0};
  draft.cause = event.at.seq - 1;
  event.what = std::move(draft);
  return event;
}

trace::Event event_of(std::string_view type, std::string_view data) {
  trace::EventDraft draft;
  draft.type = type;
  draft.data = data;
  return event_of(std::move(draft));
}

UserSaid said(UserSaid::How how, std::string text) {
  UserSaid out;
  out.how = how;
  out.text = std::move(text);
  return out;
}

class Maker {
 public:
  explicit Maker(unsigned seed) : random_(seed) {}

  std::uint64_t count() { return std::uint64_t{random_()} << (random_() % 32); }
  // Lengths around the limits more often than between them.
  std::string text() {
    switch (random_() % 6) {
      case 0:
        return "";
      case 1:
        return test::random_unicode(random_, 3000);
      case 2:
        return std::string(8190 + random_() % 4, 'x');
      case 3:
        return std::string(2000, '\x01');
      default:
        return test::random_unicode(random_, random_() % 40);
    }
  }
  std::string name() { return test::random_unicode(random_, random_() % 2 == 0 ? 5 : 700); }
  std::optional<double> number() {
    if (random_() % 2 == 0) return std::nullopt;
    return std::uniform_real_distribution<double>(0, 2)(random_);
  }
  Usage usage() { return {count(), count(), count(), count()}; }
  std::vector<ToolCall> calls() {
    std::vector<ToolCall> out(random_() % 4);
    for (ToolCall& call : out) call = {name(), name(), text(), text()};
    return out;
  }
  ToolResult result() { return {name(), static_cast<ToolStatus>(random_() % 4), text(), name()}; }
  Message message() {
    Message out;
    out.role = static_cast<Role>(random_() % 4);
    out.text = text();
    out.reasoning = text();
    out.calls = calls();
    out.results.resize(random_() % 3);
    for (ToolResult& one : out.results) one = result();
    return out;
  }

  SessionEvent event() {
    switch (random_() % 7) {
      case 0:
        return agent();
      case 1:
        return user();
      case 2:
        return request();
      case 3:
        return answer();
      case 4:
        return CallFinished{result()};
      case 5: {
        Compacted compacted{{std::vector<Message>(random_() % 5), count()}};
        for (Message& one : compacted.transcript.messages) one = message();
        return compacted;
      }
      default:
        return TurnEnded{count(), name(), count(), usage(), number()};
    }
  }

  AgentStarted agent() {
    AgentStarted out{name(), name(), name(), text(), {}};
    out.setup.system = text();
    out.setup.tools.resize(random_() % 4);
    for (ToolDeclaration& tool : out.setup.tools) tool = {name(), text(), text()};
    out.setup.sampling = {number(), number(), {}, name(), count()};
    if (random_() % 2 == 0) out.setup.sampling.seed = ~std::uint64_t{0} - random_() % 9;
    out.setup.answer_schema = text();
    out.setup.cache_key = name();
    out.setup.tools_in_prompt = random_() % 2 == 0;
    return out;
  }
  UserSaid user() {
    const auto how = static_cast<UserSaid::How>(random_() % 3);
    return {how, text(), name(), how == UserSaid::How::turn ? count() : 0};
  }
  RequestSent request() {
    RequestSent out{count(), count(), count(), count(), count(),
                    count(), name(),  count(), count(), {}};
    if (random_() % 2 == 0)
      out.divergence = Divergence{count(), random_() % 2 == 0 ? count() : Divergence::kSetup};
    return out;
  }
  ModelAnswered answer() {
    ModelAnswered out;
    out.request = count();
    out.message = {Role::assistant, text(), text(), calls(), {}};
    out.end = static_cast<AnswerEnd>(random_() % 4);
    out.usage = usage();
    out.model = name();
    out.cost_usd = number();
    out.repaired = text();
    return out;
  }

 private:
  std::mt19937 random_;
};

bool same(const SessionEvent& a, const SessionEvent& b) {
  if (a.index() != b.index()) return false;
  return std::visit(
      [&b]<class Event>(const Event& left) {
        const Event& right = std::get<Event>(b);
        if constexpr (std::same_as<Event, AgentStarted>) {
          const SessionSetup& x = left.setup;
          const SessionSetup& y = right.setup;
          return left.agent == right.agent && left.engine == right.engine &&
                 left.model == right.model && left.document == right.document &&
                 x.system == y.system && x.tools == y.tools && x.sampling == y.sampling &&
                 x.answer_schema == y.answer_schema && x.cache_key == y.cache_key &&
                 x.tools_in_prompt == y.tools_in_prompt;
        } else if constexpr (std::same_as<Event, Compacted>) {
          return left.transcript.messages == right.transcript.messages &&
                 left.transcript.epoch == right.transcript.epoch;
        } else {
          return left == right;
        }
      },
      a);
}

}  // namespace

TEST_CASE("a session event reads back as it was written, and fits into a line of the journal",
          "[session_events]") {
  const test::TempDir dir;
  const trace::BlobStore blobs = store_in(dir);
  trace::EventCodec codec;
  std::size_t large = 0;
  for (unsigned seed = 1; seed <= 200; ++seed) {
    INFO("seed " << seed);
    const SessionEvent event = Maker(seed).event();
    const trace::Event written = event_of(encode(event, blobs).value());
    REQUIRE(trace::durability_of(written.what.type) == trace::Durability::durable);
    std::string line;
    REQUIRE(codec.append(line, written));
    REQUIRE(is_large(event) == (written.what.data.find(R"("ref":"sha256:)") != std::string::npos));
    large += is_large(event) ? 1 : 0;
    const auto read =
        decode(codec.decode(std::string_view(line).substr(0, line.size() - 1)).value(), blobs);
    REQUIRE(read);
    REQUIRE(read->has_value());
    REQUIRE(same(**read, event));
  }
  CHECK(large > 20);
  CHECK(large < 180);
}

TEST_CASE("an event whose every text is as long as can be still fits", "[session_events]") {
  const test::TempDir dir;
  const trace::BlobStore blobs = store_in(dir);
  trace::EventCodec codec;
  // Inline at its longest, and a reference with the longest preview.
  for (const std::string& text : {std::string(8190, 'x'), std::string(20'000, '\x01')}) {
    AgentStarted agent{text, text, text, text, {}};
    agent.setup = {text, {{text, text, text}}, {{}, {}, {}, text, 0}, text, text};
    ModelAnswered answer;
    answer.message = {Role::assistant, text, text, {{text, text, text, text}}, {}};
    answer.model = answer.repaired = text;
    for (const SessionEvent& event : {SessionEvent(agent), SessionEvent(answer)}) {
      std::string line;
      CHECK(codec.append(line, event_of(encode(event, blobs).value())));
    }
  }
}

TEST_CASE("what is no UTF-8 is mended on its way into an event, long or short",
          "[session_events]") {
  const test::TempDir dir;
  const trace::BlobStore blobs = store_in(dir);
  std::mt19937 random(5);
  for (const std::size_t characters : {10U, 300U, 9000U}) {
    const std::string damaged = test::random_damaged(random, characters) + "\xFF";
    ModelAnswered answer;
    answer.message = {Role::assistant, damaged, damaged, {{damaged, "b", damaged, damaged}}, {}};
    const auto read = decode(event_of(encode(answer, blobs).value()), blobs).value().value();
    const std::string mended = to_valid_utf8(damaged);
    const Message& message = std::get<ModelAnswered>(read).message;
    CHECK(message.text == mended);
    CHECK(message.reasoning == mended);
    CHECK(message.calls == std::vector<ToolCall>{{mended, "b", mended, mended}});
  }
}

TEST_CASE("a key that is missing or of a wrong type is named", "[session_events]") {
  const test::TempDir dir;
  const trace::BlobStore blobs = store_in(dir);
  AgentStarted agent;
  agent.setup.tools = {{"bash", "runs", "{}"}};
  ModelAnswered answer;
  answer.message.calls = {{"1", "bash", "{}", "raw"}};
  RequestSent request;
  request.divergence = Divergence{1, 2};
  Compacted compacted;
  compacted.transcript.messages = {
      {Role::tool, "", "", {{"1", "b", "{}", ""}}, {{"1", ToolStatus::ok, "", ""}}}};
  const std::vector<SessionEvent> events = {agent,
                                            said(UserSaid::How::turn, ""),
                                            said(UserSaid::How::steer, ""),
                                            said(UserSaid::How::guard, ""),
                                            request,
                                            answer,
                                            CallFinished{{"1", ToolStatus::ok, "", ""}},
                                            compacted,
                                            TurnEnded{}};
  std::size_t tried = 0;
  for (const SessionEvent& event : events) {
    const trace::EventDraft draft = encode(event, blobs).value();
    const auto whole = ordered_json::parse(draft.data).flatten();
    std::vector<ordered_json::json_pointer> places;
    for (const auto& [place, value] : whole.items()) {
      ordered_json::json_pointer at(place);
      for (; !at.empty(); at.pop_back()) places.push_back(at);
    }
    for (const auto& place : places) {
      ordered_json without = ordered_json::parse(draft.data);
      const std::string key = place.back();
      const bool element = without.at(place.parent_pointer()).is_array();
      ordered_json wrong = without;
      wrong[place] = nullptr;
      if (!element) without.at(place.parent_pointer()).erase(key);
      for (const ordered_json& bad : {wrong, without}) {
        if (bad == ordered_json::parse(draft.data)) continue;
        const bool optional = !bad.contains(place) && key == "divergence";
        const auto read = decode(event_of(draft.type, bad.dump()), blobs);
        INFO(draft.type << " " << place.to_string() << ": " << bad.dump());
        ++tried;
        if (optional) {
          CHECK(read);
          continue;
        }
        REQUIRE_FALSE(read);
        CHECK(read.error().code == ErrorCode::bad_data);
        CHECK(read.error().message.starts_with(draft.type + ": key '"));
        CHECK(read.error().message.find(element ? "[" + key + "]" : key) != std::string::npos);
      }
    }
  }
  CHECK(tried > 100);
}

TEST_CASE("numbers and choices that are none are refused by their keys", "[session_events]") {
  const test::TempDir dir;
  const trace::BlobStore blobs = store_in(dir);
  const auto error = [&](const char* type, const char* data) {
    const auto read = decode(event_of(type, data), blobs);
    return read ? std::string("read") : read.error().message;
  };
  CHECK(error("turn.started", R"({"turn":-1,"text":"","key":""})") ==
        "turn.started: key 'turn' is no count");
  CHECK(error("tool.finished", R"({"call":"1","status":"fine","blob":"","content":""})") ==
        "tool.finished: key 'status' has the unknown value 'fine'");
  CHECK(error("tool.finished", "[]") == "tool.finished: data is no JSON object");
  CHECK(error("steer.delivered", R"({"key":"","text":{"ref":7,"size":1}})") ==
        "steer.delivered: key 'text' refers to no blob: 'ref' and 'size' name one");
  CHECK(error("steer.delivered", R"({"key":"","text":{"ref":"x","size":99999999999}})")
            .find("at most 256 MiB are read") != std::string::npos);
  TurnEnded turn;
  turn.cost_usd = std::numeric_limits<double>::infinity();
  CHECK_FALSE(encode(turn, blobs));
}

TEST_CASE("a text whose blob is gone is not found, one of another size is bad data",
          "[session_events]") {
  const test::TempDir dir;
  const trace::BlobStore blobs = store_in(dir);
  trace::EventDraft draft =
      encode(said(UserSaid::How::steer, std::string(9000, 'x')), blobs).value();
  ordered_json data = ordered_json::parse(draft.data);
  CHECK(data["text"]["preview"] == std::string(512, 'x'));
  data["text"]["size"] = 8999;
  const auto shorter = decode(event_of(draft.type, data.dump()), blobs);
  REQUIRE_FALSE(shorter);
  CHECK(shorter.error().code == ErrorCode::bad_data);
  data["text"]["ref"] = "sha256:none";
  const auto unnamed = decode(event_of(draft.type, data.dump()), blobs);
  REQUIRE_FALSE(unnamed);
  CHECK(unnamed.error().code == ErrorCode::bad_data);
  std::filesystem::remove_all(dir / "blobs");
  const auto gone = decode(event_of(draft), blobs);
  REQUIRE_FALSE(gone);
  CHECK(gone.error().code == ErrorCode::not_found);
  CHECK(gone.error().message.starts_with("steer.delivered: key 'text'"));
  draft.data = R"({"key":"","text":{"size":9,"preview":"","ref":"","lost":"disk full"}})";
  CHECK(decode(event_of(draft), blobs).error().code == ErrorCode::not_found);
}

TEST_CASE("events that are no session's are passed over, as are keys that nobody knows",
          "[session_events]") {
  const test::TempDir dir;
  const trace::BlobStore blobs = store_in(dir);
  CHECK_FALSE(decode(event_of("tool.started", R"({"call":"1"})"), blobs).value());
  // What the dispatcher writes, of a call that ended and of one that was cancelled.
  const auto read = [&](const char* data) {
    return std::get<CallFinished>(decode(event_of("tool.finished", data), blobs).value().value())
        .result;
  };
  CHECK(read(R"({"call":"1","status":"ok","us":12,"blob":"","content":"out","data":{"exit":0}})") ==
        ToolResult{"1", ToolStatus::ok, "out", ""});
  CHECK(read(R"({"call":"1","status":"cancelled"})") ==
        ToolResult{"1", ToolStatus::cancelled, "", ""});
}
