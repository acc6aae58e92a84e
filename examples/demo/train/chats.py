#!/usr/bin/env python3
"""Repositories as chats: how an agent that knows the answer repairs one, in V4's messages.

The agent runs the tests, views the file of the first failing function, writes that function again
from its first line to the wrong one, says what is wrong with it, replaces that line, and runs the
tests again, until they pass. Walking the function needs only copying and a yes or no at each line;
a line number in front of the line would be a search in one step, which small models do not learn.

    chats.py --kind full --count 3 --seed 1      writes chats, a JSON object a line
"""
import argparse
import dataclasses
import json
import random
import re
import sys

import bugs
import names
import render
import repos

PROMPT = "You repair the repository with the given tools."
TASK = "The tests fail. Find and fix the bug."
OTHER_TASKS = (
    "Fix the bug.", "Make the tests pass.", "The tests fail. Please fix them.",
    "Some tests are red. Repair the code.", "Find out why the tests fail and fix it.",
    "Repair this repository.", "There is a bug in this repository. Fix it.",
    "run_tests.sh fails. Fix the code, not the tests.",
)
EDITS_MAX = 12


@dataclasses.dataclass
class Recipe:
    """What a kind of chat is made of, in shares."""
    several: float = 0.0  # more than one bug
    recovery: float = 0.0  # a wrong edit first, which is not trained
    cut: float = 0.0  # ends with its last edit: what follows is a fifth of a chat and soon learned
    short: bool = False
    rules: repos.Rules = dataclasses.field(default_factory=repos.Rules)


KINDS = {
    "short": Recipe(short=True, cut=0.6),
    "full": Recipe(several=0.25, recovery=0.12, cut=0.6),
    "names": Recipe(rules=repos.SETS["names"]),
    "templates": Recipe(rules=repos.SETS["templates"]),
}


def system_message(folder, system):
    """As Fathom writes it: the prompt of agents/demo.yaml, and where the agent works."""
    return ("%s\n\nThe repository is %s, where commands start and relative paths begin; the system "
            "is %s.\n" % (PROMPT, folder, system))


def system_text(rng, held):
    folders = [rng.choice(("home", "tmp", "work", "src", "srv", "root", "data"))]
    folders += [names.word(rng, held) for _ in range(rng.choice((1, 1, 2, 3)))]
    if rng.random() < 0.3:
        folders[-1] += rng.choice(("-", "_")) + str(rng.randint(0, 999))
    system = rng.choice(("Linux x86_64",) * 5 + ("Linux aarch64",))
    return system_message("/" + "/".join(folders), system)


def task_text(task, paths):
    """What the user asks; the model copies a path from this list."""
    return "\n".join([task] + sorted(paths))


def misspelt(rng, line, scope):
    """The line with one name copied with a fault, as small models do."""
    out = []
    for match in re.finditer(r"(?<![\w.\"'])[a-z]\w*(?![\w(\"'])", line):
        name = match.group()
        if name not in scope or len(name) < 4:
            continue
        at = rng.randrange(1, len(name) - 1)
        wrong = rng.choice((name[:at] + name[at + 1:], name[:at] + name[at:at + 1] + name[at:],
                            name[:at] + rng.choice("aeiourtlns") + name[at + 1:]))
        if wrong not in scope and wrong not in names.RESERVED:
            out.append(line[:match.start()] + wrong + line[match.end():])
    return out


