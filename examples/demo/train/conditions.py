"""What a generated loop asks of an item. Each condition is a part of many functions: a function
that is held out of training is a combination that was never seen, of parts that were."""


def _constant(text, prefix="", suffix=""):
    def make(namer, item):
        del namer
        return text.replace("X", item), [], prefix, suffix
    return make


def _limit(text, suffix, role="limit", kind="i", prefix=""):
    def make(namer, item):
        name = namer.var(role)
        return text.replace("X", item).replace("K", name), [(name, kind)], prefix, suffix
    return make


def _between(text, suffix):
    def make(namer, item):
        low, high = namer.var("low"), namer.var("high")
        expression = text.replace("X", item).replace("LOW", low).replace("HIGH", high)
        return expression, [(low, "i"), (high, "h")], "", suffix
    return make


NUMBERS = {
    "positive": _constant("X > 0", "positive_"),
    "negative": _constant("X < 0", "negative_"),
    "zero": _constant("X == 0", "zero_"),
    "nonzero": _constant("X != 0", "nonzero_"),
    "even": _constant("X % 2 == 0", "even_"),
    "odd": _constant("X % 2 == 1", "odd_"),
    "above": _limit("X > K", "_above"),
    "below": _limit("X < K", "_below"),
    "at_least": _limit("X >= K", "_at_least"),
    "at_most": _limit("X <= K", "_at_most"),
    "equal": _limit("X == K", "_equal_to", "target"),
    "other": _limit("X != K", "_other_than", "target"),
    "multiple": _limit("X % K == 0", "_divisible_by", "number2", "j"),
    "rest": _limit("X % K != 0", "_not_divisible_by", "number2", "j"),
    "between": _between("LOW <= X <= HIGH", "_between"),
    "within": _between("X >= LOW and X <= HIGH", "_within"),
    "outside": _between("X < LOW or X > HIGH", "_outside"),
    "single": _constant("0 <= X < 10", "one_digit_"),
    "big_even": _constant("X > 0 and X % 2 == 0", "positive_even_"),
    "big_odd": _constant("X > 0 and X % 2 == 1", "positive_odd_"),
}

WORDS = {
    "long": _limit("len(X) > K", "_longer_than", "limit", "n"),
    "short": _limit("len(X) < K", "_shorter_than", "limit", "n"),
    "length": _limit("len(X) == K", "_of_length", "number2", "n"),
    "min_length": _limit("len(X) >= K", "_at_least_long", "limit", "n"),
    "starts": _limit("X.startswith(K)", "_starting_with", "char", "c"),
    "ends": _limit("X.endswith(K)", "_ending_with", "char", "c"),
    "has": _limit("K in X", "_with", "char", "c"),
    "lacks": _limit("K not in X", "_without", "char", "c"),
    "first": _limit("X[:1] == K", "_led_by", "char", "c"),
    "upper": _constant("X.isupper()", "upper_"),
    "lower": _constant("X.islower()", "lower_"),
    "filled": _constant("len(X) > 0", "nonempty_"),
    "blank": _constant("len(X) == 0", "empty_"),
    "mirrored": _constant("X == X[::-1]", "mirrored_"),
    "other": _limit("X != K", "_other_than", "target", "s"),
    "equal": _limit("X == K", "_equal_to", "target", "s"),
}

CHARS = {
    "vowel": _constant('X in "aeiou"', "", "_vowels"),
    "consonant": _constant('X not in "aeiou"', "", "_consonants"),
    "upper": _constant("X.isupper()", "", "_capitals"),
    "digit": _constant("X.isdigit()", "", "_digits"),
    "space": _constant('X == " "', "", "_spaces"),
    "solid": _constant('X != " "', "", "_nonspaces"),
    "equal": _limit("X == K", "_letter", "char", "c"),
    "other": _limit("X != K", "_other_letter", "char", "c"),
    "below": _limit("X < K", "_letters_before", "char", "c"),
}
