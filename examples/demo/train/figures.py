#!/usr/bin/env python3
"""Writes what the model can do, as it was measured, beside the model: figures.json, from which the
program and the model card speak.

    ./dev bench demo --json | figures.py --out examples/demo/model
"""
import argparse
import json
import os
import sys

KEPT = ("seed", "repositories", "first", "fixed", "tokens_per_s", "reused_share", "fork_reused_share",
        "failed_calls",
        "seconds_median", "seconds_max", "classes")


def figures(lines):
    """By set, without the single repairs."""
    out = {}
    for line in lines:
        report = json.loads(line)
        out[report["set"]] = {key: report[key] for key in KEPT if key in report}
    return out


def table(found):
    """The classes as rows of Markdown, the most frequent first."""
    rows = ["| class | " + " | ".join(found) + " |", "|---|" + "---|" * len(found)]
    names = sorted({name for report in found.values() for name in report["classes"]})
    for name in names:
        cells = []
        for report in found.values():
            count = report["classes"].get(name)
            cells.append("%d of %d" % (count["fixed"], count["repositories"]) if count else "-")
        rows.append("| %s | %s |" % (name, " | ".join(cells)))
    return "\n".join(rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--out", required=True, help="the folder of the model")
    options = parser.parse_args()
    found = figures(line for line in sys.stdin if line.strip())
    with open(os.path.join(options.out, "figures.json"), "w", encoding="utf-8") as file:
        json.dump(found, file, indent=1)
        file.write("\n")
    print(table(found))


if __name__ == "__main__":
    main()
