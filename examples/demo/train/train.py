#!/usr/bin/env python3
"""Trains the demo's model: copying first, then short repairs, then whole ones.

    train.py --data CORPUS --out RUN --minutes 150 [--workers 2] [--device cpu|cuda]

Writes RUN/last.pt every three minutes and goes on from it when it is started again. A run that is
bounded by --steps gives the same weights whether it was interrupted or not (one worker).
"""
import argparse
import ctypes
import dataclasses
import json
import os
import sys
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read when torch is loaded

import torch
import torch.distributed
import torch.multiprocessing
from torch.nn import functional

import batches
import checkpoint
import model
import optim

# Tokens a step, of all workers together: of copies, of repairs, and of repairs later on.
BATCH_COPIES, BATCH_FIRST, BATCH_LAST = 4096, 6144, 12288
GROW_AT = 0.6  # of the run
COPY_TOKENS_MAX = 5e6
SHORT_SHARE = 0.22  # of what is left after copying
WARM_UP_STEPS, DECAY_SHARE, RATE_LAST = 50, 0.35, 0.02
# The block for the token after the next costs a sixth of a step and only speeds up sampling: it is
# trained behind this share of the run, on what the layers before it have become.
NEXT_FROM = 0.85
NEXT_WEIGHT = 0.1
BALANCE_RATE = 0.002
LONGEST = 1536
SAVE_S, SAY_S, EVALUATE_S = 180, 20, 1500
SKIPPED_MAX = 8
EVALUATED = 48  # documents of each held-out set


def fast_products(device):
    """BF16 where the machine multiplies it faster."""
    if device != "cpu":
        return torch.bfloat16
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        flags = file.read()
    return torch.bfloat16 if "avx512_bf16" in flags or "amx_bf16" in flags else torch.float32


