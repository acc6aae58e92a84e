#!/usr/bin/env python3
"""Learns the demo model's tokenizer from chats: byte pairs, written as an ordinary tokenizer.json.

The form is DeepSeek-V4's (its pre-tokenizer, its special tokens), only the vocabulary is small. V4
cuts text into pieces such as `(first`, `_name` and ` value`, in which pairs are then merged. A
small model repairs code by copying names, and copies best when a name is the same tokens wherever
it stands; so no pair is learned that joins a sign to a name, a digit to a digit or a line's end to
code. Words of the language are joined to the sign that always stands before them (` return`,
`.append`).

    tokenizer.py --out DIR [--fathom PROGRAM] [--vocabulary 1536]
"""
import argparse
import collections
import json
import os
import re
import subprocess
import sys

import chats
import names
from shapes import ROLES

SPECIALS_FIRST = ["<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜▁pad▁｜>"]
SPECIALS_LAST = [
    "<｜User｜>", "<｜Assistant｜>", "<｜latest_reminder｜>", "<think>", "</think>", "｜DSML｜",
    "<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>", "<｜action｜>", "<｜query｜>",
    "<｜authority｜>", "<｜domain｜>", "<｜title｜>", "<｜read_url｜>",
]
SPLITS = [
    r"\p{N}{1,3}",
    "[一-龥぀-ゟ゠-ヿ]+",
    r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"""
    r"""| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+""",
]
SIGNS = r"!-/:-@\[-`{-~"
# The same on ASCII, of which the chats are but for the special tokens.
STRETCHES = re.compile(r"\d|\D+")
PIECES = re.compile(r"[%s][A-Za-z]+|[^\r\nA-Za-z%s]?[A-Za-z]+| ?[%s]+[\r\n]*|\s*[\r\n]+"
                    r"|\s+(?!\S)|\s+" % (SIGNS, SIGNS, SIGNS))
# What of a piece pairs are learned in: words, signs, blanks. The end of a quoted argument, `</`,
# stays apart from the sign before it.
GROUPS = re.compile(r"[A-Za-z]+|</| ?[%s](?:(?!</)[%s])*|[\n\r]|[ \t]+|\d" % (SIGNS, SIGNS))
JOINED_WORDS = 230  # of the vocabulary: words of the language with the sign before them
WORD_COUNT_MIN = 20
JOINED_SHARE = 0.9
# Line ends are joined to nothing but what closes a tag: they are where a copied line is at its end.
TAG_ENDS = [("\n", "\n"), (">", "\n"), ('">', "\n"), ('">', "\n\n")]


def byte_alphabet():
    """The printable character that stands for each byte in a byte-level vocabulary."""
    plain = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    table = {byte: chr(byte) for byte in plain}
    for place, byte in enumerate(byte for byte in range(256) if byte not in table):
        table[byte] = chr(256 + place)
    return table


ALPHABET = byte_alphabet()


def spelled(text):
    return "".join(ALPHABET[byte] for byte in text.encode())


def pieces_of(text):
    """How often each piece occurs that V4's pre-tokenizer cuts."""
    marks = "|".join(re.escape(special) for special in SPECIALS_FIRST + SPECIALS_LAST)
    counts = collections.Counter()
    for part in re.split(marks, text):
        for stretch in STRETCHES.findall(part):
            counts.update(PIECES.findall(stretch))
    return counts


def groups_of(pieces):
    """How often each group in which pairs may merge occurs."""
    counts = collections.Counter()
    for piece, count in pieces.items():
        for group in GROUPS.findall(piece):
            counts[group] += count
    return counts


def learn_merges(counts, wanted):
    """The pairs in order of rank: each time the most frequent, of equal ones the first by name."""
    words = [([spelled(char) for char in group], count) for group, count in counts.items()
             if len(group) > 1]
    pairs, places = collections.Counter(), collections.defaultdict(set)
    for index, (symbols, count) in enumerate(words):
        for pair in zip(symbols, symbols[1:]):
            pairs[pair] += count
            places[pair].add(index)
    merges = []
    while len(merges) < wanted and pairs:
        best = max(pairs.items(), key=lambda item: (item[1], item[0]))[0]
        if pairs[best] <= 1:
            break
        merges.append(best)
        for index in list(places[best]):
            symbols, count = words[index]
            for pair in zip(symbols, symbols[1:]):
                pairs[pair] -= count
            merged, at = [], 0
            while at < len(symbols):
                if tuple(symbols[at:at + 2]) == best:
                    merged.append("".join(best))
                    at += 2
                else:
                    merged.append(symbols[at])
                    at += 1
            words[index] = (merged, count)
            for pair in zip(merged, merged[1:]):
                pairs[pair] += count
                places[pair].add(index)
        del pairs[best]
    return merges


def joined_words(pieces):
    """The most frequent pieces of a sign or blank and a word that is no name and that stands
    behind this sign nearly always: others would be two tokens for one word."""
    named = set(names.NOUNS) | {names.plural(noun) for noun in names.NOUNS}
    for role in ROLES.values():
        named |= set(role)
    words = collections.Counter()
    for piece, count in pieces.items():
        if piece[-1].isalpha():
            words[piece.lstrip("".join(c for c in piece if not c.isalpha()))] += count
    found = [(count, piece) for piece, count in pieces.items()
             if re.fullmatch(r"[^A-Za-z0-9][A-Za-z]+", piece) and piece[1:] not in named
             and count >= max(WORD_COUNT_MIN, JOINED_SHARE * words[piece[1:]])]
    return [piece for _, piece in sorted(found, reverse=True)[:JOINED_WORDS]]


def document(merges):
    """The tokenizer.json of these merges; special tokens have the first ids and the last."""
    vocabulary = {}
    for place, token in enumerate(SPECIALS_FIRST):
        vocabulary[token] = place
    for byte in range(256):
        vocabulary[ALPHABET[byte]] = len(vocabulary)
    for left, right in merges:
        vocabulary.setdefault(left + right, len(vocabulary))
    added = []
    for token in SPECIALS_FIRST + SPECIALS_LAST:
        identity = vocabulary.setdefault(token, len(vocabulary))
        added.append({"id": identity, "content": token, "single_word": False, "lstrip": False,
                      "rstrip": False, "normalized": False, "special": True})
    regular = {token: place for token, place in vocabulary.items()
               if token not in SPECIALS_FIRST + SPECIALS_LAST}
    steps = [{"type": "Split", "pattern": {"Regex": expression}, "behavior": "Isolated",
              "invert": False} for expression in SPLITS]
    steps.append({"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True,
                  "use_regex": False})
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": added,
        "normalizer": {"type": "Sequence", "normalizers": []},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": steps},
        "post_processor": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False,
                           "use_regex": True},
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True,
                    "use_regex": True},
        "model": {"type": "BPE", "dropout": None, "unk_token": None,
                  "continuing_subword_prefix": None, "end_of_word_suffix": None, "fuse_unk": False,
                  "byte_fallback": False, "vocab": regular,
                  "merges": [left + " " + right for left, right in merges]},
    }


