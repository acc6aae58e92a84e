"""Functions that walk something: a source x a condition x a result, and how it is written.

A cell is such a triple. Cells are many (thousands) so that a model cannot learn each by heart and
has to learn the parts.
"""
import conditions
from shapes import Function

IN = "    "


class Source:
    """How the items are walked: `head` opens the loop, `item` is an expression in it."""

    def __init__(self, params, head, item, iterable="", tail=(), base=1):
        self.params, self.head, self.item, self.iterable = params, head, item, iterable
        self.tail = list(tail)  # at the end of the loop's body
        self.base = base  # depth of the body
        self.position = ""  # an expression for where the item stands


def list_source(namer, kind="L", role="list", item_role="item"):
    xs = namer.var(role, namer.nouns)
    x = namer.var(item_role, namer.noun)
    return Source([(xs, kind)], [f"for {x} in {xs}:"], x, f"for {x} in {xs}")


def index_source(namer, kind="L", role="list"):
    xs, i = namer.var(role, namer.nouns), namer.var("index")
    source = Source([(xs, kind)], [f"for {i} in range(len({xs})):"], f"{xs}[{i}]",
                    f"for {i} in range(len({xs}))")
    source.position = i
    return source


def enumerate_source(namer, kind="L", role="list"):
    xs, i = namer.var(role, namer.nouns), namer.var("index")
    x = namer.var("item", namer.noun)
    source = Source([(xs, kind)], [f"for {i}, {x} in enumerate({xs}):"], x,
                    f"for {i}, {x} in enumerate({xs})")
    source.position = i
    return source


def while_source(namer, kind="L", role="list"):
    xs, i = namer.var(role, namer.nouns), namer.var("index")
    source = Source([(xs, kind)], [f"{i} = 0", f"while {i} < len({xs}):"], f"{xs}[{i}]",
                    tail=[f"{i} += 1"])
    source.position = i
    return source


def keys_source(namer):
    mapping, key = namer.var("mapping", namer.nouns), namer.var("key")
    return Source([(mapping, "D")], [f"for {key} in {mapping}:"], f"{mapping}[{key}]",
                  f"for {key} in {mapping}")


def values_source(namer):
    mapping, x = namer.var("mapping", namer.nouns), namer.var("item", namer.noun)
    return Source([(mapping, "D")], [f"for {x} in {mapping}.values():"], x,
                  f"for {x} in {mapping}.values()")


def items_source(namer):
    mapping, key = namer.var("mapping", namer.nouns), namer.var("key")
    x = namer.var("item", namer.noun)
    source = Source([(mapping, "D")], [f"for {key}, {x} in {mapping}.items():"], x,
                    f"for {key}, {x} in {mapping}.items()")
    source.position = key
    return source


def pairs_source(namer):
    pairs, key = namer.var("pairs", namer.nouns), namer.var("key")
    x = namer.var("item", namer.noun)
    walk = f"for {key}, {x} in {pairs}"
    source = Source([(pairs, "Q")], [walk + ":"], x, walk)
    source.position = key
    return source


def grid_source(namer):
    grid, row = namer.var("grid", namer.nouns), namer.var("row")
    x = namer.var("item", namer.noun)
    return Source([(grid, "G")], [f"for {row} in {grid}:", f"{IN}for {x} in {row}:"], x,
                  f"for {row} in {grid} for {x} in {row}", base=2)


def range_source(namer):
    n, x = namer.var("limit"), namer.var("item", namer.noun)
    walk = f"for {x} in range(1, {n} + 1)"
    return Source([(n, "j")], [walk + ":"], x, walk)


def rows_source(namer):
    rows, row = namer.var("pairs", namer.nouns), namer.var("row")
    field = namer.fresh() if namer.rng.random() < 0.5 else namer.var("total")
    return Source([(rows, "R:" + field)], [f"for {row} in {rows}:"], f'{row}["{field}"]',
                  f"for {row} in {rows}")


def tail_source(namer):
    xs, x = namer.var("list", namer.nouns), namer.var("item", namer.noun)
    return Source([(xs, "L")], [f"for {x} in {xs}[1:]:"], x, f"for {x} in {xs}[1:]")


def split_source(namer):
    text, x = namer.var("text"), namer.var("word", namer.noun)
    return Source([(text, "t")], [f"for {x} in {text}.split():"], x, f"for {x} in {text}.split()")


def chars_source(namer):
    text, x = namer.var("text", namer.noun), namer.var("char")
    return Source([(text, "t")], [f"for {x} in {text}:"], x, f"for {x} in {text}")


def words_source(namer):
    return list_source(namer, "W", "words", "word")


def words_index_source(namer):
    return index_source(namer, "W", "words")


