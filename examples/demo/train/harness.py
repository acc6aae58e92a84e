"""The checks of a repository, run inside this process: what check.py prints, without a process.

`CHECK_PY` is the file that goes into each repository. A call is stopped after a number of lines
where check.py waits for half a second, so that a seed gives the same bytes on any machine; a
function that a bug makes endless runs into both.
"""
import copy
import sys

STEPS_MAX = 5000  # lines of a call; what a bug makes long and not endless stays far below

CHECK_PY = '''"""Tiny test harness: one line per failing check, then the totals."""
import copy
import signal
import sys

passed, failures = 0, []


class TimedOut(Exception):
    pass


def on_alarm(*_):
    raise TimedOut


signal.signal(signal.SIGALRM, on_alarm)


def show(value):
    text = repr(round(value, 2) if isinstance(value, float) else value)
    return text if len(text) < 48 else text[:45] + "..."


def check(module, name, args, expected):
    global passed
    line = sys._getframe(1).f_lineno
    signal.setitimer(signal.ITIMER_REAL, 0.5)
    try:
        got = getattr(module, name)(*copy.deepcopy(args))
        if got == expected and type(got) == type(expected):
            passed += 1
            return
        outcome = "is " + show(got)
    except TimedOut:
        outcome = "raised timed out"
    except Exception as error:
        outcome = "raised " + type(error).__name__
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    shown = ", ".join(show(a) for a in args)
    failures.append("test.py:%d: %s.%s(%s) %s, expected %s" % (line, module.__name__, name, shown, outcome, show(expected)))


def done():
    for failure in failures[:2]:
        print(failure)
    print("%d failed, %d passed" % (len(failures), passed) if failures else "%d passed" % passed)
    sys.exit(1 if failures else 0)
'''
FIRST_CHECK_LINE = 4  # of test.py
SHOWN_FAILURES = 2


class Raised:
    """What a call ended with instead of a value."""

    def __init__(self, name):
        self.name = name


class _TooLong(BaseException):
    """No code under test can catch it by `except Exception`."""


def load(text):
    space = {}
    exec(compile(text, "<module>", "exec"), space)  # our own generated code
    return space


def call(function, args):
    """The value, or Raised."""
    left = [STEPS_MAX]

    def step(frame, event, argument):
        del frame, argument
        if event == "line":
            left[0] -= 1
            if left[0] == 0:
                raise _TooLong
        return step

    before = sys.gettrace()
    sys.settrace(step)
    try:
        return function(*copy.deepcopy(args))
    except _TooLong:
        return Raised("timed out")
    except Exception as error:  # pylint: disable=broad-except; any may be a check's outcome
        return Raised(type(error).__name__)
    finally:
        sys.settrace(before)


def agrees(got, expected):
    return not isinstance(got, Raised) and got == expected and type(got) is type(expected)


def show(value):
    text = repr(round(value, 2) if isinstance(value, float) else value)
    return text if len(text) < 48 else text[:45] + "..."


class Outcome:
    """What a run of the checks prints, and whether it was red."""

    def __init__(self, failing, lines, passed):
        self.failing = failing  # the checks that failed, in order
        self.red = bool(failing)
        total = "%d failed, %d passed" % (len(failing), passed) if failing else "%d passed" % passed
        self.text = "\n".join(lines[:SHOWN_FAILURES] + [total]) + "\n"


def run(space, checks):
    """`space` is the modules' namespaces by name."""
    failing, lines, passed = [], [], 0
    for place, check in enumerate(checks):
        got = call(space[check.module][check.function], check.args)
        if agrees(got, check.expected):
            passed += 1
            continue
        failing.append(check)
        outcome = "raised " + got.name if isinstance(got, Raised) else "is " + show(got)
        lines.append("test.py:%d: %s.%s(%s) %s, expected %s" % (
            FIRST_CHECK_LINE + place, check.module, check.function,
            ", ".join(show(argument) for argument in check.args), outcome, show(check.expected)))
    return Outcome(failing, lines, passed)
