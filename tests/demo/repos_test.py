"""Generated repositories: seeded, really red before and green after, nothing held out in them."""
import collections
import os
import subprocess
import tempfile
import unittest

import support  # pylint: disable=unused-import; sets the path

import bugs
import names
import repos
from shapes import is_held_cell

SEEDS = range(60)


def run_tests(folder):
    done = subprocess.run(["./run_tests.sh"], cwd=folder, stdout=subprocess.PIPE, check=False)
    return done.returncode, done.stdout.decode()


class Repositories(unittest.TestCase):
    def test_a_seed_gives_the_same_files(self):
        for seed in SEEDS[:10]:
            self.assertEqual(repos.files_of(repos.make(seed)), repos.files_of(repos.make(seed)))

    def test_real_runs_print_what_was_computed(self):
        for seed in SEEDS[:25]:
            repository = repos.make(seed, repos.SETS["names"])
            with tempfile.TemporaryDirectory() as folder:
                repos.write(repository, folder)
                self.assertEqual(run_tests(folder), (1, repository.run().text), "seed %d" % seed)
            for bug in repository.bugs:
                repository.replace(bug.path, bug.line, bug.right)
            with tempfile.TemporaryDirectory() as folder:
                repos.write(repository, folder)
                self.assertEqual(run_tests(folder), (0, repository.run().text), "seed %d" % seed)

    def test_the_wrong_line_can_be_named_by_an_edit(self):
        for seed in SEEDS:
            repository = repos.make(seed)
            for bug in repository.bugs:
                self.assertEqual(repository.module(bug.path).text().count(bug.wrong), 1)
                self.assertNotEqual(bug.wrong, bug.right)

    def test_the_forms_are_those_of_a_demo_repository(self):
        for seed in SEEDS:
            files = repos.files_of(repos.make(seed))
            modules = [path for path in files
                       if path not in ("test.py", "check.py", "run_tests.sh")]
            self.assertIn(len(modules), (1, 2, 3))
            for path in modules:
                self.assertIn(os.path.dirname(path), ("", "src", "lib"))
                functions = ("\n" + files[path]).count("\ndef ")
                self.assertLessEqual(functions, 6)

    def test_bug_classes_are_balanced(self):
        counts = collections.Counter(repos.make(seed).bugs[0].kind for seed in range(920))
        self.assertEqual(set(counts), set(bugs.CLASSES))
        self.assertGreaterEqual(len(bugs.CLASSES), 18)
        fair = 920 / len(bugs.CLASSES)
        for kind, count in counts.items():
            self.assertGreater(count, fair / 3, kind)
            self.assertLess(count, fair * 2.5, kind)

    def test_held_out_cells_and_names_are_in_no_training_repository(self):
        held = set(names.NOUNS_HELD)
        for seed in SEEDS:
            for key, is_held in (("trained", False), ("names", False), ("templates", True)):
                repository = repos.make(seed, repos.SETS[key])
                for module in repository.modules:
                    for placed in module.placed:
                        self.assertEqual(is_held_cell(placed.function.cell), is_held)
                        words = set(placed.function.name.split("_"))
                        if key == "trained":
                            self.assertFalse(words & (held | set(map(names.plural, held))))

    def test_several_bugs_are_in_several_functions(self):
        rules = repos.Rules(bugs=(3, 3), modules=(1, 2))
        for seed in SEEDS[:20]:
            repository = repos.make(seed, rules)
            self.assertEqual(len({bug.function for bug in repository.bugs}), 3)


if __name__ == "__main__":
    unittest.main()
