#!/usr/bin/env python3
"""Small Python repositories with something wrong in them, each from a seed.

A repository has one to three modules of a few functions, a list of checks, and one or more wrong
lines. Its checks are really run before and after: a bug that no check sees is not one.

    repos.py --count 12 --seed 1 --out DIR     writes repositories and answers.tsv
    repos.py --shapes 200000                   counts the distinct functions of so many draws
"""
import argparse
import dataclasses
import os
import random
import re
import sys

import arguments
import bugs
import formulas
import harness
import loops
import names
from shapes import Namer, is_held_cell

FUNCTIONS_MAX = 14
TRIES_MAX = 60  # of one thing before it is given up
HINTS = {"L": "list", "M": "list", "Y": "list", "E": "list", "G": "list", "S": "list", "W": "list",
         "V": "list", "Q": "list", "D": "dict", "X": "dict", "s": "str", "S1": "str", "t": "str",
         "p": "str", "c": "str", "b": "str", "d": "str"}
SUFFIXES = ("", "", "", "_utils", "_math", "_text", "_tools", "_calc", "_stats", "_helpers")


@dataclasses.dataclass
class Bug:
    kind: str
    path: str
    function: str
    line: int  # from 0
    wrong: str
    right: str


@dataclasses.dataclass
class Check:
    module: str
    function: str
    args: list
    expected: object


@dataclasses.dataclass
class Placed:
    """A function in its file: lines [begin, end), the first of its body after a docstring."""
    function: object
    begin: int
    body: int
    end: int


@dataclasses.dataclass
class Module:
    path: str
    lines: list
    placed: list

    @property
    def name(self):
        return os.path.basename(self.path)[:-3]

    def text(self):
        return "\n".join(self.lines) + "\n"


@dataclasses.dataclass
class Repository:
    modules: list
    checks: list
    bugs: list

    def module(self, path):
        return next(module for module in self.modules if module.path == path)

    def paths(self):
        return [module.path for module in self.modules]

    def run(self):
        """The outcome of the checks as the files stand now."""
        space = {module.name: harness.load(module.text()) for module in self.modules}
        return harness.run(space, self.checks)

    def replace(self, path, number, line):
        self.module(path).lines[number] = line


@dataclasses.dataclass
class Rules:
    """What a repository is drawn from."""
    held_names: bool = False
    held_cells: bool = False
    bugs: tuple = (1, 1)
    modules: tuple = (1, 1, 2, 2, 3)
    functions: tuple = (2, 2, 3, 3, 3, 4, 4, 5, 6)
    all_broken: bool = False  # every function has a bug


