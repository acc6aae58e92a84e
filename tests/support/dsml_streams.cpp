#include "tests/support/dsml_streams.hpp"

#include "runtime/base/text.hpp"

#include <stdexcept>

namespace fathom::test {
namespace {

using engine::SampleDelta;

void require(bool good, const char* why) {
  if (!good) throw std::runtime_error(why);
}

void add(DsmlOutcome& outcome, const SampleDelta& delta) {
  require(find_invalid_utf8(delta.text) == std::string_view::npos, "a delta that is not UTF-8");
  switch (delta.kind) {
    case SampleDelta::Kind::reasoning:
      require(outcome.content.empty() && outcome.calls.empty(), "reasoning behind the answer");
      outcome.reasoning += delta.text;
      break;
    case SampleDelta::Kind::content:
      outcome.content += delta.text;
      break;
    case SampleDelta::Kind::call_started:
      require(delta.call == outcome.calls.size(), "calls are counted up");
      outcome.calls.push_back({delta.text, "", false});
      break;
    case SampleDelta::Kind::call_arguments:
      require(delta.call + 1 == outcome.calls.size(), "arguments of the latest call");
      outcome.calls.back().arguments += delta.text;
      break;
    case SampleDelta::Kind::call_finished:
      require(delta.call + 1 == outcome.calls.size(), "the end of the latest call");
      outcome.calls.back().finished = true;
      break;
  }
}

void check_against_message(const DsmlOutcome& outcome) {
  require(outcome.reasoning == outcome.message.reasoning, "joined reasoning is the message's");
  require(outcome.content == outcome.message.text, "joined content is the message's");
  std::size_t finished = 0;
  for (const DsmlOutcome::Call& call : outcome.calls) {
    if (!call.finished) continue;
    require(finished < outcome.message.calls.size(), "a finished call is in the message");
    const ToolCall& result = outcome.message.calls[finished++];
    require(result.name == call.name && result.arguments == call.arguments,
            "joined pieces are the call's arguments");
  }
  require(finished == outcome.message.calls.size(), "the message has finished calls only");
}

}  // namespace

DsmlOutcome parse_in_pieces(const DsmlCase& how, std::string_view bytes,
                            const std::vector<std::size_t>& ends) {
  engine::DsmlParser parser(how.tools, how.options);
  DsmlOutcome outcome;
  std::size_t from = 0;
  for (const std::size_t end : ends) {
    for (const SampleDelta& delta : parser.feed(bytes.substr(from, end - from)))
      add(outcome, delta);
    from = end;
  }
  auto finished = parser.finish(how.ended_by);
  for (const SampleDelta& delta : finished.deltas) add(outcome, delta);
  outcome.message = std::move(finished.sample.message);
  outcome.finish = finished.sample.finish;
  check_against_message(outcome);
  return outcome;
}

DsmlOutcome parse_whole(const DsmlCase& how, std::string_view bytes) {
  return parse_in_pieces(how, bytes, {bytes.size()});
}

}  // namespace fathom::test
