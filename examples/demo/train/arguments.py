"""Arguments for the tests of generated functions, by the type letters of their parameters.

Values are small and repeat often, so that a limit is met exactly and a wrong comparison shows.
"""
import names


def _number(rng):
    return rng.randint(-5, 9)


def _numbers(rng, low, high):
    return [_number(rng) for _ in range(rng.randint(low, high))]


def _word(rng, held):
    word = names.word(rng, held)
    form = rng.random()
    if form < 0.1:
        return word.upper()
    if form < 0.2:
        return word.title()
    if form < 0.26:
        return word[:2] + word[:2][::-1]
    return word


def _text(rng, held):
    words = [_word(rng, held) for _ in range(rng.randint(1, 3))]
    if rng.random() < 0.15:
        words.append(str(rng.randint(0, 30)))
    return " ".join(words)


def _table(rng, held, low):
    return {names.word(rng, held): _number(rng) for _ in range(rng.randint(low, 3))}


def _square(rng):
    size = rng.randint(2, 3)
    return [[rng.randint(0, 9) for _ in range(size)] for _ in range(size)]


def _repeating(rng):
    return "".join(rng.choice("abx") * rng.randint(1, 3) for _ in range(rng.randint(1, 3)))


SIMPLE = {
    "i": lambda rng: rng.randint(0, 9),
    "j": lambda rng: rng.randint(1, 9),
    "J": lambda rng: rng.randint(1, 3),
    "k": lambda rng: rng.randint(0, 99),
    "m": lambda rng: rng.randint(-9, 9),
    "n": lambda rng: rng.randint(0, 6),
    "N": lambda rng: rng.randint(0, 999),
    "h": lambda rng: rng.randint(5, 14),
    "z": lambda rng: rng.randint(0, 1),
    "Y1": lambda rng: rng.choice((1900, 1999, 2000, 2004, 2023, 2024, 2100)),
    "L": lambda rng: _numbers(rng, 1, 5),
    "M": lambda rng: _numbers(rng, 1, 4),
    "Y": lambda rng: _numbers(rng, 2, 4),
    "E": lambda rng: [_number(rng) for _ in range(3)],
    "G": lambda rng: [_numbers(rng, 1, 3) for _ in range(rng.randint(1, 2))],
    "S": _square,
    "b": lambda rng: "".join(rng.choice("(())a") for _ in range(rng.randint(2, 6))),
    "d": _repeating,
}


def draw(rng, held, kind):
    """One argument of the type."""
    if kind in SIMPLE:
        return SIMPLE[kind](rng)
    if kind == "s":
        return names.word(rng, held)
    if kind == "S1":
        return names.word(rng, held).title()
    if kind == "p":
        return " " * rng.randint(0, 2) + names.word(rng, held) + " " * rng.randint(0, 2)
    if kind == "c":
        return rng.choice("aeorstlnb")
    if kind == "t":
        return _text(rng, held)
    if kind in ("W", "V"):
        return [_word(rng, held) for _ in range(rng.randint(1, 3))]
    if kind in ("D", "X"):
        return _table(rng, held, 1)
    if kind == "Q":
        return [(names.word(rng, held), _number(rng)) for _ in range(rng.randint(1, 3))]
    if kind.startswith("R:"):
        return [{kind[2:]: _number(rng)} for _ in range(rng.randint(1, 3))]
    raise ValueError("no argument of type '%s' is known: add it to arguments.py" % kind)


def draw_all(rng, held, params):
    """Arguments for a call, some of them tied together so that a search finds something."""
    values = [draw(rng, held, kind) for _, kind in params]
    first = values[0]
    if len(values) < 2 or rng.random() < 0.5:
        return values
    for place in range(1, len(params)):
        kind = params[place][1]
        if kind in ("i", "j", "n") and isinstance(first, list) and isinstance(first[0], int):
            picked = rng.choice(first)
            if picked > 0:
                values[place] = picked
        elif kind == "n" and isinstance(first, list) and isinstance(first[0], str):
            values[place] = len(rng.choice(first))
        elif kind == "c" and isinstance(first, str) and first.strip():
            values[place] = rng.choice(first.replace(" ", ""))
        elif kind == "c" and isinstance(first, list) and first[0]:
            values[place] = rng.choice(rng.choice(first))
        elif kind == "s" and isinstance(first, (dict, list)) and first:
            values[place] = rng.choice(list(first))
        elif kind in ("i", "m") and isinstance(first, int) and first >= 0 and rng.random() < 0.4:
            values[place] = min(first, 9)
    return values
