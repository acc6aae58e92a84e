#include "agents/cli/approvals.hpp"

#include <algorithm>
#include <utility>

namespace fathom::agents {

using tools::Approval;

namespace {

// "Y", and "yes" behind a blank, are what a person means by them.
std::string plain_word(std::string_view line) {
  const auto is_blank = [](char c) { return c == ' ' || c == '\t' || c == '\r'; };
  while (!line.empty() && is_blank(line.front())) line.remove_prefix(1);
  while (!line.empty() && is_blank(line.back())) line.remove_suffix(1);
  std::string word(line);
  for (char& c : word)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return word;
}

}  // namespace

tools::Approver Approvals::approver(
    Who who, std::function<void(const ToolCall&, const policies::Decision&)> ask) {
  ask_ = std::move(ask);
  switch (who) {
    case Who::everything:
      return [](const ToolCall&, const policies::Decision&) -> asio::awaitable<Approval> {
        co_return Approval::given;
      };
    case Who::later:
      return [](const ToolCall&, const policies::Decision&) -> asio::awaitable<Approval> {
        co_return Approval::later;
      };
    case Who::person:
      break;
  }
  return
      [this](const ToolCall& call, const policies::Decision& why) { return ask_person(call, why); };
}

// One question at a time; calls that run side by side wait for their turn.
asio::awaitable<Approval> Approvals::ask_person(const ToolCall& call,
                                                const policies::Decision& why) {
  while (asking_) co_await changed_.wait();
  if (std::ranges::find(always_, why.rule) != always_.end()) co_return Approval::given;
  asking_ = true;
  // Also when the run is interrupted meanwhile.
  struct Done {
    Approvals& approvals;
    ~Done() {
      approvals.asking_ = false;
      approvals.answer_.reset();
      approvals.changed_.notify_all();
    }
  } const done{*this};
  rule_ = why.rule;
  ask_(call, why);
  while (!answer_) co_await changed_.wait();
  co_return *answer_;
}

bool Approvals::answer(std::string_view line) {
  if (!asking_ || answer_) return false;
  const std::string word = plain_word(line);
  const bool is_always = word == "a" || word == "always";
  if (is_always) always_.push_back(rule_);
  const bool is_yes = is_always || word == "y" || word == "yes";
  answer_ = is_yes ? Approval::given : Approval::refused;
  changed_.notify_all();
  return true;
}

}  // namespace fathom::agents
