"""The kernels against plain operations: values and gradients."""
import unittest

import support  # pylint: disable=unused-import; sets the path

import torch

import kernels
import model

BOUND_FP32 = 2e-4  # of the largest value; fp32 sums in another order, 20 iterations of Sinkhorn
BOUND_BF16 = 3e-2  # of the largest value; what passes through BF16, and its products


def gradients(function, inputs, seed):
    """(outputs, gradients of a random sum of them)"""
    inputs = [tensor.clone().requires_grad_() for tensor in inputs]
    outputs = function(*inputs)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    rng = torch.Generator().manual_seed(seed)
    total = sum((out.float() * torch.randn(out.shape, generator=rng)).sum() for out in outputs)
    total.backward()
    return [out.detach().float() for out in outputs], [tensor.grad.float() for tensor in inputs]


class Kernels(unittest.TestCase):
    def setUp(self):
        torch.manual_seed(5)
        torch.set_num_threads(1)
        if not kernels.ready(torch.zeros(1)):
            raise unittest.SkipTest("no compiler here, so the kernels were not compared")
        self.config = model.Config(hidden_size=128)
        self.settings = (20, 1e-6, 1e-6)

    def same(self, fused, plain, inputs, bound):
        for ours, theirs in zip(gradients(fused, inputs, 1), gradients(plain, inputs, 1)):
            for place, (a, b) in enumerate(zip(ours, theirs)):
                worst = (a - b).abs().max().item() / (b.abs().max().item() + 1e-9)
                self.assertLess(worst, bound, "part %d" % place)

    def test_maps(self):
        inputs = [torch.randn(33, 4, 128), torch.randn(24, 512) * 0.05, torch.randn(24),
                  torch.rand(3) + 0.5]
        self.same(lambda *a: kernels.maps(*a, self.settings),
                  lambda *a: model.stream_maps(*a, self.config), inputs, BOUND_FP32)

    def test_read_and_write(self):
        streams, pre, weight = torch.randn(33, 4, 128), torch.rand(33, 4), torch.rand(128)
        self.same(lambda x, p, w: kernels.read(x, p, w, 1e-6),
                  lambda x, p, w: model.rms((p[..., None] * x).sum(-2), w, 1e-6),
                  [streams, pre, weight], BOUND_FP32)
        inputs = [streams, torch.randn(33, 128), torch.rand(33, 4), torch.rand(33, 4, 4)]
        self.same(kernels.write,
                  lambda x, y, p, c: (torch.matmul(c.transpose(1, 2), x)
                                      + p[..., None] * y[:, None]), inputs, BOUND_FP32)

    def test_activation(self):
        inputs = [torch.randn(33, 96).mul(3).bfloat16(), torch.randn(33, 96).mul(3).bfloat16(),
                  torch.rand(33, 3)]

        def plain(gate, up, weights):
            gate, up = gate.float().clamp(max=2.0), up.float().clamp(-2.0, 2.0)
            mixed = torch.nn.functional.silu(gate) * up
            return (mixed.view(33, 3, 32) * weights[..., None]).flatten(1)

        self.same(lambda g, u, w: kernels.activation(g, u, w, 2.0), plain, inputs, BOUND_BF16)

    def test_attention_of_every_kind_of_layer(self):
        length = 2 * kernels.CHUNK + 96
        for ratio, window in ((0, 1024), (4, 1024), (32, 100), (4, 40)):
            config = model.Config(sliding_window=window, compress_ratios=(ratio, 0))
            attention = model.Attention(config, ratio)
            entries = length // ratio if ratio else 0
            inputs = [torch.randn(2, 4, length, 128), torch.randn(2, length + entries, 128),
                      torch.randn(4)]
            _, bias = model.Tables(config).of(length, ratio, "cpu")

            def plain(queries, keys, sink, attention=attention, bias=bias):
                del attention.attn_sink
                attention.attn_sink = sink
                return attention.attend(queries, keys, bias[None])

            model.Linear.products = torch.float32
            self.same(lambda q, k, s, window=window, ratio=ratio:
                      kernels.attend(q, k, s, window, ratio), plain, inputs, BOUND_BF16)

    def test_the_whole_model_is_the_same_with_and_without(self):
        model.Linear.products = torch.bfloat16
        built = model.Model(model.Config(vocab_size=64))
        ids = torch.randint(3, 64, (2, 96))
        found = []
        for wanted in (True, False):
            kernels.use(wanted)
            built.zero_grad()
            vectors, ahead = built(ids)
            loss = built.logits(vectors).square().mean() + built.logits(ahead).square().mean()
            loss.backward()
            found.append((loss.item(), built.layers[1].hc_attn_fn.grad.norm().item(),
                          built.layers[0].ffn.w1.grad.norm().item(),
                          built.embed.weight.grad.norm().item()))
        kernels.use(True)
        for ours, theirs in zip(*found):
            self.assertLess(abs(ours - theirs) / abs(theirs), BOUND_BF16)

    def tearDown(self):
        model.Linear.products = torch.float32
        kernels.use(True)


if __name__ == "__main__":
    unittest.main()