NUMBER_SOURCES = {
    "list": list_source, "index": index_source, "enumerate": enumerate_source,
    "while": while_source, "keys": keys_source, "values": values_source, "items": items_source,
    "pairs": pairs_source, "grid": grid_source, "range": range_source, "rows": rows_source,
    "tail": tail_source,
}
WORD_SOURCES = {"words": words_source, "split": split_source, "words_index": words_index_source}
SOURCES = {"number": NUMBER_SOURCES, "word": WORD_SOURCES, "char": {"chars": chars_source}}
CONDITIONS = {"number": conditions.NUMBERS, "word": conditions.WORDS, "char": conditions.CHARS}


def loop(source, before, inside, after):
    """The body: what stands before the loop, in it and behind it."""
    lines = [IN + line for line in before]
    lines += [IN + line for line in source.head]
    lines += [IN * (source.base + 1) + line for line in inside + source.tail]
    return lines + [IN + line for line in after]


def when(condition, *lines):
    return [f"if {condition}:"] + [IN + line for line in lines]


def add(namer, name, value):
    short = f"{name} += {value}"
    return namer.rng.choice((short, short, f"{name} = {name} + {value}"))


# Each result: (namer, source, condition, kind) -> (lines, titles); titles hold LABEL where the
# condition's words go. `compact` ones are written without a loop of their own.

def count(namer, s, cond, kind):
    del kind
    if s.iterable and namer.rng.random() < 0.25:
        return [f"    return sum(1 {s.iterable} if {cond})"], ("count_LABEL", "number_of_LABEL")
    c = namer.var("count")
    return loop(s, [f"{c} = 0"], when(cond, add(namer, c, "1")), [f"return {c}"]), (
        "count_LABEL", "LABEL_count", "number_of_LABEL")


def total(namer, s, cond, kind):
    value = s.item if kind == "number" else f"len({s.item})"
    verb = ("sum_LABEL", "total_of_LABEL") if kind == "number" else ("length_of_LABEL",)
    if s.iterable and namer.rng.random() < 0.25:
        return [f"    return sum({value} {s.iterable} if {cond})"], verb
    t = namer.var("total")
    return loop(s, [f"{t} = 0"], when(cond, add(namer, t, value)), [f"return {t}"]), verb


def skip_total(namer, s, cond, kind):
    if s.tail:
        return None  # a continue would jump over the step
    value = s.item if kind == "number" else f"len({s.item})"
    t = namer.var("total")
    return loop(s, [f"{t} = 0"], when(cond, "continue") + [add(namer, t, value)],
                [f"return {t}"]), ("sum_without_LABEL", "total_except_LABEL")


def until_total(namer, s, cond, kind):
    if s.base > 1:
        return None
    value = s.item if kind == "number" else f"len({s.item})"
    t = namer.var("total")
    return loop(s, [f"{t} = 0"], when(cond, "break") + [add(namer, t, value)],
                [f"return {t}"]), ("sum_until_LABEL", "total_before_LABEL")


def until_count(namer, s, cond, kind):
    del kind
    if s.base > 1:
        return None
    c = namer.var("count")
    return loop(s, [f"{c} = 0"], when(cond, "break") + [add(namer, c, "1")],
                [f"return {c}"]), ("count_until_LABEL", "steps_before_LABEL")


def product(namer, s, cond, kind):
    if kind != "number":
        return None
    t = namer.var("total")
    return loop(s, [f"{t} = 1"], when(cond, f"{t} *= {s.item}"), [f"return {t}"]), (
        "product_of_LABEL", "multiply_LABEL")


def squares(namer, s, cond, kind):
    if kind != "number":
        return None
    t = namer.var("total")
    return loop(s, [f"{t} = 0"], when(cond, f"{t} += {s.item} * {s.item}"), [f"return {t}"]), (
        "sum_of_squares_of_LABEL", "squared_LABEL_total")


def keep(namer, s, cond, kind):
    if kind == "char":
        out = namer.var("total")
        return loop(s, [f'{out} = ""'], when(cond, f"{out} += {s.item}"), [f"return {out}"]), (
            "keep_LABEL", "only_LABEL")
    if s.iterable and namer.rng.random() < 0.3:
        return [f"    return [{s.item} {s.iterable} if {cond}]"], ("keep_LABEL", "LABEL_only")
    out = namer.var("out")
    return loop(s, [f"{out} = []"], when(cond, f"{out}.append({s.item})"), [f"return {out}"]), (
        "keep_LABEL", "only_LABEL", "pick_LABEL")


def drop(namer, s, cond, kind):
    if kind == "char":
        return None
    if s.iterable and namer.rng.random() < 0.3:
        return [f"    return [{s.item} {s.iterable} if not ({cond})]"], ("drop_LABEL",)
    if s.tail:
        return None
    out = namer.var("out")
    return loop(s, [f"{out} = []"], when(cond, "continue") + [f"{out}.append({s.item})"],
                [f"return {out}"]), ("drop_LABEL", "remove_LABEL", "without_LABEL")


