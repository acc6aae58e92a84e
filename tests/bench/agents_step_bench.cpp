// What a step costs beside the model and the tool: from one request to the next, with the journal
// on disk. A step is a request, an answer with a call, the call, its result.
#include "engine/remote/remote_engine.hpp"
#include "tests/bench/agents_bench.hpp"
#include "tests/bench/agents_bench_session.hpp"

#include <boost/asio/co_spawn.hpp>

#include <array>
#include <exception>
#include <utility>

namespace fathom::agents {
namespace {

constexpr double kStepGoalUs = 1'000;
constexpr std::size_t kWindow = 51;  // steps of which the median is taken
constexpr std::uint64_t kSmallCalls = 5'100;
constexpr std::size_t kSmallResultBytes = 120;
constexpr std::uint64_t kLargeCalls = 1'100;
constexpr std::size_t kLargeResultBytes = 4'000;

double us_between(Steady::time_point from, Steady::time_point to) {
  return std::chrono::duration<double, std::micro>(to - from).count();
}

// One session with one turn of so many calls.
std::vector<CallingEngine::Asked> run_calls(std::uint64_t calls, std::size_t result_bytes) {
  const BenchPlace place;
  RuntimeOptions standing;
  standing.env = place.env();
  const auto runtime = Runtime::start(std::move(standing)).value();
  CallingEngine engine(calls);
  Session::Surroundings around = runtime->surroundings();
  around.open_engine = [&](std::string_view) -> asio::awaitable<Result<engine::Engine*>> {
    co_return &engine;
  };
  asio::co_spawn(runtime->io(), one_session(around, place.session(result_bytes)),
                 [](std::exception_ptr error) {
                   if (error) std::rethrow_exception(error);
                 });
  runtime->io().run();
  return std::move(engine.asked);
}

// The median of the steps that follow request `from`.
double step_us(const std::vector<CallingEngine::Asked>& asked, std::size_t from) {
  std::vector<double> steps;
  for (std::size_t i = from; i + 1 < asked.size() && steps.size() < kWindow; ++i)
    steps.push_back(us_between(asked[i].at, asked[i + 1].at));
  return median(std::move(steps));
}

template <class Reached>
std::size_t first_request(const std::vector<CallingEngine::Asked>& asked, Reached reached) {
  return static_cast<std::size_t>(std::ranges::find_if(asked, reached) - asked.begin());
}

// An OpenAI session reads nothing from the network to prepare a request.
double prepare_ms(std::size_t body_bytes) {
  const auto env = [](const char*) { return std::string(); };
  SystemClock clock;
  const auto http = net::HttpClient::create(clock, {}, env).value();
  engine::KeySources keys;
  keys.env = env;
  const auto spec = engine::parse_engine_spec("openai:http://127.0.0.1:9/v1#m").value();
  const auto engine = engine::open_remote(spec, {*http, clock}, keys).value();
  const auto session = engine->open({}).value();
  engine::Transcript transcript;
  std::vector<double> took;
  const std::string text(kLargeResultBytes, 'x');
  for (std::size_t number = 0; took.size() < kWindow; ++number) {
    Message message;
    message.role = number % 2 == 0 ? Role::user : Role::assistant;
    message.text = text;
    transcript.messages.push_back(std::move(message));
    if (transcript.messages.size() * kLargeResultBytes < body_bytes) continue;
    const auto start = Steady::now();
    (void)session->prepare(transcript, {}).value();
    took.push_back(us_between(start, Steady::now()));
  }
  took.erase(took.begin());  // rendered everything at once
  return median(std::move(took)) / 1'000;
}

}  // namespace

void run_step_bench(BenchReport& report) {
  const auto asked = run_calls(kSmallCalls, kSmallResultBytes);
  const double first = step_us(
      asked, first_request(asked, [](const auto& request) { return request.messages >= 10; }));
  report.rows.push_back({"a step at 10 messages", first, "us", kStepGoalUs, 0, "", ""});
  for (const std::size_t messages : {1'000U, 10'000U}) {
    const double later = step_us(asked, first_request(asked, [&](const auto& request) {
                                   return request.messages >= messages;
                                 }));
    report.rows.push_back({"a step at " + std::to_string(messages) + " messages", later, "us",
                           kStepGoalUs, first, "at 10", ""});
  }
}

void run_body_bench(BenchReport& report) {
  constexpr std::size_t kMb = 1'000'000;
  const auto asked = run_calls(kLargeCalls, kLargeResultBytes);
  const double first = step_us(asked, 1);
  report.rows.push_back({"a step of 4 kB at 0 MB", first, "us", kStepGoalUs, 0, "", ""});
  for (const std::size_t size : {1U, 4U}) {
    const std::size_t at =
        first_request(asked, [&](const auto& request) { return request.body_bytes >= size * kMb; });
    report.rows.push_back({"a step of 4 kB at " + std::to_string(size) + " MB", step_us(asked, at),
                           "us", 0, first, "at 0 MB", ""});
    report.rows.push_back({"prepare() of openai, " + std::to_string(size) + " MB",
                           prepare_ms(size * kMb), "ms", 0, 0, "", ""});
  }
}

}  // namespace fathom::agents
