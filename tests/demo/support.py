"""Where the training code and the program are."""
import os
import sys
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TRAIN = os.path.join(ROOT, "examples", "demo", "train")
sys.path.insert(0, TRAIN)


def program():
    """The built program: FATHOM, or the release build. A test that needs it is skipped without."""
    path = os.environ.get("FATHOM") or os.path.join(ROOT, "build", "release", "fathom")
    if not os.access(path, os.X_OK):
        raise unittest.SkipTest("no program at %s, so its answers were not compared "
                                "(build it, or name it in FATHOM)" % path)
    return path
