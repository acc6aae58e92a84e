"""Muon for the matrices, AdamW for the rest.

Muon replaces a matrix's momentum by the nearest orthogonal one, so that no direction of a small
model lags behind; in the experiment it decided, with the curriculum, whether copying was learned.
"""
import torch

MUON_RATE, ADAM_RATE = 0.007, 0.0035
MUON_MOMENTUM, MUON_DECAY, MUON_RMS = 0.95, 0.01, 0.2
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)  # of the published method, for five steps


def orthogonal(matrices, kind):
    """About the orthogonal factor of each matrix of [.., rows, columns], all singular values near
    one. Computed in `kind`: five steps forgive its rounding."""
    a, b, c = NEWTON_SCHULZ
    x = matrices.to(kind)
    tall = x.shape[-2] > x.shape[-1]
    if tall:
        x = x.transpose(-1, -2)
    x = x / (x.float().square().sum((-1, -2), keepdim=True).sqrt() + 1e-7).to(kind)
    for _ in range(5):
        square = x @ x.transpose(-1, -2)
        x = a * x + (b * square + c * (square @ square)) @ x
    return (x.transpose(-1, -2) if tall else x).float()


def is_matrix(name):
    """What Muon takes: products inside the layers. Stacked experts are a matrix each."""
    last = name.rsplit(".", 1)[-1]
    if last in ("w1", "w2", "w3"):
        return True
    if last != "weight" or "norm" in name or name.startswith(("embed", "head")):
        return False
    return not name.endswith("gate.weight") and "indexer" not in name


class Optimizer:
    """Both, behind one step(). The indexer is left alone: it chooses among more entries than any
    training text has, so that nothing tells it apart."""

    def __init__(self, model, products):
        self.products = products
        named = [(name, p) for name, p in model.named_parameters() if "indexer" not in name]
        self.matrices = [p for name, p in named if is_matrix(name)]
        rest = [p for name, p in named if not is_matrix(name)]
        self.momenta = [torch.zeros_like(p) for p in self.matrices]
        self.adam = torch.optim.AdamW(rest, lr=ADAM_RATE, betas=(0.9, 0.95), weight_decay=0.0)
        self.trained = self.matrices + rest

    def is_finite(self):
        """Whether every gradient is a number."""
        sums = [p.grad.sum() for p in self.trained if p.grad is not None]
        return bool(torch.isfinite(torch.stack(sums)).all())

    def drop(self):
        """Forgets the gradients."""
        for parameter in self.trained:
            parameter.grad = None

    def step(self, share):
        """One step at a share of the full rates."""
        torch.nn.utils.clip_grad_norm_(self.adam.param_groups[0]["params"], 1.0)
        for group in self.adam.param_groups:
            group["lr"] = ADAM_RATE * share
        self.adam.step()
        self.muon(MUON_RATE * share)
        self.drop()

    @torch.no_grad()
    def muon(self, rate):
        for parameter, momentum in zip(self.matrices, self.momenta):
            if parameter.grad is None:
                continue
            momentum.mul_(MUON_MOMENTUM).add_(parameter.grad)
            change = orthogonal(parameter.grad + MUON_MOMENTUM * momentum, self.products)
            size = MUON_RMS * max(parameter.shape[-2:]) ** 0.5
            parameter.mul_(1 - rate * MUON_DECAY).add_(change, alpha=-rate * size)

    def state(self):
        return {"adam": self.adam.state_dict(), "momenta": self.momenta}

    def load(self, state):
        self.adam.load_state_dict(state["adam"])
        for momentum, saved in zip(self.momenta, state["momenta"]):
            momentum.copy_(saved)
