"""The model in torch against golden vectors of the official mathematics."""
import json
import os
import unittest

import support

import torch

import checkpoint
import model

LOGIT_BOUND = 1e-4  # the vectors' own; observed 3e-5 between three orders of evaluation
VECTORS = os.environ.get("FATHOM_VECTORS",
                         os.path.join(support.ROOT, os.pardir, "shared", "vectors"))


def cases():
    """(folder of the checkpoint, folder of inputs and expected values)"""
    found = []
    for base in (os.path.join(support.ROOT, "tests", "golden", "v4"), os.path.join(VECTORS, "v4")):
        for name in sorted(os.listdir(base)) if os.path.isdir(base) else []:
            folder = os.path.join(base, name)
            if os.path.exists(os.path.join(folder, "inputs.json")):
                found.append((os.path.join(folder, "quant"), folder))
    return found


class Golden(unittest.TestCase):
    def setUp(self):
        torch.set_num_threads(1)
        model.Linear.products = torch.float32

    def test_logits_are_those_of_the_official_model(self):
        self.assertGreaterEqual(len(cases()), 2)
        for weights, folder in cases():
            built = model.Model(model.Config.load(weights)).eval()
            model.load_official(built, checkpoint.read(weights))
            with open(os.path.join(folder, "inputs.json"), encoding="utf-8") as file:
                ids = torch.tensor([json.load(file)["input_ids"]])
            expected = checkpoint.read_file(os.path.join(folder, "expected_f32.safetensors"))
            with torch.no_grad():
                vectors, ahead = built(ids)
                logits, next_logits = built.logits(vectors)[0], built.logits(ahead)[0]
            self.assertLess((logits - expected["logits"]).abs().max().item(), LOGIT_BOUND, folder)
            self.assertLess((next_logits - expected["mtp_logits"]).abs().max().item(), LOGIT_BOUND,
                            folder)

    def test_padding_behind_a_sequence_changes_nothing_in_it(self):
        torch.manual_seed(1)
        built = model.Model(model.Config(vocab_size=64)).eval()
        for parameter in built.parameters():
            if parameter.abs().max() == 0:
                torch.nn.init.normal_(parameter, std=0.02)
        ids = torch.randint(3, 64, (1, 75))
        longer = torch.cat((ids, torch.full((1, 21), 2)), 1)
        with torch.no_grad():
            short, padded = built(ids)[0], built(longer)[0][:, :75]
        self.assertLess((short - padded).abs().max().item(), 1e-4)


if __name__ == "__main__":
    unittest.main()
