#include "tools/mcp/mcp_connection.hpp"

#include "runtime/async/timeout.hpp"
#include "runtime/base/ensure.hpp"
#include "runtime/base/text.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace fathom::tools {
namespace {

constexpr std::size_t kListsMax = 3;  // of a server that changes its tools while it is listed

}  // namespace

// A request in flight, on the stack of whoever waits for its answer.
struct McpConnection::Waiting {
  explicit Waiting(const asio::any_io_executor& executor) : news(executor) {}
  Signal news;
  std::optional<Result<std::string>> answer;
  Instant deadline{};       ///< moves with every sign of progress
  Instant last_deadline{};  ///< and never beyond this
  Patience patience{};
};

// Its place among those in flight. Whoever leaves without an answer, late or cancelled, tells the
// server and does not wait for it.
class McpConnection::Entry {
 public:
  Entry(McpConnection& connection, std::uint64_t id, Waiting& waiting)
      : connection_(connection), id_(id), waiting_(waiting) {
    connection_.waiting_.emplace(id, &waiting);
  }
  ~Entry() {
    connection_.waiting_.erase(id_);
    if (waiting_.answer || !connection_.is_open_) return;
    std::string frame = connection_.session_->cancel(id_, "nobody waits for it any more");
    connection_.transport_->drop(id_);
    if (!frame.empty()) (void)connection_.transport_->send({std::move(frame), 0});
  }
  Entry(const Entry&) = delete;
  Entry& operator=(const Entry&) = delete;

 private:
  McpConnection& connection_;
  std::uint64_t id_;
  Waiting& waiting_;
};

McpConnection::McpConnection(asio::any_io_executor executor, Clock& clock, std::string name,
                             std::unique_ptr<McpTransport> transport, McpTimes times)
    : executor_(std::move(executor)),
      clock_(clock),
      name_(std::move(name)),
      transport_(std::move(transport)),
      times_(times),
      connected_(executor_) {}

McpConnection::~McpConnection() { ENSURE(!is_open_, "close() ends the server"); }

bool McpConnection::awaits(std::uint64_t id) const { return waiting_.contains(id); }

void McpConnection::answer(std::uint64_t id, Result<std::string> result) {
  const auto found = waiting_.find(id);
  if (found == waiting_.end() || found->second->answer) return;
  found->second->answer = std::move(result);
  found->second->news.notify_all();
}

void McpConnection::take(SessionEvent event) {
  if (auto* answered = std::get_if<session_event::Answered>(&event)) {
    answer(answered->id, std::move(answered->result));
  } else if (auto* send = std::get_if<session_event::Send>(&event)) {
    // A server that asks faster than it reads: its questions are not worth a queue without end.
    if (const Result<> sent = transport_->send({std::move(send->frame), 0}); !sent) {
      transport_->abort();
      on_closed(sent.error());
    }
  } else if (const auto* progress = std::get_if<session_event::Progress>(&event)) {
    const auto found = waiting_.find(progress->id);
    if (found == waiting_.end()) return;
    Waiting& waiting = *found->second;
    waiting.deadline = std::min(clock_.now() + waiting.patience.between, waiting.last_deadline);
    const OnProgress* hears = waiting.patience.on_progress;
    if (hears != nullptr && *hears && !progress->line.empty()) (*hears)(progress->line);
  } else {
    transport_->set_version(session_->version());
    answer(std::get<session_event::Ready>(event).id, std::string());
  }
}

void McpConnection::on_frame(std::string_view frame) {
  if (!is_open_) return;
  auto events = session_->take(frame);
  if (!events) {
    transport_->abort();
    on_closed(with_log(context("broke the protocol", std::move(events).error())));
    return;
  }
  for (SessionEvent& event : *events) take(std::move(event));
}

void McpConnection::on_failed(std::uint64_t id, Error why) {
  answer(id, fail(with_log(std::move(why))));
}

