#!/usr/bin/env python3
"""Makes the demo's model from nothing: tokenizer, training text, training, export.

    make.py --work DIR --fathom PROGRAM [--minutes 150] [--device cpu] [--out ../model]

What a step has made is not made again, and training goes on where it was: started again after an
interruption, it continues.
"""
import argparse
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def step(name, *arguments):
    print("== %s" % name, flush=True)
    words = [sys.executable, "-B", os.path.join(HERE, name), *map(str, arguments)]
    subprocess.run(words, check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--work", required=True, help="where text and weights are made: 250 MB")
    parser.add_argument("--fathom", required=True, help="the built program")
    parser.add_argument("--tokens", type=float, default=30, help="of the text, in millions")
    parser.add_argument("--minutes", type=float, default=150)
    parser.add_argument("--init", help="an exported model to begin with")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", default=os.path.join(HERE, os.pardir, "model"))
    options = parser.parse_args()
    corpus, run = os.path.join(options.work, "corpus"), os.path.join(options.work, "run")
    if not os.path.exists(os.path.join(corpus, "tokenizer.json")):
        step("tokenizer.py", "--out", corpus, "--fathom", options.fathom)
    if not os.path.exists(os.path.join(corpus, "full.json")):
        step("dataset.py", "--tokenizer", corpus, "--out", corpus, "--fathom", options.fathom,
             "--tokens", options.tokens)
    init = ("--init", options.init) if options.init else ()
    step("train.py", "--data", corpus, "--out", run, "--minutes", options.minutes, "--workers",
         options.workers, "--device", options.device, *init)
    step("export.py", "--checkpoint", os.path.join(run, "last.pt"), "--tokenizer", corpus, "--out",
         options.out)


if __name__ == "__main__":
    main()
