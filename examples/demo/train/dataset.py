#!/usr/bin/env python3
"""Writes the training text: chats, encoded by Fathom itself, as shards of token ids.

    dataset.py --tokenizer DIR --out DIR [--fathom PROGRAM] [--tokens 40] [--processes 2]

A shard NAME is four files: NAME.ids (uint16, all documents back to back), NAME.loss (uint8 a token:
the weight of predicting it, in tenths), NAME.docs (int64, where each document begins, and the end)
and NAME.json. Shards `short` and `full` are trained on; `names` and `templates` are held out, with
NAME.fields.jsonl: where in a document the parts of its first edit are. The same seed and tokenizer
give the same bytes, whatever the number of processes.
"""
import argparse
import hashlib
import json
import multiprocessing
import os
import subprocess
import sys
import time

import numpy

import chats
import tokenizer

BLOCK = 256  # chats that one process makes at a time
LEARNED, CONTEXT, SILENT = 10, 1, 0  # loss weights, in tenths
CONTEXT_SHARE = 0.5  # of the context's tokens that are learned; the rest only costs time
SHORT_SHARE = 0.22  # of the tokens
HELD_DOCUMENTS = 400
PROGRESS_S = 20


class Ids:
    """The ids of the tokens that frame an answer."""

    def __init__(self, folder):
        self.bytes = tokenizer.token_bytes(folder)
        self.think = self.bytes.index("<think>".encode())
        self.assistant = self.bytes.index("<｜Assistant｜>".encode())
        self.end = self.bytes.index("<｜end▁of▁sentence｜>".encode())


def encode(fathom, folder, lines):
    """(ids, answers) of each chat."""
    text = "".join(json.dumps(line) + "\n" for line in lines)
    done = subprocess.run([fathom, "encode", "--tokenizer", folder, "--jsonl"],
                          input=text.encode(), stdout=subprocess.PIPE, check=True)
    out = [json.loads(line) for line in done.stdout.splitlines()]
    if len(out) != len(lines):
        raise RuntimeError("fathom encode answered %d of %d chats" % (len(out), len(lines)))
    return [(line["ids"], line["answers"]) for line in out]


def weights(ids, answers, known, rng):
    """The loss of predicting each token. Answers that are not to be learned weigh nothing."""
    loss = numpy.where(rng.random(len(ids)) < CONTEXT_SHARE, CONTEXT, SILENT).astype(numpy.uint8)
    loss[0] = SILENT
    ends = numpy.flatnonzero(ids == known.end)
    begins = numpy.flatnonzero((ids[:-1] == known.assistant) & (ids[1:] == known.think)) + 2
    for begin in begins:
        loss[begin:ends[numpy.searchsorted(ends, begin)] + 1] = SILENT
    for begin, end in answers:
        loss[begin:end] = LEARNED
    return loss


class _Spans:
    """Finds texts in a document, as ranges of tokens."""

    def __init__(self, ids, known):
        pieces = [known.bytes[token] for token in ids]
        self.text = b"".join(pieces)
        self.starts = numpy.concatenate(([0], numpy.cumsum([len(piece) for piece in pieces])))

    def between(self, before, after, at):
        """The text that stands between two others, its tokens, and where it ends."""
        begin = self.text.index(before, at) + len(before)
        end = self.text.index(after, begin)
        tokens = numpy.searchsorted(self.starts, begin), numpy.searchsorted(self.starts, end)
        if self.starts[tokens[0]] != begin or self.starts[tokens[1]] != end:
            raise RuntimeError("a token reaches over the end of %r" % self.text[begin:end])
        return [int(tokens[0]), int(tokens[1])], end


def fields(ids, known, bug):
    """Where the first edit names the place, the class, the old line and the new one."""
    spans = _Spans(ids, known)
    out = {"bug": bug.kind}
    place, at = spans.between(b"<think>In", b" <-", 0)
    out["place"] = place
    out["class"], at = spans.between(b" <-", b"</think>", at)
    for name, key in (("old", "old_str"), ("new", "new_str")):
        opening = ('<｜DSML｜parameter name="%s" string="true">' % key).encode()
        out[name], at = spans.between(opening, "</｜DSML｜parameter>".encode(), at)
    return out


_STATE = {}


def _start(fathom, folder, kind, seed, longest):
    _STATE.update(fathom=fathom, folder=folder, kind=kind, seed=seed, longest=longest,
                  known=Ids(folder))