def save(document_, folder):
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, "tokenizer.json")
    with open(path + ".new", "w", encoding="utf-8") as file:
        json.dump(document_, file, ensure_ascii=False, indent=1)
        file.write("\n")
    os.replace(path + ".new", path)


def token_bytes(folder):
    """The bytes of each id, special tokens as they are spelled."""
    with open(os.path.join(folder, "tokenizer.json"), encoding="utf-8") as file:
        loaded = json.load(file)
    backwards = {char: byte for byte, char in ALPHABET.items()}
    out = {identity: bytes(backwards[char] for char in token)
           for token, identity in loaded["model"]["vocab"].items()}
    for token in loaded["added_tokens"]:
        out[token["id"]] = token["content"].encode()
    return [out[identity] for identity in range(len(out))]


def rendered(fathom, folder, lines):
    """The chats as Fathom writes them for the model."""
    done = subprocess.run([fathom, "encode", "--tokenizer", folder, "--jsonl", "--text"],
                          input="".join(json.dumps(line) + "\n" for line in lines).encode(),
                          stdout=subprocess.PIPE, check=True)
    return done.stdout.decode()


def train(fathom, folder, vocabulary, count):
    save(document([]), folder)  # bytes alone: enough to render chats
    lines = [chats.chat("full" if seed % 4 else "short", seed)[0] for seed in range(count)]
    pieces = pieces_of(rendered(fathom, folder, lines))
    joined = joined_words(pieces)
    fixed = len(SPECIALS_FIRST) + len(SPECIALS_LAST) + 256
    merges = learn_merges(groups_of(pieces), vocabulary - fixed)
    # Behind all others, so that a name which begins like a word of the language is whole first.
    pairs = [(spelled(left), spelled(right)) for left, right in
             TAG_ENDS + [(piece[0], piece[1:]) for piece in joined]]
    room = vocabulary - fixed
    learned = merges[:room - len(pairs)]
    known = {left + right for left, right in learned}
    late = []
    for pair in pairs:
        if all(len(part) == 1 or part in known for part in pair) and pair not in learned:
            late.append(pair)
            known.add("".join(pair))
    merges = merges[:room - len(late)] + late
    save(document(merges), folder)
    return fixed + len(merges)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--out", required=True, help="the folder of tokenizer.json")
    parser.add_argument("--fathom", default="fathom", help="the program")
    parser.add_argument("--vocabulary", type=int, default=1536)
    parser.add_argument("--chats", type=int, default=2000, help="how many to learn from")
    options = parser.parse_args()
    size = train(options.fathom, options.out, options.vocabulary, options.chats)
    sys.stdout.write("%d tokens: %s/tokenizer.json\n" % (size, options.out))


if __name__ == "__main__":
    main()
