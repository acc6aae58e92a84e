#include "agents/turn_words.hpp"

#include <utility>

namespace fathom::agents {

std::string_view text_of(Note note) {
  switch (note) {
    case Note::empty_answer:
      return "Your answer was empty. Go on with the task: make a call, or say what you found.";
    case Note::cut_answer:
      return "Your answer was cut off because it was too long. Go on in smaller steps; do not "
             "repeat what you have written.";
    case Note::unfit_answer:
      return "Your answer does not have the form that was asked for.";
    case Note::wrap_up:
      return "This is the last step: no more calls are possible. Say briefly what was done, what "
             "was not, and what should be done next.";
  }
  return "";
}

std::string_view name_of(Note note) {
  switch (note) {
    case Note::empty_answer:
      return "empty_answer";
    case Note::cut_answer:
      return "cut_answer";
    case Note::unfit_answer:
      return "unfit_answer";
    case Note::wrap_up:
      return "wrap_up";
  }
  return "";
}

engine::UserSaid note_of(std::string name, std::string text) {
  engine::UserSaid said;
  said.how = engine::UserSaid::How::guard;
  said.key = std::move(name);
  said.text = std::move(text);
  return said;
}

}  // namespace fathom::agents