void McpConnection::on_closed(Error why) {
  if (!is_open_) return;
  is_open_ = false;
  closed_ = std::move(why);
  for (const auto& [id, waiting] : waiting_) answer(id, fail(*closed_));
}

// What the server said last, when that may explain the error.
Error McpConnection::with_log(Error error) const {
  if (session_ && !session_->log().empty())
    error.message += "; it logged last: " + session_->log().back();
  return error;
}

asio::awaitable<Result<>> McpConnection::wait_for(Waiting& waiting) {
  while (!waiting.answer) co_await waiting.news.wait();
  co_return Result<>{};
}

asio::awaitable<Result<std::string>> McpConnection::exchange(McpSession::Request request,
                                                             Patience patience) {
  Waiting waiting(executor_);
  waiting.patience = patience;
  waiting.last_deadline = clock_.now() + patience.in_all;
  waiting.deadline = std::min(clock_.now() + patience.between, waiting.last_deadline);
  const Entry entry(*this, request.id, waiting);
  CO_TRY_VOID(transport_->send({std::move(request.frame), request.id}));
  while (!waiting.answer) {
    auto wait = wait_for(waiting);
    auto timed = with_deadline(clock_, waiting.deadline, "the server's answer", std::move(wait));
    const Result<> answered = co_await std::move(timed);
    if (answered || waiting.answer) break;
    if (waiting.deadline > clock_.now()) continue;
    const auto limit =
        waiting.deadline < waiting.last_deadline ? patience.between : patience.in_all;
    co_return fail(with_log(
        {ErrorCode::timeout,
         "no answer within " +
             std::to_string(std::chrono::duration_cast<std::chrono::seconds>(limit).count()) +
             " s; what the call has done is unknown"}));
  }
  co_return *std::move(waiting.answer);
}

asio::awaitable<Result<std::string>> McpConnection::ask(std::string_view method, std::string params,
                                                        Patience patience) {
  if (!is_open_) co_return fail(*closed_);
  CO_TRY(McpSession::Request request, session_->ask(method, std::move(params)));
  auto exchanging = exchange(std::move(request), patience);
  co_return co_await std::move(exchanging);
}

asio::awaitable<Result<McpConnection::Listing>> McpConnection::list() {
  Listing listing;
  auto& [tools, notes] = listing;
  std::set<std::string> names;
  std::string cursor;
  if (!session_->has_tools()) notes.emplace_back("the server offers no tools");
  for (std::size_t page_number = 0; session_->has_tools(); ++page_number) {
    if (page_number == kPagesMax || tools.size() >= kRemoteToolsMax) {
      notes.push_back("the list goes on after " + std::to_string(tools.size()) +
                      " tools: the rest is left out");
      break;
    }
    auto asking =
        ask("tools/list", cursor.empty() ? "{}" : R"({"cursor":)" + json_string(cursor) + "}",
            {times_.start, times_.start, nullptr});
    CO_TRY(const std::string answer, co_await std::move(asking));
    CO_TRY(ToolPage page, parse_tool_page(answer));
    for (RemoteTool& tool : page.tools) {
      if (!names.insert(tool.name).second)
        page.notes.push_back("tool '" + to_printable(tool.name) + "' stands twice");
      else if (tools.size() < kRemoteToolsMax)
        tools.push_back(std::move(tool));
    }
    for (std::string& note : page.notes)
      if (notes.size() < kServerNotesMax) notes.push_back(std::move(note));
    cursor = std::move(page.cursor);
    if (cursor.empty()) break;
  }
  co_return listing;
}

