#include "tests/support/stub_model.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <nlohmann/json.hpp>

#include <stdexcept>
#include <utility>

namespace fathom::test {
namespace {

using nlohmann::ordered_json;

constexpr const char* kModels =
    R"({"object":"list","data":[{"id":"stub-small"},{"id":"stub-large"}]})";
constexpr const char* kProxiedHost = "model.test";
constexpr std::size_t kConnectionsMax = 64;  // that a door with TLS serves

std::string data(const ordered_json& json) { return "data: " + json.dump() + "\n\n"; }

std::string event(const ordered_json& json) {
  return "event: " + json["type"].get<std::string>() + "\n" + data(json);
}

std::string openai_chunk(ordered_json delta, const ordered_json& finish = nullptr) {
  return data(
      {{"id", "c1"},
       {"object", "chat.completion.chunk"},
       {"model", "stub-large"},
       {"choices", {{{"index", 0}, {"delta", std::move(delta)}, {"finish_reason", finish}}}}});
}

std::string openai_stream(std::string_view text, const std::vector<StubModel::Call>& calls) {
  std::string out = openai_chunk({{"role", "assistant"}, {"content", text}});
  for (std::size_t i = 0; i < calls.size(); ++i) {
    const std::string& arguments = calls[i].arguments;
    const std::size_t half = arguments.size() / 2;
    const auto part = [&](ordered_json call) {
      call["index"] = i;
      return openai_chunk({{"tool_calls", ordered_json::array({std::move(call)})}});
    };
    out +=
        part({{"id", "call_" + std::to_string(i)},
              {"type", "function"},
              {"function", {{"name", calls[i].name}, {"arguments", arguments.substr(0, half)}}}});
    out += part({{"function", {{"arguments", arguments.substr(half)}}}});
  }
  out += openai_chunk(ordered_json::object(), calls.empty() ? "stop" : "tool_calls");
  out += data({{"id", "c1"},
               {"object", "chat.completion.chunk"},
               {"model", "stub-large"},
               {"choices", ordered_json::array()},
               {"usage",
                {{"prompt_tokens", 120},
                 {"completion_tokens", 30},
                 {"total_tokens", 150},
                 {"prompt_tokens_details", {{"cached_tokens", 64}}}}}});
  return out + "data: [DONE]\n\n";
}

std::string block(std::size_t index, const ordered_json& start, const ordered_json& delta) {
  return event({{"type", "content_block_start"}, {"index", index}, {"content_block", start}}) +
         event({{"type", "content_block_delta"}, {"index", index}, {"delta", delta}}) +
         event({{"type", "content_block_stop"}, {"index", index}});
}

std::string anthropic_stream(std::string_view text, const std::vector<StubModel::Call>& calls) {
  std::string out = event({{"type", "message_start"},
                           {"message",
                            {{"id", "msg_1"},
                             {"type", "message"},
                             {"role", "assistant"},
                             {"model", "stub-large"},
                             {"content", ordered_json::array()},
                             {"stop_reason", nullptr},
                             {"usage",
                              {{"input_tokens", 56},
                               {"cache_creation_input_tokens", 0},
                               {"cache_read_input_tokens", 64},
                               {"output_tokens", 1}}}}}});
  std::size_t index = 0;
  if (!text.empty())
    out +=
        block(index++, {{"type", "text"}, {"text", ""}}, {{"type", "text_delta"}, {"text", text}});
  for (const StubModel::Call& call : calls) {
    const std::string id = "toolu_" + std::to_string(index);
    out += block(
        index++,
        {{"type", "tool_use"}, {"id", id}, {"name", call.name}, {"input", ordered_json::object()}},
        {{"type", "input_json_delta"}, {"partial_json", call.arguments}});
  }
  out += event(
      {{"type", "message_delta"},
       {"delta",
        {{"stop_reason", calls.empty() ? "end_turn" : "tool_use"}, {"stop_sequence", nullptr}}},
       {"usage", {{"output_tokens", 30}}}});
  return out + event({{"type", "message_stop"}});
}

StubModel::Reply json_reply(unsigned status, std::string body) {
  return {status, {{"Content-Type", "application/json"}}, std::move(body)};
}

}  // namespace

StubModel::StubModel(Wire wire, std::vector<Reply> replies, Door door)
    : wire_(wire),
      door_(door),
      replies_(std::make_move_iterator(replies.begin()), std::make_move_iterator(replies.end())) {
  if (door == Door::plain)
    open_server();
  else
    open_loopback();
  thread_ = std::thread([this] { io_.run(); });
}

StubModel::~StubModel() {
  boost::asio::post(io_, [this] {
    stop_.emit(boost::asio::cancellation_type::terminal);
    if (loopback_) boost::asio::co_spawn(io_, loopback_->stop(), [](const std::exception_ptr&) {});
  });
  thread_.join();
}

void StubModel::open_server() {
  auto created = net::HttpServer::create(io_.get_executor(), clock_, {},
                                         [this](net::HttpRequest request, net::Responder& out) {
                                           return serve(std::move(request), out);
                                         });
  if (!created) throw std::runtime_error(created.error().message);
  server_.emplace(*std::move(created));
  boost::asio::co_spawn(
      io_, server_->run(),
      boost::asio::bind_cancellation_slot(stop_.slot(), [](const std::exception_ptr&) {}));
}

void StubModel::open_loopback() {
  loopback_.emplace(io_);
  loopback_->serve(std::vector<Loopback::Script>(
      kConnectionsMax, [this](LoopbackPeer& peer) { return serve_tls(peer); }));
}

StubModel::Reply StubModel::next(Asked asked) {
  const std::scoped_lock lock(mutex_);
  asked_.push_back(std::move(asked));
  const std::string& head = asked_.back().head;
  if (head.starts_with("GET ")) return json_reply(200, kModels);
  if (replies_.empty()) return refusal(wire_, 400, "the stub has nothing more to say");
  Reply reply = std::move(replies_.front());
  replies_.pop_front();
  return reply;
}

boost::asio::awaitable<void> StubModel::serve(net::HttpRequest request, net::Responder& out) {
  Asked asked{request.method + " " + request.target + "\n", std::move(request.body)};
  for (const net::Header& field : request.headers.fields())
    asked.head += field.name + ": " + field.value + "\n";
  Reply reply = next(std::move(asked));
  net::HttpResponse response{reply.status, {}, {}};
  for (const net::Header& field : reply.fields) response.headers.add(field.name, field.value);
  if (!reply.is_cut) {
    response.body = std::move(reply.body);
    co_await out.send(std::move(response));
    co_return;
  }
  co_await out.start(std::move(response));
  co_await out.write(reply.body);
  throw std::runtime_error("the answer is cut here");
}

boost::asio::awaitable<void> StubModel::serve_tls(LoopbackPeer& peer) {
  if (door_ == Door::proxy) {
    auto connecting = peer.read_request();
    Asked tunnel{co_await std::move(connecting), ""};
    const bool is_known = tunnel.head.starts_with(std::string("CONNECT ") + kProxiedHost + ":443 ");
    {
      const std::scoped_lock lock(mutex_);
      asked_.push_back(std::move(tunnel));
    }
    co_await peer.send(is_known ? "HTTP/1.1 200 Connection established\r\n\r\n"
                                : "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n");
    if (!is_known) co_return;
  }
  auto greeting = peer.start_tls(authority_.issue({{kProxiedHost}, {"127.0.0.1"}}));
  (void)co_await std::move(greeting);
  auto reading = peer.read_request();
  const std::string request = co_await std::move(reading);
  const std::size_t head = request.find("\r\n\r\n");
  const Reply reply = next({request.substr(0, head), request.substr(head + 4)});
  std::string text = "HTTP/1.1 " + std::to_string(reply.status) + " Said\r\nConnection: close\r\n";
  for (const net::Header& field : reply.fields) text += field.name + ": " + field.value + "\r\n";
  const std::size_t promised = reply.body.size() + (reply.is_cut ? 1 : 0);
  text += "Content-Length: " + std::to_string(promised) + "\r\n\r\n" + reply.body;
  co_await peer.send(std::move(text));
}

StubModel::Reply StubModel::answer(std::string_view text, const std::vector<Call>& calls) const {
  return answer(wire_, text, calls);
}

StubModel::Reply StubModel::answer(Wire wire, std::string_view text,
                                   const std::vector<Call>& calls) {
  return {200,
          {{"Content-Type", "text/event-stream"}},
          wire == Wire::openai ? openai_stream(text, calls) : anthropic_stream(text, calls)};
}

StubModel::Reply StubModel::cut(Reply whole) {
  whole.body.resize(whole.body.size() / 2);
  whole.is_cut = true;
  return whole;
}

StubModel::Reply StubModel::refusal(Wire wire, unsigned status, std::string_view message) {
  const ordered_json error = {{"type", "some_error"}, {"message", message}};
  const ordered_json body = wire == Wire::openai
                                ? ordered_json{{"error", error}}
                                : ordered_json{{"type", "error"}, {"error", error}};
  Reply reply = json_reply(status, body.dump());
  reply.fields.push_back({"Retry-After", "0"});
  return reply;
}

std::uint16_t StubModel::port() const {
  return server_ ? server_->address().port : loopback_->port();
}

std::string StubModel::host_port() const {
  return door_ == Door::proxy ? kProxiedHost : "127.0.0.1:" + std::to_string(port());
}

std::string StubModel::engine(std::string_view model) const {
  std::string spec = wire_ == Wire::openai ? "openai:" : "anthropic:";
  spec += door_ == Door::plain ? "http://" : "https://";
  spec += host_port() + (wire_ == Wire::openai ? "/v1" : "");
  return spec + "#" + std::string(model);
}

std::vector<StubModel::Asked> StubModel::asked() const {
  const std::scoped_lock lock(mutex_);
  return asked_;
}

std::vector<std::string> StubModel::samples() const {
  std::vector<std::string> bodies;
  for (const Asked& one : asked())
    if (one.head.starts_with("POST ")) bodies.push_back(one.body);
  return bodies;
}

}  // namespace fathom::test