def keep_memory():
    """Lets glibc keep what a step frees: fetching those pages anew is a tenth of a step."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(-4, 0)  # M_MMAP_MAX
        libc.mallopt(-1, 2 ** 31 - 1)  # M_TRIM_THRESHOLD


def losses(built, ids, weights, looks_ahead):
    """The loss to learn from, and that of fully weighted tokens for the log."""
    vectors, ahead = built(ids, looks_ahead)
    targets, wanted = ids[:, 1:], weights[:, 1:]
    chosen = wanted > 0
    some = wanted[chosen]
    each = functional.cross_entropy(built.logits(vectors[:, :-1][chosen]), targets[chosen],
                                    reduction="none")
    loss = (each * some).sum() / some.sum()
    shown = each.detach()[some >= 1].mean().item()
    if ahead is not None:
        full = weights[:, 2:] >= 1
        if bool(full.any()):
            logits = built.logits(ahead[:, :-1][full])
            loss = loss + NEXT_WEIGHT * functional.cross_entropy(logits, ids[:, 2:][full])
    return loss, shown


@torch.no_grad()
def exact(built, folder, name, device):
    """The share of documents in which every token of a field is the likeliest one."""
    shard = batches.Shard(folder, name)
    with open(os.path.join(folder, name + ".fields.jsonl"), encoding="utf-8") as file:
        notes = [json.loads(line) for line in file][:EVALUATED]
    counts = dict.fromkeys(("place", "class", "old", "new", "edit"), 0)
    for document, note in enumerate(notes):
        ids, _ = shard.batch([document])
        ids = ids.to(device)
        guessed = built.logits(built(ids, False)[0])[0].argmax(-1)
        right = (guessed[:-1] == ids[0, 1:]).tolist()
        good = {key: all(right[note[key][0] - 1:note[key][1] - 1]) for key in counts
                if key != "edit"}
        good["edit"] = all(good.values())
        for key, value in good.items():
            counts[key] += value
    return {key: round(value / len(notes), 3) for key, value in counts.items()}


class Run:
    """One worker's training run: where it is, and its next step."""

    def __init__(self, options, rank):
        self.options, self.rank = options, rank
        torch.manual_seed(options.seed)
        torch.set_num_threads(options.threads)
        products = fast_products(options.device)
        model.Linear.products = products
        self.model = model.Model(model.Config()).to(options.device)
        self.optimizer = optim.Optimizer(self.model, products)
        size = self.model.config.vocab_size
        self.copies = batches.Copies(size, BATCH_COPIES // options.workers, options.seed)
        self.documents, self.saved_documents = {}, {}
        self.steps, self.tokens, self.spent, self.warm, self.skipped = 0, 0, 0.0, 0, 0
        self.repairs_from = None  # the share of the run at which copying was over
        self.short_share = SHORT_SHARE
        self.begun = time.monotonic()

    def source(self, kind):
        """Of batches; a shard is opened when it is first needed, as another process may still
        write it."""
        if kind == "copy":
            return self.copies
        if kind not in self.documents:
            options = self.options
            documents = batches.Documents(batches.Shard(options.data, kind),
                                          options.batch // options.workers, options.seed, LONGEST)
            if kind in self.saved_documents:
                documents.load(self.saved_documents[kind])
            self.documents[kind] = documents
        return self.documents[kind]

    def share(self):
        """How much of the run is over."""
        if self.options.steps:
            return self.steps / self.options.steps
        return self.elapsed() / (60 * self.options.minutes)

    def elapsed(self):
        return self.spent + time.monotonic() - self.begun

    def kind(self, share):
        copied = self.copies.done or self.copies.step * self.copies.rows * batches.COPY_LENGTH * (
            self.options.workers) > COPY_TOKENS_MAX
        if not copied:
            return "copy"
        if self.repairs_from is None:
            self.repairs_from, self.warm = share, 0
        short_until = self.repairs_from + self.short_share * (1 - self.repairs_from)
        return "short" if share < short_until else "full"

    def rate(self, share):
        warm = min(1.0, (self.warm + 1) / WARM_UP_STEPS)
        return warm * min(1.0, max(RATE_LAST, (1 - share) / DECAY_SHARE))

    def step(self):
        """(kind, loss) of one step; what all workers did is the same on each."""
        share = self.share()
        if torch.distributed.is_initialized():  # the first one's clock decides for all
            shares = [share]
            torch.distributed.broadcast_object_list(shares, 0)
            share = shares[0]
        kind = self.kind(share)
        source = self.source(kind)
        if kind == "full" and share > GROW_AT:
            source.grow(self.options.batch_last // self.options.workers)
        ids, weights = source.next(self.rank, self.options.workers)
        ids, weights = ids.to(self.options.device), weights.to(self.options.device)
        loss, shown = losses(self.model, ids, weights, share >= NEXT_FROM)
        loss.backward()
        if torch.distributed.is_initialized():
            shown = self.average(shown)
        if self.optimizer.is_finite():
            self.optimizer.step(self.rate(share))
            self.model.balance(BALANCE_RATE)
            self.skipped = 0
        else:
            self.skip(kind, ids, loss)
        self.steps, self.warm = self.steps + 1, self.warm + 1
        self.tokens += ids.numel() * self.options.workers
        if kind == "copy" and self.copies.learned(shown) and self.rank == 0:
            print("step %d: copies %d tokens now" % (self.steps, self.copies.known), flush=True)
        return kind, shown

    def skip(self, kind, ids, loss):
        """One step that would spoil all weights; several in a row are no accident."""
        self.optimizer.drop()
        self.skipped += 1
        print("step %d, worker %d: no number in the gradients, left out (%s, %s, loss %s)" % (
            self.steps, self.rank, kind, tuple(ids.shape), loss.item()), flush=True)
        if self.skipped > SKIPPED_MAX:
            raise RuntimeError("%d steps in a row without numbers" % self.skipped)

    def average(self, shown):
        """Gradients and router loads of all workers, in one message."""
        loads = [m for m in self.model.modules()
                 if isinstance(m, model.Experts) and m.load is not None]
        grads = [p.grad for p in self.optimizer.trained if p.grad is not None]
        flat = torch.cat([g.flatten() for g in grads] + [m.load for m in loads]
                         + [torch.tensor([shown], device=self.options.device)])
        torch.distributed.all_reduce(flat)
        flat /= self.options.workers
        parts = flat.split([g.numel() for g in grads] + [len(m.load) for m in loads] + [1])
        for grad, part in zip(grads, parts):
            grad.copy_(part.view(grad.shape))
        for module, part in zip(loads, parts[len(grads):]):
            module.load = part
        return parts[-1].item()

    def save(self, path):
        state = {
            "config": dataclasses.asdict(self.model.config), "model": self.model.state_dict(),
            "optimizer": self.optimizer.state(), "copies": self.copies.state(),
            "documents": dict(self.saved_documents,
                              **{kind: d.state() for kind, d in self.documents.items()}),
            "steps": self.steps, "tokens": self.tokens, "spent": self.elapsed(),
            "warm": self.warm, "repairs_from": self.repairs_from}
        torch.save(state, path + ".new")
        os.replace(path + ".new", path)

    def begin_from(self, folder):
        """Begins with the weights of an exported model, which knows copying and short repairs."""
        model.load_official(self.model, checkpoint.read(folder))
        self.copies.done, self.short_share = True, 0.0

    def load(self, path):
        state = torch.load(path, map_location=self.options.device)
        self.model.load_state_dict(state["model"])
        self.optimizer.load(state["optimizer"])
        self.copies.load(state["copies"])
        self.documents, self.saved_documents = {}, state["documents"]
        self.steps, self.tokens, self.spent = state["steps"], state["tokens"], state["spent"]
        self.warm, self.repairs_from = state["warm"], state["repairs_from"]
        self.begun = time.monotonic()

    def evaluate(self):
        self.model.eval()
        for name in ("names", "templates"):
            found = exact(self.model, self.options.data, name, self.options.device)
            print("held out, %s: %s" % (name, json.dumps(found)), flush=True)
        self.model.train()


def work(rank, options):
    keep_memory()
    if options.workers > 1:
        torch.distributed.init_process_group(
            "gloo", init_method="file://" + os.path.abspath(options.out + "/workers"), rank=rank,
            world_size=options.workers)
    run = Run(options, rank)
    last = os.path.join(options.out, "last.pt")
    if options.init:
        run.begin_from(options.init)
    if os.path.exists(last):
        run.load(last)
    saved = said = evaluated = time.monotonic()
    begun, tokens, recent = said, run.tokens, []
    while goes_on(run, options):
        kind, loss = run.step()
        recent.append(loss)
        now = time.monotonic()
        if rank == 0 and now - said > SAY_S:
            print("%5.1f min, step %d, %.2fM tokens, %.0f tokens/s, %s loss %.3f" % (
                run.elapsed() / 60, run.steps, run.tokens / 1e6,
                (run.tokens - tokens) / (now - begun), kind, sum(recent) / len(recent)), flush=True)
            said, recent = now, []
            begun, tokens = now, run.tokens
        if rank == 0 and now - saved > SAVE_S:
            run.save(last)
            saved = now
        if rank == 0 and kind != "copy" and now - evaluated > EVALUATE_S:
            run.evaluate()
            evaluated = now
    if rank == 0:
        run.save(last)
        run.evaluate()


def goes_on(run, options):
    """The first worker decides, by its clock or the steps."""
    more = run.share() < 1
    if options.workers > 1:
        decided = [more]
        torch.distributed.broadcast_object_list(decided, 0)
        more = decided[0]
    return more


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--data", required=True, help="the folder of shards")
    parser.add_argument("--out", required=True, help="the run's folder")
    parser.add_argument("--init", help="the folder of an exported model to begin with")
    parser.add_argument("--minutes", type=float, default=150)
    parser.add_argument("--steps", type=int, default=0, help="bound by steps, not by time")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--workers", type=int, default=1, help="processes that share each step")
    parser.add_argument("--threads", type=int, default=1, help="of each process")
    parser.add_argument("--batch", type=int, default=BATCH_FIRST, help="tokens a step")
    parser.add_argument("--batch-last", type=int, default=BATCH_LAST)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args(arguments)


def main():
    options = parse(sys.argv[1:])
    os.makedirs(options.out, exist_ok=True)
    workers = os.path.join(options.out, "workers")
    if os.path.exists(workers):
        os.remove(workers)  # of a run that was stopped
    if options.workers > 1:
        torch.multiprocessing.spawn(work, (options,), options.workers)
    else:
        work(0, options)


if __name__ == "__main__":
    main()
