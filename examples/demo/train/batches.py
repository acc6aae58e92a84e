"""What each training step sees: copies made on the fly, then shards, in an order that is a function
of the seed and of a position that can be stored."""
import os

import numpy
import torch

PAD = 2
LENGTH_STEP = 32  # lengths are rounded up to it; multiples of every ratio
POOL = 512  # documents that are sorted by length together
COPY_LENGTH, COPY_PERIODS = 96, (8, 47)
VOCABULARY_FIRST = 64
GROW_BELOW, DONE_BELOW = 1.0, 0.4  # nats: the vocabulary doubles; all of it is learned
GROW_STEPS_MIN, LOSSES_KEPT = 12, 6
TENTHS = 10.0


class Shard:
    """A shard's files, mapped."""

    def __init__(self, folder, name):
        base = os.path.join(folder, name)
        self.ids = numpy.memmap(base + ".ids", "<u2", "r")
        self.loss = numpy.memmap(base + ".loss", "u1", "r")
        self.docs = numpy.fromfile(base + ".docs", "<i8")

    def __len__(self):
        return len(self.docs) - 1

    def length(self, document):
        return int(self.docs[document + 1] - self.docs[document])

    def batch(self, documents):
        """(ids, weights) [B, T], padded; a weight is that of predicting the token there."""
        longest = max(self.length(document) for document in documents)
        width = -(-longest // LENGTH_STEP) * LENGTH_STEP
        ids = numpy.full((len(documents), width), PAD, numpy.int64)
        weights = numpy.zeros((len(documents), width), numpy.float32)
        for row, document in enumerate(documents):
            begin, end = self.docs[document], self.docs[document + 1]
            ids[row, :end - begin] = self.ids[begin:end]
            weights[row, :end - begin] = self.loss[begin:end]
        return torch.from_numpy(ids), torch.from_numpy(weights / TENTHS)


class Documents:
    """Endless batches of a shard, about `tokens` each: documents of like length together."""

    def __init__(self, shard, tokens, seed, longest):
        self.shard, self.tokens, self.seed = shard, tokens, seed
        self.usable = numpy.flatnonzero(numpy.diff(shard.docs) <= longest)
        self.epoch, self.place, self.order = 0, 0, None

    def arrange(self):
        rng = numpy.random.Generator(numpy.random.PCG64([self.seed, self.epoch]))
        documents = rng.permutation(self.usable)
        batches = []
        for begin in range(0, len(documents), POOL):
            pool = sorted(documents[begin:begin + POOL], key=self.shard.length)
            batch = []
            for document in pool:
                width = -(-self.shard.length(document) // LENGTH_STEP) * LENGTH_STEP
                if batch and (len(batch) + 1) * width > self.tokens:
                    batches.append(batch)
                    batch = []
                batch.append(int(document))
            batches.append(batch)
        return [batches[place] for place in rng.permutation(len(batches))]

    def next(self, rank, workers):
        """Each worker takes its own of every `workers` batches."""
        if self.order is None:
            self.order = self.arrange()
        if self.place + workers > len(self.order):
            self.epoch, self.place = self.epoch + 1, 0
            self.order = self.arrange()
        chosen = self.order[self.place + rank]
        self.place += workers
        return self.shard.batch(chosen)

    def grow(self, tokens):
        """Larger batches from here on; the epoch begins anew with them."""
        if tokens > self.tokens:
            self.tokens, self.order = tokens, None
            self.epoch, self.place = self.epoch + 1, 0

    def state(self):
        return {"epoch": self.epoch, "place": self.place, "tokens": self.tokens}

    def load(self, state):
        self.epoch, self.place, self.tokens = state["epoch"], state["place"], state["tokens"]
        self.order = None


class Copies:
    """Random segments, repeated. The vocabulary doubles when it is learned: all of it at once, or
    long sequences first, teach nothing in a million tokens."""

    def __init__(self, vocabulary, tokens, seed):
        self.vocabulary, self.rows, self.seed = vocabulary, max(1, tokens // COPY_LENGTH), seed
        first = torch.Generator().manual_seed(seed)
        self.order = torch.randperm(vocabulary - 3, generator=first) + 3
        self.known = min(VOCABULARY_FIRST, len(self.order))
        self.step, self.grown, self.losses = 0, 0, []
        self.done = False

    def next(self, rank, workers):
        rng = torch.Generator().manual_seed(self.seed * 1_000_003 + self.step * workers + rank)
        self.step += 1
        ids = torch.zeros(self.rows, COPY_LENGTH, dtype=torch.int64)
        weights = torch.zeros(self.rows, COPY_LENGTH)
        for row in range(self.rows):
            period = int(torch.randint(COPY_PERIODS[0], COPY_PERIODS[1] + 1, (1,), generator=rng))
            segment = self.order[torch.randint(0, self.known, (period,), generator=rng)]
            ids[row] = segment.repeat(COPY_LENGTH // period + 1)[:COPY_LENGTH]
            weights[row, period + 1:] = 1.0
        return ids, weights

    def learned(self, loss):
        """Takes the step's loss; says whether the vocabulary grew."""
        self.losses = (self.losses + [loss])[-LOSSES_KEPT:]
        mean = sum(self.losses) / len(self.losses)
        if self.step - self.grown <= GROW_STEPS_MIN or len(self.losses) < LOSSES_KEPT:
            return False
        if self.known == len(self.order):
            self.done = mean < DONE_BELOW
            return False
        if mean >= GROW_BELOW:
            return False
        self.known = min(len(self.order), 2 * self.known)
        self.grown = self.step
        return True

    def state(self):
        return {"known": self.known, "step": self.step, "grown": self.grown,
                "losses": self.losses, "done": self.done}

    def load(self, state):
        for key, value in state.items():
            setattr(self, key, value)
