"""Tokens: the tokenizer loads in Fathom, and shards hold what they say."""
import json
import os
import subprocess
import sys
import tempfile
import unittest

import support

import numpy

import chats
import dataset
import tokenizer

VOCABULARY = 640


class Tokens(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.program = support.program()
        cls.folder = tempfile.TemporaryDirectory()
        cls.size = tokenizer.train(cls.program, cls.folder.name, VOCABULARY, 60)
        cls.known = dataset.Ids(cls.folder.name)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def encoded(self, seed):
        line = chats.chat("full", seed)[0]
        return line, dataset.encode(self.program, self.folder.name, [line])[0]

    def test_it_has_the_size_that_was_asked_for(self):
        self.assertEqual(self.size, VOCABULARY)
        self.assertEqual(len(self.known.bytes), VOCABULARY)

    def test_ids_give_back_the_text_that_fathom_renders(self):
        line, (ids, _) = self.encoded(3)
        text = tokenizer.rendered(self.program, self.folder.name, [line])
        self.assertEqual(b"".join(self.known.bytes[token] for token in ids).decode(), text)

    def test_digits_are_single_and_line_ends_apart_from_code(self):
        for token in self.known.bytes[3:VOCABULARY - len(tokenizer.SPECIALS_LAST)]:
            text = token.decode("utf-8", "replace")
            self.assertFalse(len(text) > 1 and any(char.isdigit() for char in text), text)
            if "\n" in text and len(text) > 1:
                self.assertIn(text, ["".join(pair) for pair in tokenizer.TAG_ENDS])

    def test_only_trained_answers_weigh_fully(self):
        seed = next(seed for seed in range(200) if any(
            message.get("train") is False for message in chats.chat("full", seed)[0]["messages"]))
        line, (ids, answers) = self.encoded(seed)
        loss = dataset.weights(numpy.array(ids), answers, self.known,
                               numpy.random.Generator(numpy.random.PCG64(1)))
        ends = [place for place, token in enumerate(ids) if token == self.known.end]
        said = [message for message in line["messages"] if message["role"] == "assistant"]
        self.assertEqual(len(ends), len(said))
        for end, message in zip(ends, said):
            weight = dataset.SILENT if message.get("train") is False else dataset.LEARNED
            self.assertEqual(loss[end], weight)
        learned = sum(end - begin for begin, end in answers)
        self.assertEqual(int((loss == dataset.LEARNED).sum()), learned)

    def test_shards_are_the_same_for_any_number_of_processes(self):
        block, dataset.BLOCK = dataset.BLOCK, 16
        try:
            with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
                for folder, processes in ((one, "1"), (two, "3")):
                    arguments = ["--tokenizer", self.folder.name, "--out", folder, "--fathom",
                                 self.program, "--tokens", "0.05", "--processes", processes]
                    subprocess.run([sys.executable, os.path.join(support.TRAIN, "dataset.py")]
                                   + arguments, check=True, stdout=subprocess.DEVNULL)
                for name in sorted(os.listdir(one)):
                    with open(os.path.join(one, name), "rb") as a, \
                            open(os.path.join(two, name), "rb") as b:
                        self.assertEqual(a.read(), b.read(), name)
                self.check_fields(one)
        finally:
            dataset.BLOCK = block

    def check_fields(self, folder):
        ids = numpy.fromfile(os.path.join(folder, "names.ids"), "<u2")
        docs = numpy.fromfile(os.path.join(folder, "names.docs"), "<i8")
        self.assertEqual(docs[-1], len(ids))
        with open(os.path.join(folder, "names.fields.jsonl"), encoding="utf-8") as file:
            notes = [json.loads(line) for line in file]
        self.assertEqual(len(notes), len(docs) - 1)
        for place, note in enumerate(notes[:50]):
            part = ids[docs[place]:docs[place + 1]]

            def text(key, tokens=part, spans=note):
                begin, end = spans[key]
                return b"".join(self.known.bytes[t] for t in tokens[begin:end]).decode()
            self.assertTrue(text("place").endswith("\n" + text("old")))
            self.assertEqual(text("class"), " %s." % chats.bugs.PHRASES[note["bug"]])
            self.assertNotEqual(text("old"), text("new"))


if __name__ == "__main__":
    unittest.main()
