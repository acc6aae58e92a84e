"""Ways in which one line of a function goes wrong. Each class has the words that an agent says of
it, and a function from a line (and the names in its scope) to the lines that it may become."""
import re

# What stands behind "<-" in the agent's reasoning.
PHRASES = {
    "boundary": "the boundary is off by one",
    "comparison": "the comparison is the wrong way round",
    "operator": "the operator is wrong",
    "aug_op": "the update uses the wrong operator",
    "lost_update": "the update loses what was there",
    "constant": "the constant is wrong",
    "initial": "the initial value is wrong",
    "range": "the range is off by one",
    "min_max": "min and max are mixed up",
    "and_or": "and and or are mixed up",
    "negation": "the condition is negated",
    "index": "the index is wrong",
    "slice": "the slice is wrong",
    "bool": "the truth value is wrong",
    "swapped": "the operands are swapped",
    "missing_return": "the return is missing",
    "sign": "the sign is wrong",
    "wrong_var": "the variable is wrong",
    "wrong_func": "the function called is wrong",
    "jump": "the jump is wrong",
    "order": "the order is reversed",
    "string": "the text is wrong",
    "result": "the result is wrong",
}


def _swaps(pairs):
    """A bug class that replaces one occurrence of a left text by the right one."""
    compiled = [(re.compile(left), right) for left, right in pairs]

    def apply(line, scope):
        del scope
        for pattern, right in compiled:
            for match in pattern.finditer(line):
                yield line[:match.start()] + match.expand(right) + line[match.end():]
    return apply


def _both(*pairs):
    out = []
    for left, right in pairs:
        out += [(re.escape(left), right.replace("\\", "")), (re.escape(right), left)]
    return out