def mapped(namer, s, cond, kind):
    forms = {"number": (("{x} * 2", "doubled"), ("{x} * {x}", "squared"), ("{x} + 1", "raised"),
                        ("-{x}", "negated"), ("{x} // 2", "halved"), ("abs({x})", "plain"),
                        ("{x} % 10", "last_digits_of")),
             "word": (("{x}.upper()", "shouted"), ("len({x})", "lengths_of"),
                      ("{x}[::-1]", "flipped"), ("{x}.title()", "titled"),
                      ("{x}[0:1]", "initials_of"), ("{x}[-1:]", "endings_of")),
             "char": (("{x}.upper()", "shouted"),)}[kind]
    form, verb = namer.rng.choice(forms)
    value = form.format(x=s.item)
    if s.iterable and namer.rng.random() < 0.3:
        return [f"    return [{value} {s.iterable} if {cond}]"], (verb + "_LABEL",), verb
    out = namer.var("out")
    return loop(s, [f"{out} = []"], when(cond, f"{out}.append({value})"), [f"return {out}"]), (
        verb + "_LABEL",), verb


def any_of(namer, s, cond, kind):
    del kind
    if s.iterable and namer.rng.random() < 0.3:
        return [f"    return any({cond} {s.iterable})"], ("any_LABEL", "has_LABEL")
    return loop(s, [], when(cond, "return True"), ["return False"]), ("any_LABEL", "has_LABEL")


def none_of(namer, s, cond, kind):
    del kind
    if s.iterable and namer.rng.random() < 0.3:
        return [f"    return not any({cond} {s.iterable})"], ("no_LABEL", "free_of_LABEL")
    return loop(s, [], when(cond, "return False"), ["return True"]), ("no_LABEL", "free_of_LABEL")


def all_of(namer, s, cond, kind):
    del kind
    if s.iterable and namer.rng.random() < 0.5:
        return [f"    return all({cond} {s.iterable})"], ("all_LABEL", "only_LABEL_left")
    return loop(s, [], when(f"not ({cond})", "return False"), ["return True"]), ("all_LABEL",)


def first(namer, s, cond, kind):
    fallback = {"number": namer.rng.choice(("None", "-1", "0")), "word": '""', "char": '""'}[kind]
    return loop(s, [], when(cond, f"return {s.item}"), [f"return {fallback}"]), (
        "first_LABEL", "find_LABEL")


def last(namer, s, cond, kind):
    fallback = {"number": namer.rng.choice(("None", "-1", "0")), "word": '""', "char": '""'}[kind]
    b = namer.var("best")
    return loop(s, [f"{b} = {fallback}"], when(cond, f"{b} = {s.item}"), [f"return {b}"]), (
        "last_LABEL", "final_LABEL")


def where(namer, s, cond, kind):
    del kind
    if not s.position:
        return None
    return loop(s, [], when(cond, f"return {s.position}"), ["return -1"]), (
        "where_LABEL", "place_of_LABEL")


def places(namer, s, cond, kind):
    del kind
    if not s.position:
        return None
    out = namer.var("out")
    return loop(s, [f"{out} = []"], when(cond, f"{out}.append({s.position})"),
                [f"return {out}"]), ("places_of_LABEL", "indexes_of_LABEL")


def largest(namer, s, cond, kind):
    if kind != "number":
        return None
    b = namer.var("best")
    return loop(s, [f"{b} = 0"], when(f"{cond} and {s.item} > {b}" if " or " not in cond else
                                      f"({cond}) and {s.item} > {b}", f"{b} = {s.item}"),
                [f"return {b}"]), ("largest_LABEL", "biggest_LABEL", "max_LABEL")


def smallest(namer, s, cond, kind):
    if kind != "number":
        return None
    b = namer.var("best")
    test = f"({cond})" if " or " in cond else cond
    return loop(s, [f"{b} = None"],
                when(test, f"if {b} is None or {s.item} < {b}:", f"{IN}{b} = {s.item}"),
                [f"return {b}"]), ("smallest_LABEL", "least_LABEL", "min_LABEL")


def average(namer, s, cond, kind):
    if kind != "number":
        return None
    t, c = namer.var("total"), namer.var("count")
    return loop(s, [f"{t} = 0", f"{c} = 0"], when(cond, f"{t} += {s.item}", f"{c} += 1"),
                [f"if {c} == 0:", "    return 0", f"return {t} / {c}"]), (
        "average_LABEL", "mean_of_LABEL")


