"""What Fathom's tools answer in a generated repository, byte for byte, without running them.

tests/demo/chats_test.py holds this file to the real program.
"""

CONTEXT_LINES = 4  # around an edit


def numbered(lines, first):
    return "".join("%6d\t%s\n" % (first + place, line) for place, line in enumerate(lines))


def view(lines):
    return numbered(lines, 1)


def no_file(path):
    return "error: %s: there is no such file or folder" % path


def edited(path, lines, number):
    """After the replacement of the line `number`, from 0, of what are `lines` now."""
    first = max(0, number - CONTEXT_LINES)
    shown = lines[first:number + CONTEXT_LINES + 1]
    return "%s: edited line %d\n" % (path, number + 1) + numbered(shown, first + 1)


# How Fathom knows what the tests are: from repos.CONFIG, or by the script's name.
KNOWN_BY = ("configured: .fathom/config.yaml", "guessed: run_tests.sh")


def tests(outcome, seconds, known_by=KNOWN_BY[0]):
    """run_tests on what `outcome` printed; it has no report, so the output stands for itself."""
    took = "%.2f s" % seconds if seconds < 10 else "%.0f s" % seconds
    if outcome.red:
        head = "FAILED in %s (exit code 1, and no test report was recognised)" % took
    else:
        head = "PASSED in %s (no test report was recognised: only the exit code says so)" % took
    return head + "\nran: ./run_tests.sh (%s)\n%s" % (known_by, outcome.text)