def _constant(line, scope):
    del scope
    if re.match(r"\s*\w+ = -?\d+$", line) or "range(" in line:
        return
    for match in re.finditer(r"(?<![\w\[.:\"-])\d+(?![\w\]:\"])", line):
        value = int(match.group())
        others = {value + 1, value - 1 if value > 0 else 2}
        if value >= 10:
            others |= {value // 10, value * 10}
        if re.search(r"[%/*] ?$", line[:match.start()]):
            others -= {0}
        if re.search(r"[+-] ?$", line[:match.start()]) and value == 1:
            others -= {0}
        for other in sorted(others):
            yield line[:match.start()] + str(other) + line[match.end():]


def _initial(line, scope):
    del scope
    match = re.match(r"(\s*\w+ = )(-?\d+|None|\w+\[0\])$", line)
    if match:
        for value in ("0", "1", "-1"):
            if value != match.group(2):
                yield match.group(1) + value


def _range(line, scope):
    del scope
    for pattern, right in (
            (r"range\((\w+), (\w+) \+ 1\)", r"range(\1, \2)"),
            (r"range\(1, (\w+) \+ 1\)", r"range(0, \1 + 1)"),
            (r"range\(1, (\w+) \+ 1\)", r"range(2, \1 + 1)"),
            (r"range\(([^(),]+)\)", r"range(\1 + 1)"),
            (r"range\(([^(),]+)\)", r"range(1, \1)"),
            (r"range\(len\((\w+)\)\)", r"range(len(\1) - 1)"),
            (r"range\(len\((\w+)\)\)", r"range(1, len(\1))"),
            (r"range\(len\((\w+)\) - 1\)", r"range(len(\1))"),
            (r"range\(len\((\w+)\) - 1\)", r"range(len(\1) - 2)"),
            (r"range\(1, len\((\w+)\)\)", r"range(len(\1))"),
            (r"range\(1, len\((\w+)\)\)", r"range(1, len(\1) - 1)"),
            (r"range\(1, len\((\w+)\)\)", r"range(2, len(\1))"),
            (r"range\((\d), (\w+)\)", r"range(\1, \2 + 1)"),
            (r"range\((\w+ \+ 1), ", r"range("),
            (r"while (\w+) > 0:", r"while \1 > 1:"),
            (r"while (\w+) > 1:", r"while \1 > 0:"),
            (r"while (\w+) < len\((\w+)\):", r"while \1 < len(\2) - 1:"),
            (r"\[1:\]:", "[2:]:"), (r"\[1:\]:", ":")):
        for match in re.finditer(pattern, line):
            yield line[:match.start()] + match.expand(right) + line[match.end():]


def _negation(line, scope):
    del scope
    for pattern, right in ((r"\bnot in\b", "in"), (r"(?<!not )\bin(?= \w+(:| and|$|\]))", "not in"),
                           (r"\bif not ", "if "), (r"\breturn not ", "return "),
                           (r"\bis None", "is not None"),
                           (r"\bif (?=\w+\.(is|starts|ends)\w+\()", "if not "),
                           (r"\bif (?=\w+\[\w+\]\.(is|starts|ends)\w+\()", "if not "),
                           (r"\breturn (?=\w+\.(is|starts|ends)\w+\()", "return not "),
                           (r"\breturn (?=(all|any)\()", "return not ")):
        for match in re.finditer(pattern, line):
            if pattern.startswith("(?<!") and re.match(r"\s*for\b|.*\bfor \w+(, \w+)? $",
                                                       line[:match.start()]):
                continue  # the in of a loop
            yield line[:match.start()] + right + line[match.end():]


def _index(line, scope):
    del scope
    for pattern, right in (
            (r"(?<=\w)\[0\]", "[-1]"), (r"(?<=\w)\[0\]", "[1]"), (r"(?<=\w)\[-1\]", "[0]"),
            (r"(?<=\w)\[1\]", "[0]"), (r"(?<=\w)\[1\]", "[2]"), (r"(?<=\w)\[-2\]", "[-1]"),
            (r"(?<=[\w)])\[0\]", "[-1]"), (r"(?<=\))\[-1\]", "[0]"), (r"(?<=\))\[-2\]", "[-1]"),
            (r"\[(\w+) \+ 1\]", r"[\1]"), (r"\[(\w+) \+ 1\]", r"[\1 - 1]"),
            (r"\[(\w+) - 1\]", r"[\1 + 1]"), (r"\[(\w+) - 1\]", r"[\1]"),
            (r"(?<=\w)\[([a-z]\w*)\](?! =)", r"[\1 - 1]"), (r"(?<=\w)\[([a-z]\w*)\](?! =)", "[0]"),
            (r"\[len\((\w+)\) // 2\]", r"[len(\1) // 3]"),
            (r"return (\w*(?:i|idx|index|pos|k|place))$", r"return \1 + 1")):
        for match in re.finditer(pattern, line):
            yield line[:match.start()] + match.expand(right) + line[match.end():]


def _missing_return(line, scope):
    del scope
    match = re.match(r"(\s*)return (?!-?\d+$|True$|False$|None$|\"\"$)(.+)$", line)
    if match:
        yield match.group(1) + match.group(2)


def _sign(line, scope):
    del scope
    for pattern, right in ((r"(?<=[(= \[:])-(?=[a-z])", ""), (r"\babs\(([^()]+)\)", r"(\1)"),
                           (r"\breturn (?=[a-z]\w*$)", "return -"), (r"-1(?= *$|,|\))", "1"),
                           (r"(?<=append\()(?=\w+\))", "-")):
        for match in re.finditer(pattern, line):
            yield line[:match.start()] + match.expand(right) + line[match.end():]


def _swapped(line, scope):
    del scope
    atom = r"([a-z]\w*(?:\[[^\[\]]*\])?|\d+)"
    for pattern, right in ((atom + r" (-|//|/|%|\*\*) " + atom + r"(?!\w|\(|\[)", r"\3 \2 \1"),
                           (r"return (\w+), (\w+)$", r"return \2, \1"),
                           (r"return (\w+) if (.+) else (\w+)$", r"return \3 if \2 else \1"),
                           (r"\((\w+), (\w+)\)$", r"(\2, \1)"),
                           (r"replace\((\".\"), (\".\")\)", r"replace(\2, \1)"),
                           (r"(\w+) \+ (\":\"|\": \") \+ (\w+)", r"\3 + \2 + \1"),
                           (r"return (\w+) \+ (\w+)$", r"return \2 + \1"),
                           (r"^(\s*)(\w+), (\w+) = \3, (.+)$", r"\1\3, \2 = \3, \4"),
                           (r"return (\w+\[.*?\]) \+ (\w+\[.*?\])$", r"return \2 + \1")):
        for match in re.finditer(pattern, line):
            yield line[:match.start()] + match.expand(right) + line[match.end():]


def _wrong_var(line, scope):
    if len(scope) < 2 or line.lstrip().startswith("for "):
        return
    for match in re.finditer(r"(?<![\w.\"'])[a-z_]\w*(?![\w(\"'])", line):
        if match.group() not in scope:
            continue
        behind = line[match.end():]
        if not line[:match.start()].strip() and re.match(r" [-+*/]*= | = ", behind):
            continue  # what is assigned to: the bug would be a name that nothing reads
        for name in scope:
            if name != match.group():
                yield line[:match.start()] + name + line[match.end():]


APPLY = {
    "boundary": _swaps(_both((" > ", " >= "), (" < ", " <= "))),
    "comparison": _swaps(_both((" > ", " < "), (" >= ", " <= "), (" == ", " != "))),
    "operator": _swaps([(r"(?<=[\w\])]) \+ (?!1\))", " - "), (r"(?<=[\w\])]) - (?!\d+\))", " + "),
                        (r" \* ", " + "), (r" // ", " * "), (r" // ", " % "), (r" / ", " * "),
                        (r" % ", " // "), (r" \*\* ", " * "), (r" \* ", " - ")]),
    "aug_op": _swaps(_both((" += ", " -= "), (" *= ", " += ")) + [(r" //= ", " -= "),
                                                                 (r" -= ", " *= ")]),
    "lost_update": _swaps([(r" [-+*]= ", " = "), (r"^(\s*)(\w+) = \2 [+*] ", r"\1\2 = "),
                           (r" = max\((\w+), (.+)\)$", r" = \2"),
                           (r" = (\w+)\.get\((.+), 0\) \+ ", " = ")]),
    "constant": _constant,
    "initial": _initial,
    "range": _range,
    "min_max": _swaps([(r"\bmin\(", "max("), (r"\bmax\(", "min(")]),
    "and_or": _swaps([(r" and ", " or "), (r" or ", " and ")]),
    "negation": _negation,
    "index": _index,
    "slice": _swaps([(r"\[:(\w+)\]", r"[\1:]"), (r"\[([a-z1]\w*):\]", r"[:\1]"),
                     (r"\[:-1\]", "[1:]"), (r"\[1:\]", "[:-1]"), (r"\[-(\w+):\]", r"[\1:]"),
                     (r"\[1:-1\]", "[1:]"), (r"\[1:-1\]", "[:-1]"), (r"\[::-1\]", "[::1]"),
                     (r"\[-1:\]", "[1:]"), (r"\[::2\]", "[1::2]"), (r"\[:1\]", "[1:]"),
                     (r"\[0:1\]", "[1:]"), (r"\[-1:\]", "[:1]"),
                     (r"\[(\w+):\1 \+ (\w+)\]", r"[\1:\2]")]),
    "bool": _swaps([(r"\bTrue\b", "False"), (r"\bFalse\b", "True")]),
    "swapped": _swapped,
    "missing_return": _missing_return,
    "sign": _sign,
    "wrong_var": _wrong_var,
    "wrong_func": _swaps(
        [(r"\.upper\(", ".lower("), (r"\.lower\(", ".upper("), (r"\.startswith\(", ".endswith("),
         (r"\.endswith\(", ".startswith("), (r"\.isupper\(", ".islower("),
         (r"\.islower\(", ".isupper("), (r"\bany\(", "all("), (r"\ball\(", "any("),
         (r"\bsum\(", "len("), (r"\blen\((?=\w+\)$)", "sum("), (r"\.find\(", ".rfind("),
         (r"\.rfind\(", ".find("), (r"\.count\(", ".find("), (r"\.keys\(", ".values("),
         (r"\.values\(", ".keys("), (r"\.title\(", ".upper("), (r"\.extend\(", ".append("),
         (r"\bsorted\(", "list("), (r"\.rjust\(", ".ljust("), (r"\.strip\(", ".lstrip("),
         (r"\.split\(", ".strip("), (r"\.isdigit\(", ".isalpha("), (r"\.isalpha\(", ".isdigit("),
         (r"\.append\((?=\w+\)$)", ".remove("), (r"\babs\(", "len(")]),
    "jump": _swaps([(r"\bcontinue\b", "break"), (r"\bbreak\b", "continue")]),
    "order": _swaps([(r"reverse=True", "reverse=False"), (r", reverse=True", ""),
                     (r"sorted\((\w+|\[.*\])\)", r"sorted(\1, reverse=True)")]),
    "string": _swaps([(r'", "', '","'), (r'"-"', '"_"'), (r'" "(?!\.)', '""'), (r'"/"', '"-"'),
                      (r'"_"', '"-"'), (r'": "', '":"'), (r'":"', '": "'), (r'"\. "', '" "'),
                      (r'"\.\.\."', '"."'), (r'"\."', '"-"'), (r'"aeiou"', '"aeio"'),
                      (r'"hello "', '"hello"'), (r'"\*"', '"+"'), (r'"\("', '"["'),
                      (r'"\)"', '"("'), (r'"high"', '"low"'), (r'"low"', '"high"'),
                      (r'"middle"', '"high"')]),
    "result": _swaps([(r"return None$", "return 0"), (r"return -1$", "return 0"),
                      (r"return 0$", "return 1"), (r"return 1$", "return 0"),
                      (r'return ""$', "return None"), (r"return 0$", "return -1"),
                      (r"else 0$", "else 1")]),
}
CLASSES = sorted(APPLY)


def mutants(lines, scope, wanted=None):
    """(place, wrong line, class) of each way in which one line can go wrong."""
    out = []
    for place, line in enumerate(lines):
        for name in [wanted] if wanted else CLASSES:
            for wrong in APPLY[name](line, scope):
                if wrong != line:
                    out.append((place, wrong, name))
    return out
