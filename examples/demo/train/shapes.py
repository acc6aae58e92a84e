"""What a generated function is, and the names it is written with."""
import dataclasses
import zlib

import names

HELD_CELLS_ONE_IN = 8  # of the composition cells, left out of training to be measured on

# What a variable is called when it is not called after a noun.
ROLES = {
    "list": "values items numbers xs nums entries elems data".split(),
    "words": "words names lines parts labels texts tokens".split(),
    "item": "item x num value entry elem it n".split(),
    "word": "word name text part label w".split(),
    "total": "total result res acc amount tally".split(),
    "count": "count hits matches cnt found seen".split(),
    "out": "out result picked kept res chosen".split(),
    "index": "i idx index pos k".split(),
    "other": "j m step slot".split(),
    "limit": "limit bound border threshold edge cap".split(),
    "low": "low lower start first least".split(),
    "high": "high upper stop most end".split(),
    "number": "a n x number value first amount".split(),
    "number2": "b m y other second size step".split(),
    "key": "key k name label field".split(),
    "mapping": "mapping table lookup stock scores prices".split(),
    "best": "best top peak winner record".split(),
    "pairs": "pairs rows records entries".split(),
    "grid": "grid rows table matrix board".split(),
    "row": "row line part group".split(),
    "text": "text line word sentence s name".split(),
    "char": "ch letter char c mark".split(),
    "target": "target wanted goal sought value".split(),
}
PLURAL_ROLES = {"list", "words", "pairs", "grid", "mapping", "out"}


@dataclasses.dataclass
class Function:
    cell: str
    name: str
    params: list  # of (name, type letter)
    lines: list  # of the body, indented by 4 and more
    doc: str = ""

    def scope(self):
        return [name for name, _ in self.params]


def is_held_cell(cell):
    return zlib.crc32(cell.encode()) % HELD_CELLS_ONE_IN == 0


class Namer:
    """The names of one function, each used once."""

    def __init__(self, rng, held, noun_share=0.35):
        self.rng, self.held, self.noun_share = rng, held, noun_share
        self.used = set()
        self.noun = names.word(rng, held)  # what the function is about
        self.nouns = names.plural(self.noun)

    def take(self, name):
        if name in self.used or name in names.RESERVED:
            return None
        self.used.add(name)
        return name

    def var(self, role, about=""):
        """A fresh variable; `about` offers a name of its own, the subject's for one."""
        if about and self.rng.random() < 0.25 and self.take(about):
            return about
        for _ in range(20):
            if self.rng.random() < self.noun_share:
                noun = names.word(self.rng, self.held)
                name = names.plural(noun) if role in PLURAL_ROLES else noun
                if role in ("count", "total") and self.rng.random() < 0.5:
                    name = self.rng.choice(("num_", "sum_", "total_")) + name
            else:
                name = self.rng.choice(ROLES[role])
            if self.take(name):
                return name
        return self.var("item") if role != "item" else self.fresh()

    def fresh(self):
        while True:
            name = names.syllables(self.rng, self.held)
            if self.take(name):
                return name

    def title(self, *patterns):
        """One of the patterns for a function's name, about the subject."""
        pattern = self.rng.choice(patterns)
        return pattern.replace("{ws}", self.nouns).replace("{w}", self.noun)