def replaced(namer, s, cond, kind):
    if kind == "char" or s.base > 1:
        return None
    out = namer.var("out")
    value = "0" if kind == "number" else '"-"'
    return loop(s, [f"{out} = []"],
                when(cond, f"{out}.append({value})") + ["else:", f"{IN}{out}.append({s.item})"],
                [f"return {out}"]), ("blank_out_LABEL", "hide_LABEL")


def marked(namer, s, cond, kind):
    del kind
    out = namer.var("out")
    return loop(s, [f"{out} = []"], [f"{out}.append({cond})"], [f"return {out}"]), (
        "flag_LABEL", "mark_LABEL")


def split_up(namer, s, cond, kind):
    if kind == "char":
        return None
    yes, no = namer.var("out"), namer.var("out")
    return loop(s, [f"{yes} = []", f"{no} = []"],
                when(cond, f"{yes}.append({s.item})") + ["else:", f"{IN}{no}.append({s.item})"],
                [f"return {yes}, {no}"]), ("split_off_LABEL", "part_LABEL")


def balance(namer, s, cond, kind):
    del kind
    t = namer.var("total")
    return loop(s, [f"{t} = 0"], when(cond, f"{t} += 1") + ["else:", f"{IN}{t} -= 1"],
                [f"return {t}"]), ("balance_of_LABEL", "lead_of_LABEL")


def streak(namer, s, cond, kind):
    del kind
    if s.base > 1:
        return None
    c, b = namer.var("count"), namer.var("best")
    return loop(s, [f"{c} = 0", f"{b} = 0"],
                when(cond, f"{c} += 1", f"{b} = max({b}, {c})") + ["else:", f"{IN}{c} = 0"],
                [f"return {b}"]), ("longest_run_of_LABEL", "streak_of_LABEL")


def distinct(namer, s, cond, kind):
    out = namer.var("out")
    if kind == "char":
        return None
    test = f"({cond})" if " or " in cond else cond
    return loop(s, [f"{out} = []"], when(f"{test} and {s.item} not in {out}",
                                         f"{out}.append({s.item})"), [f"return {out}"]), (
        "distinct_LABEL", "unique_LABEL")


def tally(namer, s, cond, kind):
    del kind
    out = namer.var("mapping")
    return loop(s, [f"{out} = {{}}"],
                when(cond, f"{out}[{s.item}] = {out}.get({s.item}, 0) + 1"),
                [f"return {out}"]), ("tally_LABEL", "frequency_of_LABEL")


def named(namer, s, cond, kind):
    del kind
    if not s.position:
        return None
    out = namer.var("mapping")
    return loop(s, [f"{out} = {{}}"], when(cond, f"{out}[{s.position}] = {s.item}"),
                [f"return {out}"]), ("table_of_LABEL", "map_LABEL")


def ordered(namer, s, cond, kind):
    if not s.iterable or kind == "char":
        return None
    form = namer.rng.choice((("", "ranked"), (", reverse=True", "descending")))
    return [f"    return sorted([{s.item} {s.iterable} if {cond}]{form[0]})"], (
        form[1] + "_LABEL",), form[1]


def joined(namer, s, cond, kind):
    if kind != "word":
        return None
    mark = namer.rng.choice(('", "', '"-"', '" "', '"/"'))
    if s.iterable and namer.rng.random() < 0.5:
        return [f"    return {mark}.join({s.item} {s.iterable} if {cond})"], ("join_LABEL",)
    out = namer.var("out")
    return loop(s, [f"{out} = []"], when(cond, f"{out}.append({s.item})"),
                [f"return {mark}.join({out})"]), ("join_LABEL", "LABEL_as_text")


RESULTS = {
    function.__name__: function for function in (
        count, total, skip_total, until_total, until_count, product, squares, keep, drop, mapped,
        any_of, none_of, all_of, first, last, where, places, largest, smallest, average, replaced,
        marked, split_up, balance, streak, distinct, tally, named, ordered, joined)
}
KINDS = ("number", "number", "number", "word", "word", "char")


def draw(namer):
    """A function of a random cell; None where the parts do not fit together."""
    rng = namer.rng
    kind = rng.choice(KINDS)
    source_key = rng.choice(list(SOURCES[kind]))
    condition_key = rng.choice(list(CONDITIONS[kind]))
    result_key = rng.choice(list(RESULTS))
    source = SOURCES[kind][source_key](namer)
    condition, params, prefix, suffix = CONDITIONS[kind][condition_key](namer, source.item)
    if result_key == "marked" and " or " in condition:
        return None
    made = RESULTS[result_key](namer, source, condition, kind)
    if made is None:
        return None
    lines, titles = made[0], made[1]
    label = prefix + (namer.noun + suffix if kind == "char" else namer.nouns + suffix)
    name = rng.choice(titles).replace("LABEL", label)
    cell = "/".join((source_key, kind, condition_key, result_key) + tuple(made[2:]))
    return Function(cell, name, source.params + params, lines)