def _block(number):
    """The documents of one block: ids, loss, lengths, and fields where they are wanted."""
    kind, seed = _STATE["kind"], _STATE["seed"]
    made = [chats.chat(kind, seed * 1_000_003 + number * BLOCK + place) for place in range(BLOCK)]
    rng = numpy.random.Generator(numpy.random.PCG64([seed, number, len(kind)]))
    encoded = encode(_STATE["fathom"], _STATE["folder"], [line for line, _ in made])
    ids_out, loss_out, lengths, notes = [], [], [], []
    for (listed, answers), (_, bug) in zip(encoded, made):
        ids = numpy.array(listed, numpy.uint16)
        loss = weights(ids, answers, _STATE["known"], rng)
        if len(ids) > _STATE["longest"]:
            continue
        ids_out.append(ids)
        loss_out.append(loss)
        lengths.append(len(ids))
        if kind in ("names", "templates"):
            notes.append(fields(listed, _STATE["known"], bug))
    return numpy.concatenate(ids_out), numpy.concatenate(loss_out), lengths, notes


class Shard:
    """A shard as it is written; it appears under its name when it is whole."""

    def __init__(self, folder, name):
        self.base = os.path.join(folder, name)
        self.files = {kind: open("%s.%s.new" % (self.base, kind), "wb") for kind in ("ids", "loss")}
        self.ends, self.notes = [0], []

    @property
    def tokens(self):
        return self.ends[-1]

    def add(self, block, documents_max):
        ids, loss, lengths, notes = block
        lengths = lengths[:documents_max - (len(self.ends) - 1)]
        size = sum(lengths)
        self.files["ids"].write(ids[:size].astype("<u2").tobytes())
        self.files["loss"].write(loss[:size].tobytes())
        for length in lengths:
            self.ends.append(self.ends[-1] + length)
        self.notes += notes[:len(lengths)]

    def close(self, facts):
        for file in self.files.values():
            file.close()
        with open(self.base + ".docs.new", "wb") as file:
            file.write(numpy.array(self.ends, "<i8").tobytes())
        kinds = ["ids", "loss", "docs"]
        if self.notes:
            with open(self.base + ".fields.jsonl.new", "w", encoding="utf-8") as file:
                file.writelines(json.dumps(note) + "\n" for note in self.notes)
            kinds.append("fields.jsonl")
        for kind in kinds:
            os.replace("%s.%s.new" % (self.base, kind), "%s.%s" % (self.base, kind))
        facts = dict(facts, documents=len(self.ends) - 1, tokens=self.tokens)
        with open(self.base + ".json", "w", encoding="utf-8") as file:
            json.dump(facts, file, indent=1)
            file.write("\n")


def sha256_of(folder):
    with open(os.path.join(folder, "tokenizer.json"), "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def write(options, kind, tokens, documents, longest):
    """One shard, of so many tokens or documents, whichever comes first."""
    shard = Shard(options.out, kind)
    begun = told = time.monotonic()
    state = (options.fathom, options.tokenizer, kind, options.seed, longest)
    with multiprocessing.Pool(options.processes, _start, state) as pool:
        numbers = iter(range(sys.maxsize))
        pending = []
        while shard.tokens < tokens and len(shard.ends) - 1 < documents:
            while len(pending) < 2 * options.processes:
                pending.append(pool.apply_async(_block, (next(numbers),)))
            shard.add(pending.pop(0).get(), documents)  # in order: the bytes depend on nothing else
            now = time.monotonic()
            if now - told > PROGRESS_S:
                told = now
                print("%s: %.2fM tokens, %d documents, %.0f tokens/s" % (
                    kind, shard.tokens / 1e6, len(shard.ends) - 1, shard.tokens / (now - begun)),
                      flush=True)
    shard.close({"tokenizer_sha256": sha256_of(options.tokenizer), "kind": kind,
                 "seed": options.seed})
    print("%s: done, %.2fM tokens in %d documents, %.0f s" % (
        kind, shard.tokens / 1e6, len(shard.ends) - 1, time.monotonic() - begun), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--tokenizer", required=True, help="the folder of tokenizer.json")
    parser.add_argument("--out", required=True, help="the folder of the shards")
    parser.add_argument("--fathom", default="fathom", help="the program")
    parser.add_argument("--tokens", type=float, default=40,
                        help="of the training text, in millions")
    parser.add_argument("--longest", type=int, default=1536, help="longer chats are left out")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    os.makedirs(options.out, exist_ok=True)
    for kind in ("names", "templates"):
        write(options, kind, sys.maxsize, HELD_DOCUMENTS, sys.maxsize)
    write(options, "short", options.tokens * 1e6 * SHORT_SHARE, sys.maxsize, options.longest)
    write(options, "full", options.tokens * 1e6 * (1 - SHORT_SHARE), sys.maxsize, options.longest)


if __name__ == "__main__":
    main()
