"""The exported checkpoint: the engine's greedy tokens are torch's."""
import os
import subprocess
import tempfile
import unittest

import support

import torch

import checkpoint
import export
import model
import tokenizer

PROMPTS = (5, 70, 301)  # tokens: before the first entry, among entries of both ratios, and behind
CONTINUED = 12


def random_model(seed):
    """Weights in which every part matters, as they are stored."""
    torch.manual_seed(seed)
    built = model.Model(model.Config(sliding_window=128, index_topk=48)).eval()
    for name, parameter in built.named_parameters():
        if name.endswith(("_fn", "attn_sink", "ape")):
            torch.nn.init.normal_(parameter, std=0.05 if name.endswith("_fn") else 0.5)
    for name, buffer in built.named_buffers():
        if name.endswith("bias"):
            torch.nn.init.normal_(buffer, std=0.3)
    for name, tensor in model.official_tensors(built).items():
        tensor.data.copy_(export.stored(name, tensor))
    return built


def greedy(built, ids, count):
    out = list(ids)
    with torch.no_grad():
        for _ in range(count):
            vectors, _ = built(torch.tensor([out]))
            out.append(int(built.logits(vectors[0, -1]).argmax()))
    return out[len(ids):]


class Exported(unittest.TestCase):
    def test_the_engine_continues_as_torch_does(self):
        program = support.program()
        torch.set_num_threads(1)
        model.Linear.products = torch.float32
        built = random_model(3)
        with tempfile.TemporaryDirectory() as folder:
            tokenizer.save(tokenizer.document([]), folder)
            out = os.path.join(folder, "model")
            size = export.write(built, folder, out)
            self.assertLessEqual(size, export.BYTES_MAX)
            for length in PROMPTS:
                ids = torch.randint(3, 250, (length,)).tolist()
                done = subprocess.run(
                    [program, "generate", "--model", out, "--ids", " ".join(map(str, ids)),
                     "--print-ids", "--temperature", "0", "--ignore-eos", "--numerics", "exact",
                     "--max-tokens", str(CONTINUED)], stdout=subprocess.PIPE, check=True)
                self.assertEqual([int(word) for word in done.stdout.split()],
                                 greedy(built, ids, CONTINUED), "%d tokens" % length)

    def test_a_checkpoint_comes_back_as_it_was_written(self):
        built = random_model(4)
        with tempfile.TemporaryDirectory() as folder:
            tokenizer.save(tokenizer.document([]), folder)
            export.write(built, folder, os.path.join(folder, "model"))
            again = model.Model(model.Config.load(os.path.join(folder, "model")))
            model.load_official(again, checkpoint.read(os.path.join(folder, "model")))
        for name, tensor in model.official_tensors(built).items():
            self.assertTrue(torch.equal(tensor, model.official_tensors(again)[name]), name)


if __name__ == "__main__":
    unittest.main()