class Maker:
    def __init__(self, seed, rules):
        self.rng = random.Random(seed)
        self.rules = rules

    def function(self, wanted=None):
        """A function with checks; of `wanted`, one that can have a bug of this class."""
        for _ in range(TRIES_MAX * (20 if self.rules.held_cells else 5)):
            namer = Namer(self.rng, self.rules.held_names)
            family = loops if self.rng.random() < 0.6 else formulas
            function = family.draw(namer)
            if function is None or is_held_cell(function.cell) != self.rules.held_cells:
                continue
            if wanted and not bugs.mutants(function.lines, scope_of(function), wanted):
                continue
            checks = self.checks(function)
            if checks:
                return function, checks
        return None

    def checks(self, function):
        """One to three calls with their results; none when the function does not like its input."""
        call = harness.load(source_of(function))[function.name]
        found = []
        for _ in range(self.rng.choice((1, 2, 2, 3))):
            for _ in range(6):
                args = arguments.draw_all(self.rng, self.rules.held_names, function.params)
                expected = harness.call(call, args)
                if isinstance(expected, harness.Raised) or len(repr(expected)) > 44:
                    continue
                if isinstance(expected, float) and len(repr(expected)) > 6:
                    continue
                if all(args != old.args for old in found):
                    found.append(Check("", function.name, args, expected))
                    break
        return found

    def repository(self):
        for tries in range(TRIES_MAX):
            if tries % 12 == 0:  # a class that did not come out is tried again: they stay balanced
                classes = self.wanted()
            wanted = list(classes)
            modules = self.modules(wanted)
            if modules is None:
                continue
            repository = Repository(modules, [], [])
            for module in modules:
                for placed in module.placed:
                    for check in placed.function.checks:
                        check.module = module.name
                        repository.checks.append(check)
            if self.break_lines(repository, wanted):
                return repository
        raise RuntimeError("no repository came out of these rules")

    def wanted(self):
        low, high = self.rules.bugs
        return [self.rng.choice(bugs.CLASSES) for _ in range(self.rng.randint(low, high))]

    def modules(self, wanted):
        """Modules of functions; the first functions drawn are those that get the bugs."""
        rng = self.rng
        count = rng.choice(self.rules.modules)
        sizes = [rng.choice(self.rules.functions) for _ in range(count)]
        if self.rules.all_broken:
            sizes = [len(wanted)]
        functions, titles = [], set()
        for place in range(min(max(sum(sizes), len(wanted)), FUNCTIONS_MAX)):
            made = None
            for _ in range(3):
                made = self.function(wanted[place] if place < len(wanted) else None)
                if made is None and place < len(wanted):
                    wanted[place] = rng.choice(bugs.CLASSES)  # this class has no function here
                if made and made[0].name not in titles:
                    break
                made = None
            if made is None:
                return None
            made[0].checks = made[1]
            titles.add(made[0].name)
            functions.append(made[0])
        victims = functions[:len(wanted)]
        rng.shuffle(functions)
        for place, victim in enumerate(victims):
            victim.wanted = wanted[place]
        return self.place(functions, sizes, titles)

    def place(self, functions, sizes, titles):
        rng = self.rng
        modules, at = [], 0
        for size in sizes:
            part = functions[at:at + size]
            at += size
            if not part:
                break
            for _ in range(TRIES_MAX):
                name = names.word(rng, self.rules.held_names) + rng.choice(SUFFIXES)
                if name not in titles and name not in sys.stdlib_module_names:
                    break
            titles.add(name)
            folder = rng.choice(("", "src/", "lib/"))
            modules.append(written(rng, folder + name + ".py", part))
        return sorted(modules, key=lambda module: module.path)

    def break_lines(self, repository, wanted):
        for module in repository.modules:
            for placed in module.placed:
                if getattr(placed.function, "wanted", None):
                    if not self.break_line(repository, module, placed):
                        return False
        return len(repository.bugs) == len(wanted)

    def break_line(self, repository, module, placed):
        """Puts one bug of the wanted class into the function, if its checks see one."""
        function = placed.function
        lines = module.lines[placed.body:placed.end]
        found = bugs.mutants(lines, scope_of(function), function.wanted)
        self.rng.shuffle(found)
        for place, wrong, kind in found[:12]:
            number = placed.body + place
            right = module.lines[number]
            if is_seen(module, placed, number, wrong) and is_unique(module, number, wrong):
                module.lines[number] = wrong
                repository.bugs.append(Bug(kind, module.path, function.name, number, wrong, right))
                return True
        return False


def is_unique(module, number, wrong):
    """Whether an edit can name the wrong line: it stands once, also inside of other lines."""
    rest = module.lines[:number] + module.lines[number + 1:]
    return "\n".join(rest).count(wrong) == 0


def is_seen(module, placed, number, wrong):
    """Whether the function's checks fail with this line, and the file still can be read."""
    lines = module.lines[placed.begin:placed.end]
    lines[number - placed.begin] = wrong
    try:
        space = harness.load("\n".join(lines) + "\n")
    except SyntaxError:
        return False
    call = space[placed.function.name]
    return any(not harness.agrees(harness.call(call, check.args), check.expected)
               for check in placed.function.checks)


def scope_of(function):
    """The variables of a function, its parameters first."""
    scope = list(dict.fromkeys(function.scope()))
    for line in function.lines:
        found = re.match(r"\s*(?:for )?([a-z_]\w*(?:, [a-z_]\w*)*)(?= [-+*/]*= | in )", line)
        for name in found.group(1).split(", ") if found else []:
            if name not in scope and name not in names.RESERVED:
                scope.append(name)
    return scope


def source_of(function):
    params = ", ".join(name for name, _ in function.params)
    return "def %s(%s):\n%s\n" % (function.name, params, "\n".join(function.lines))