asio::awaitable<Result<>> McpConnection::take_list() {
  // Servers that add tools once they hear `initialized` say so while they are being listed.
  Listing listing;
  for (std::size_t lists = 1;; ++lists) {
    session_->forget_change();
    auto listed = list();
    CO_TRY(listing, co_await std::move(listed));
    if (!session_->tools_changed() || lists == kListsMax) break;
  }
  if (is_listed_ && listing.tools != tools_)
    co_return fail(ErrorCode::unsupported,
                   "came back with other tools than this session began with; start a new session");
  if (!is_listed_) {
    tools_ = std::move(listing.tools);
    notes_ = std::move(listing.notes);
    is_listed_ = true;
  }
  co_return Result<>{};
}

asio::awaitable<Result<>> McpConnection::greet() {
  auto closing = transport_->close();
  co_await std::move(closing);
  session_.emplace();
  closed_.reset();
  auto opening = transport_->open(*this);
  const Result<> opened = co_await std::move(opening);
  if (!opened) co_return opened;
  is_open_ = true;
  auto exchanging = exchange(session_->begin(), {times_.start, times_.start, nullptr});
  const Result<std::string> greeted = co_await std::move(exchanging);
  if (!greeted) co_return fail(greeted.error());
  auto listing = take_list();
  co_return co_await std::move(listing);
}

asio::awaitable<Result<>> McpConnection::connect() {
  while (connecting_) co_await connected_.wait();
  if (is_open_) co_return Result<>{};
  if (starts_ > kRestartsMax)
    co_return fail(ErrorCode::unsupported, "ended " + std::to_string(starts_) +
                                               " times in this session and is not started again");
  // A cancelled start must leave the others a way on, and no half-open conversation.
  struct Connecting {
    McpConnection& self;
    bool done = false;
    explicit Connecting(McpConnection& connection) : self(connection) { self.connecting_ = true; }
    ~Connecting() {
      self.connecting_ = false;
      if (!done) {
        self.is_open_ = false;
        self.transport_->abort();
      }
      self.connected_.notify_all();
    }
    Connecting(const Connecting&) = delete;
    Connecting& operator=(const Connecting&) = delete;
  } connecting(*this);
  // A server that runs and has only forgotten the session costs nothing to greet again.
  if (!closed_ || closed_->code != ErrorCode::not_found) ++starts_;
  auto timed = with_timeout(clock_, times_.start, "start", greet());
  const Result<> greeted = co_await std::move(timed);
  connecting.done = greeted.has_value() && is_open_;
  if (greeted && !is_open_) co_return fail(*closed_);
  co_return greeted;
}

asio::awaitable<Result<>> McpConnection::start() {
  auto connecting = connect();
  const Result<> connected = co_await std::move(connecting);
  if (!connected) co_return fail(context("mcp server " + name_, connected.error()));
  co_return connected;
}

asio::awaitable<Result<std::string>> McpConnection::call(std::string_view tool,
                                                         std::string_view arguments,
                                                         OnProgress on_progress) {
  const std::string params =
      R"({"name":)" + json_string(tool) + R"(,"arguments":)" + std::string(arguments) + "}";
  const std::string who = "mcp server " + name_;
  for (bool is_first = true;; is_first = false) {
    auto connecting = connect();
    const Result<> connected = co_await std::move(connecting);
    if (!connected) co_return fail(context(who, connected.error()));
    auto asking = ask("tools/call", params, {times_.call, times_.call_max, &on_progress});
    Result<std::string> answer = co_await std::move(asking);
    if (answer) co_return answer;
    // Only a server that did not know the session is asked again: any other may have done it.
    if (!is_first || answer.error().code != ErrorCode::not_found)
      co_return fail(context(who, std::move(answer).error()));
  }
}

bool McpConnection::take_tools_changed() {
  if (told_of_change_ || !session_ || !session_->tools_changed()) return false;
  told_of_change_ = true;
  return true;
}

asio::awaitable<void> McpConnection::close() {
  ENSURE(waiting_.empty() && !connecting_, "nothing is under way when a server is closed");
  is_open_ = false;
  auto closing = transport_->close();
  co_await std::move(closing);
}

}  // namespace fathom::tools
