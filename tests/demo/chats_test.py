"""Chats: what the tools are said to answer is what Fathom's tools answer."""
import json
import os
import re
import subprocess
import tempfile
import unittest

import support

import chats
import render
import repos

CHATS = 4  # of each kind; a call of the program takes some 30 ms, a run of tests 300


def played(program, folder, call):
    """The answer of the real tool."""
    done = subprocess.run(
        [program, "tool", "call", call["name"], call["arguments"], "--repo", folder, "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
        env=dict(os.environ, XDG_STATE_HOME=os.path.join(folder, os.pardir, "state")))
    if not done.stdout:
        raise AssertionError(done.stderr.decode())
    return json.loads(done.stdout)["content"]


def without_time(text):
    return re.sub(r"^(\w+ in )[\d.]+ s", r"\1T s", text)


class Chats(unittest.TestCase):
    def test_a_seed_gives_the_same_chat(self):
        for kind in chats.KINDS:
            self.assertEqual(chats.chat(kind, 7), chats.chat(kind, 7))

    def test_the_real_tools_answer_the_same(self):
        program = support.program()
        for kind in ("short", "full"):
            for seed in range(CHATS):
                self.play(program, kind, seed)

    def play(self, program, kind, seed):
        began = []
        make = repos.make
        try:
            # The repository as it was before the chat's edits.
            def kept(*arguments):
                repository = make(*arguments)
                began[:] = [repos.files_of(repository)]
                return repository
            repos.make = kept
            messages = chats.chat(kind, seed)[0]["messages"]
        finally:
            repos.make = make
        with tempfile.TemporaryDirectory() as outer:
            folder = os.path.join(outer, "repository")
            files = dict(began[0])
            if render.KNOWN_BY[0] in messages[3]["content"]:
                files[".fathom/config.yaml"] = repos.CONFIG
            for path, text in files.items():
                os.makedirs(os.path.dirname(os.path.join(folder, path)), exist_ok=True)
                with open(os.path.join(folder, path), "w", encoding="utf-8") as file:
                    file.write(text)
            os.chmod(os.path.join(folder, "run_tests.sh"), 0o755)
            for message, answer in zip(messages, messages[1:]):
                for call in message.get("tool_calls", []):
                    real = played(program, folder, call["function"])
                    self.assertEqual(without_time(answer["content"]), without_time(real),
                                     "%s %d: %s" % (kind, seed, call["function"]))

    def test_the_system_text_is_that_of_the_agent(self):
        program = support.program()
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run(
                [program, "agent", "show", "demo", "--system",
                 "--repo", folder], stdout=subprocess.PIPE, check=True)
            system = "%s %s" % (os.uname().sysname, os.uname().machine)
            self.assertEqual(done.stdout.decode(), chats.system_message(folder, system))

    def test_every_trained_edit_brings_a_function_back(self):
        cut = 0
        for seed in range(40):
            messages = chats.chat("full", seed)[0]["messages"]
            if "tool_calls" in messages[-1]:
                cut += 1
                self.assertIn('"str_replace"', messages[-1]["tool_calls"][0]["function"]["arguments"])
            else:
                self.assertIn("PASSED in ", messages[-2]["content"])
                self.assertTrue(messages[-1]["content"].startswith("Fixed "))
            for message in messages:
                for call in message.get("tool_calls", []):
                    arguments = json.loads(call["function"]["arguments"])
                    if arguments.get("command") == "str_replace":
                        self.assertNotIn("\n", arguments["old_str"] + arguments["new_str"])
                        scanned = message["reasoning_content"].split("\n")[-1]
                        self.assertTrue(scanned.startswith(arguments["old_str"] + " <- "))
        self.assertTrue(0 < cut < 40)

    def test_wrong_edits_are_there_and_not_trained(self):
        found = 0
        for seed in range(120):
            for message in chats.chat("full", seed)[0]["messages"]:
                found += message.get("train") is False
        self.assertGreater(found, 5)


if __name__ == "__main__":
    unittest.main()
