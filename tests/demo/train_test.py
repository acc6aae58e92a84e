"""Training: batches are a function of the seed and a position, and a run goes on as if it had not
stopped."""
import functools
import json
import os
import tempfile
import unittest

import support  # pylint: disable=unused-import; sets the path

import numpy
import torch

import batches
import model
import optim
import train

VOCABULARY = 64
SMALL = functools.partial(
    model.Config, vocab_size=VOCABULARY, hidden_size=64, num_hidden_layers=2, head_dim=32,
    qk_rope_head_dim=16, q_lora_rank=32, o_lora_rank=32, compress_ratios=(4, 0, 0),
    index_head_dim=16, moe_intermediate_size=32)


def write_shard(folder, name, documents, seed):
    rng = numpy.random.Generator(numpy.random.PCG64(seed))
    lengths = rng.integers(40, 90, documents)
    ends = numpy.concatenate(([0], numpy.cumsum(lengths)))
    base = os.path.join(folder, name)
    rng.integers(3, VOCABULARY, ends[-1]).astype("<u2").tofile(base + ".ids")
    rng.choice([0, 1, 10], ends[-1]).astype("u1").tofile(base + ".loss")
    ends.astype("<i8").tofile(base + ".docs")
    if name in ("names", "templates"):
        with open(base + ".fields.jsonl", "w", encoding="utf-8") as file:
            for _ in range(documents):
                file.write(json.dumps({"place": [5, 9], "class": [9, 12], "old": [14, 16],
                                       "new": [20, 22], "bug": "index"}) + "\n")


class Batches(unittest.TestCase):
    def test_every_document_is_seen_once_an_epoch_by_one_worker(self):
        with tempfile.TemporaryDirectory() as folder:
            write_shard(folder, "full", 300, 1)
            shard = batches.Shard(folder, "full")
            everything = batches.Documents(shard, 400, 3, 200).arrange()
            self.assertEqual(sorted(sum(everything, [])), list(range(300)))
            first, second = (batches.Documents(shard, 400, 3, 200) for _ in range(2))
            for place in range(0, len(everything) - 1, 2):
                for rank, documents in ((0, first), (1, second)):
                    ids, weights = documents.next(rank, 2)
                    expected = shard.batch(everything[place + rank])
                    self.assertTrue(torch.equal(ids, expected[0]))
                    self.assertTrue(torch.equal(weights, expected[1]))
                    self.assertTrue(ids.shape[1] % batches.LENGTH_STEP == 0)

    def test_copies_repeat_and_grow_only_when_learned(self):
        copies = batches.Copies(512, 960, 1)
        ids, weights = copies.next(0, 1)
        for row, weight in zip(ids, weights):
            period = int((weight == 0).sum()) - 1
            self.assertTrue(torch.equal(row[period:], row[:-period]))
        self.assertLessEqual(len(set(ids.flatten().tolist())), batches.VOCABULARY_FIRST)
        for _ in range(40):
            copies.next(0, 1)
            self.assertFalse(copies.learned(1.5))
        grown = []
        while not copies.done:
            copies.next(0, 1)
            copies.learned(0.3)
            grown.append(copies.known)
        self.assertEqual(sorted(set(grown)), [64, 128, 256, 509])


class Runs(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        for seed, name in enumerate(("short", "full", "names", "templates")):
            write_shard(self.folder.name, name, 40, seed)
        self.kept = (model.Config, train.COPY_TOKENS_MAX, train.BATCH_COPIES)
        model.Config, train.COPY_TOKENS_MAX, train.BATCH_COPIES = SMALL, 600, 192

    def tearDown(self):
        model.Config, train.COPY_TOKENS_MAX, train.BATCH_COPIES = self.kept
        model.Linear.products = torch.float32

    def run_of(self):
        return train.Run(train.parse(["--data", self.folder.name, "--out", self.folder.name,
                                      "--steps", "12", "--batch", "256"]), 0)

    def test_a_run_that_was_interrupted_ends_with_the_same_weights(self):
        whole = self.run_of()
        kinds = [whole.step()[0] for _ in range(12)]
        self.assertEqual(sorted(set(kinds)), ["copy", "full", "short"])
        path = os.path.join(self.folder.name, "last.pt")
        for stop in (2, 5, 9):
            first = self.run_of()
            for _ in range(stop):
                first.step()
            first.save(path)
            second = self.run_of()
            second.load(path)
            for _ in range(12 - stop):
                second.step()
            for name, tensor in whole.model.state_dict().items():
                self.assertTrue(torch.equal(tensor, second.model.state_dict()[name]), name)

    def test_exact_counts_only_whole_fields(self):
        run = self.run_of()
        found = train.exact(run.model, self.folder.name, "names", "cpu")
        self.assertEqual(set(found), {"place", "class", "old", "new", "edit"})
        self.assertLessEqual(found["edit"], min(found["place"], found["new"]))

    def test_every_matrix_is_for_muon_and_turns_orthogonal(self):
        run = self.run_of()
        names = [name for name, _ in run.model.named_parameters() if optim.is_matrix(name)]
        self.assertIn("layers.0.attn.wo_a.weight", names)
        self.assertIn("layers.1.ffn.w2", names)
        for name in names:
            self.assertNotRegex(name, "norm|gate|embed|head|_fn|ape|sink")
        values = torch.linalg.svdvals(optim.orthogonal(torch.randn(3, 24, 40), torch.float32))
        self.assertGreater(values.min().item(), 0.4)
        self.assertLess(values.max().item(), 1.6)


if __name__ == "__main__":
    unittest.main()