def written(rng, path, functions):
    """A module in one of the styles that people have."""
    indent = " " * rng.choice((4, 4, 4, 2))
    hints, docs = rng.random() < 0.3, rng.random() < 0.35
    gap = rng.choice((1, 2))
    title = os.path.basename(path)[:-3].replace("_", " ")
    lines = rng.choice(([], [], ['"""%s helpers."""' % title.capitalize(), ""], ["# " + title, ""]))
    lines = list(lines)
    placed = []
    for function in functions:
        if placed:
            lines += [""] * gap
        begin = len(lines)
        params = [name + (": " + HINTS.get(kind[:1] if kind.startswith("R:") else kind,
                                           "list" if kind.startswith("R:") else "int")
                          if hints else "") for name, kind in function.params]
        lines.append("def %s(%s):" % (function.name, ", ".join(params)))
        if docs and rng.random() < 0.6:
            words = function.name.replace("_", " ")
            lines.append(indent + '"""%s."""' % words.capitalize())
        body = len(lines)
        for line in function.lines:
            depth = (len(line) - len(line.lstrip(" "))) // 4
            lines.append(indent * depth + line.lstrip(" "))
        placed.append(Placed(function, begin, body, len(lines)))
    return Module(path, lines, placed)


def make(seed, rules=Rules()):
    """The repository of a seed: the same seed gives the same bytes."""
    return Maker(seed, rules).repository()


def files_of(repository):
    """Every file of the repository by its path."""
    modules = ", ".join(sorted(module.name for module in repository.modules))
    test = ["import sys; sys.path[:0] = ['src', 'lib']; from check import check, done",
            "import " + modules, ""]
    test += ["check(%s, %r, %r, %r)" % (check.module, check.function, check.args, check.expected)
             for check in repository.checks]
    files = {module.path: module.text() for module in repository.modules}
    files["test.py"] = "\n".join(test + ["done()"]) + "\n"
    files["check.py"] = harness.CHECK_PY
    files["run_tests.sh"] = RUN_TESTS
    return files


# -B: compiled modules are told apart by second and size, so that of two edits in one second the
# second would not be seen.
RUN_TESTS = "#!/bin/sh\nexec python3 -B test.py\n"

# How Fathom is told what the tests are; the agent's first call finds them by it.
CONFIG = "apiVersion: fathom/v1\nkind: Config\ntest:\n  command: [./run_tests.sh]\n"


def write(repository, folder):
    files = dict(files_of(repository))
    files[".fathom/config.yaml"] = CONFIG
    for path, text in files.items():
        whole = os.path.join(folder, path)
        os.makedirs(os.path.dirname(whole), exist_ok=True)
        with open(whole, "w", encoding="utf-8") as file:
            file.write(text)
    os.chmod(os.path.join(folder, "run_tests.sh"), 0o755)


def normal_form(function):
    """The function without its names: what makes two functions the same shape."""
    order = {}
    text = "\n".join(function.lines)
    for name in scope_of(function):
        order.setdefault(name, "v%d" % len(order))
    return re.sub(r"[a-z_]\w*", lambda match: order.get(match.group(), match.group()), text)


def count_shapes(draws):
    rng = random.Random(1)
    cells, shapes, held = set(), set(), set()
    for _ in range(draws):
        family = loops if rng.random() < 0.6 else formulas
        function = family.draw(Namer(rng, False, noun_share=0.0))
        if function is None:
            continue
        (held if is_held_cell(function.cell) else cells).add(function.cell)
        shapes.add(normal_form(function))
    print("%d cells trained, %d held out, %d distinct shapes, %d bug classes" % (
        len(cells), len(held), len(shapes), len(bugs.CLASSES)))


SETS = {
    "trained": Rules(),
    "names": Rules(held_names=True),
    "templates": Rules(held_names=True, held_cells=True),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--count", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--set", choices=SETS, default="names")
    parser.add_argument("--out", help="the folder to write to")
    parser.add_argument("--shapes", type=int, help="count the shapes of so many draws, and end")
    options = parser.parse_args()
    if options.shapes:
        count_shapes(options.shapes)
        return
    if not options.out:
        parser.error("--out says where the repositories go")
    answers = ["repo\tclass\tfile\tfunction\twrong line\tright line"]
    for place in range(options.count):
        repository = make(options.seed * 1_000_003 + place, SETS[options.set])
        name = "r%03d" % place
        write(repository, os.path.join(options.out, name))
        for bug in repository.bugs:
            answers.append("\t".join((name, bug.kind, bug.path, bug.function, bug.wrong.strip(),
                                      bug.right.strip())))
    with open(os.path.join(options.out, "answers.tsv"), "w", encoding="utf-8") as file:
        file.write("\n".join(answers) + "\n")


if __name__ == "__main__":
    main()