class Episode:
    """A chat as it grows, with the repository that its edits change."""

    def __init__(self, rng, repository, held):
        self.rng, self.repository = rng, repository
        self.seen, self.fixed, self.calls = set(), [], 0
        self.known_by = rng.choice(render.KNOWN_BY)
        task = TASK if rng.random() < 0.7 else rng.choice(OTHER_TASKS)
        self.listed = rng.random() < 0.85
        user = task_text(task, repository.paths()) if self.listed else task
        self.messages = [{"role": "system", "content": system_text(rng, held)},
                         {"role": "user", "content": user}]

    def call(self, name, arguments, result, reasoning="", train=True):
        self.calls += 1
        identity = "call_%d" % self.calls
        message = {"role": "assistant", "reasoning_content": reasoning, "content": "",
                   "tool_calls": [{"id": identity, "type": "function", "function": {
                       "name": name, "arguments": json.dumps(arguments)}}]}
        if not train:
            message["train"] = False
        self.messages += [message,
                          {"role": "tool", "tool_call_id": identity, "content": result}]

    def run_tests(self):
        outcome = self.repository.run()
        seconds = self.rng.choice((0.02, 0.1, 0.3, 0.3, 0.5, 1.5)) * self.rng.uniform(0.5, 2)
        if self.rng.random() < 0.01:
            seconds *= 30
        self.call("run_tests", {}, render.tests(outcome, seconds, self.known_by))
        return outcome

    def view(self, path):
        if path in self.seen:
            return
        if not self.listed and self.rng.random() < 0.3:
            self.view_wrong(path)
        self.call("str_replace_editor", {"command": "view", "path": path},
                  render.view(self.repository.module(path).lines))
        self.seen.add(path)

    def view_wrong(self, path):
        """A guess where the file is, as it happens without a list of files."""
        others = [other for other in self.repository.paths()
                  if other != path and other not in self.seen]
        if others and self.rng.random() < 0.5:
            wrong = self.rng.choice(others)
            result = render.view(self.repository.module(wrong).lines)
            self.seen.add(wrong)
        else:
            name = path.rsplit("/", 1)[-1]
            wrong = self.rng.choice([p for p in (name, "src/" + name, "lib/" + name) if p != path])
            if wrong in self.repository.paths():
                return
            result = render.no_file(wrong)
        self.call("str_replace_editor", {"command": "view", "path": wrong}, result, train=False)

    def scan(self, bug, phrase):
        """The function again, down to the wrong line."""
        module = self.repository.module(bug.path)
        placed = next(p for p in module.placed if p.function.name == bug.function)
        lines = module.lines[placed.begin:bug.line + 1]
        return "In %s:\n%s <- %s." % (bug.function, "\n".join(lines), phrase)

    def edit(self, bug, line, phrase, train=True):
        module = self.repository.module(bug.path)
        old = module.lines[bug.line]
        reasoning = self.scan(bug, phrase)
        module.lines[bug.line] = line
        self.call("str_replace_editor",
                  {"command": "str_replace", "path": bug.path, "old_str": old, "new_str": line},
                  render.edited(bug.path, module.lines, bug.line), reasoning, train)

    def wrong_edit(self, bug):
        """An edit that does not help: of the right line, with a name misspelt, or of another line
        of the function that was right. None where the checks would not see it."""
        module = self.repository.module(bug.path)
        placed = next(p for p in module.placed if p.function.name == bug.function)
        scope = repos.scope_of(placed.function)
        correct = list(module.lines[placed.body:placed.end])
        at = bug.line - placed.body
        correct[at] = bug.right
        way = self.rng.random()
        if way < 0.3:
            found = [(at, line, "wrong_var") for line in misspelt(self.rng, bug.right, scope)]
        else:
            found = [(place, wrong, kind) for place, wrong, kind in bugs.mutants(correct, scope)
                     if (place == at) == (way < 0.7) and wrong != bug.wrong]
        self.rng.shuffle(found)
        for place, wrong, kind in found[:8]:
            number = placed.body + place
            if (not repos.is_unique(module, number, wrong)
                    or not repos.is_unique(module, number, module.lines[number])
                    or not repos.is_seen(module, placed, number, wrong)):
                continue
            target = dataclasses.replace(bug, line=number, kind=kind, wrong=wrong,
                                         right=correct[place])
            said = bugs.PHRASES[self.rng.choice((kind, bug.kind))]
            self.edit(target, wrong, said, train=False)
            if place == at:
                bug.kind, bug.wrong = kind, wrong
            else:
                self.repository.bugs.append(target)
            return self.run_tests()
        return None

    def next_bug(self, outcome):
        """The first wrong line of the first function that fails."""
        failing = outcome.failing[0]
        found = [bug for bug in self.repository.bugs if bug.function == failing.function]
        return min(found, key=lambda bug: bug.line)

    def repair(self, recovers):
        outcome = self.run_tests()
        for place in range(EDITS_MAX):
            if not outcome.red:
                break
            bug = self.next_bug(outcome)
            self.view(bug.path)
            if recovers and place < 2 and self.rng.random() < (1.0, 0.2)[place]:
                again = self.wrong_edit(bug)
                if again is not None:
                    outcome = again
                    continue
            self.edit(bug, bug.right, bugs.PHRASES[bug.kind])
            self.repository.bugs.remove(bug)
            self.fixed.append((bug.function, bug.path))
            outcome = self.run_tests()
        if outcome.red:
            return None
        fixed = ", ".join("%s in %s" % one for one in dict.fromkeys(self.fixed))
        self.messages.append({"role": "assistant", "reasoning_content": "",
                              "content": "Fixed %s." % fixed})
        return self.messages

    def until_last_edit(self):
        """The chat without the edit's result, the last run of the tests, and the answer."""
        return self.messages[:-len(("result", "call", "outcome", "answer"))]


def rules_for(rng, recipe):
    rules = recipe.rules
    if recipe.short:
        count = rng.choice((1, 2, 2))
        return dataclasses.replace(rules, bugs=(count, count), modules=(1,), all_broken=True)
    if rng.random() < recipe.several:
        return dataclasses.replace(rules, bugs=(2, rng.choice((2, 2, 3))),
                                   modules=(1, 1, 1, 2), functions=(2, 2, 3, 4))
    return rules


def chat(kind, seed):
    """The chat of a seed, and the bug that its repository began with. The same seed gives the same
    bytes; a repository on which the agent does not come to an end gives the next one."""
    recipe = KINDS[kind]
    for again in range(repos.TRIES_MAX):
        rng = random.Random("%s %d %d" % (kind, seed, again))
        repository = repos.make(rng.getrandbits(60), rules_for(rng, recipe))
        bug = dataclasses.replace(repository.bugs[0])
        episode = Episode(rng, repository, recipe.rules.held_names)
        messages = episode.repair(rng.random() < recipe.recovery)
        if messages is not None:
            if rng.random() < recipe.cut:
                messages = episode.until_last_edit()
            return {"messages": messages, "thinking": True}, bug
    raise RuntimeError("no chat came out of seed %d" % seed)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--kind", choices=KINDS, default="full")
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    for place in range(options.count):
        line, _ = chat(options.kind, options.seed * 1_000_003 + place)
        sys.stdout.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
