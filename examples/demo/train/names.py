"""Names for generated code: English nouns, and made-up words of syllables.

A model that has seen every name can guess one from its first letters; it must copy instead. So a
part of the words is an endless supply of syllables, and some words of both kinds are held out of
training, by a hash of the word and not by a list, to be measured on.
"""
import builtins
import keyword
import zlib

NOUNS = """
acorn actor alley ankle arch arrow attic award badger bagel banjo banner baron basin beard beetle
berry bishop boiler booth bottle bowl bread brick brush bucket bugle bunker button cabin camel canal
canoe canyon carrot castle cellar cereal charm cheese chess choir circus clinic clover coast coffee
comet copper coral cousin cradle crayon creek cruise cymbal dancer decade desert diary donkey drama
dress drum easel elbow estate fabric fawn ferry flag flame flute forest fridge garage garlic geyser
ginger glove grape gravel hammer harbor hedge helmet hive hockey hotel igloo ivory jacket jelly
jewel kayak kennel kitten ladder ledger lemon lily lizard locket lotus mango maple market meadow
mentor meteor mitten monkey muffin muscle napkin nectar nephew nugget oboe ocean onion opera organ
otter oyster paddle parade parcel peach pebble pepper picnic pillow pilot planet plaza poem pony
potato prism puzzle quarry rabbit radar ranch recipe ribbon riddle ritual river rodeo saddle salmon
sandal scout shadow silo siren sleigh spider sponge stable stove straw summit sunset syrup tailor
temple tenant tiger
""".split()

ONSETS = "b d f g h j k l m n p r s t v w z br cl dr fl gr kr pl pr sk st tr".split()
VOWELS = "a e i o u ai ea io ou".split()
CODAS = ["", "", "", "n", "r", "s", "l", "x", "m"]
SYLLABLE_SHARE = 0.4  # of all names; a word of syllables cannot be guessed, only copied

RESERVED = set(keyword.kwlist) | set(dir(builtins))
NOUNS = [noun for noun in NOUNS if noun not in RESERVED]


def is_held(word, one_in):
    return zlib.crc32(word.encode()) % one_in == 0


NOUNS_HELD = [noun for noun in NOUNS if is_held(noun, 8)]
NOUNS_TRAINED = [noun for noun in NOUNS if not is_held(noun, 8)]


def syllables(rng, held):
    while True:
        count = rng.choice((2, 2, 3))
        word = "".join(rng.choice(ONSETS) + rng.choice(VOWELS) for _ in range(count))
        word += rng.choice(CODAS)
        if 4 <= len(word) <= 9 and word not in RESERVED and is_held(word, 5) == held:
            return word


def word(rng, held):
    """A name from the words that are trained on, or from those that are held out."""
    if rng.random() < SYLLABLE_SHARE:
        return syllables(rng, held)
    return rng.choice(NOUNS_HELD if held else NOUNS_TRAINED)


def plural(noun):
    if noun.endswith(("s", "x", "sh", "ch", "z")):
        return noun + "es"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + "s"
