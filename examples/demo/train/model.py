"""DeepSeek-V4 in torch, for training: whole sequences, every part of the architecture.

Written from the specification that the engine follows; tests/demo/model_test.py holds it to the
same golden vectors. The parts, in the order of a layer: hyper-connections (four residual streams,
mixed by a doubly stochastic matrix that Sinkhorn's iterations make), attention with one latent per
token that is key and value of all heads, seen through a window and through compressed entries
(ratio 4: overlapping ones, chosen by an indexer; other ratios: all of them), sinks, experts of
which some layers choose theirs by the token's id, and a block that predicts the token after the
next.

What differs from the engine is only how it is computed: all experts in one product, with weight
zero for those that a token did not choose, since at this size gathering costs more.
"""
import dataclasses
import json
import math
import os

import torch
from torch import nn
from torch.nn import functional

import kernels

CSA_RATIO = 4  # of the layers whose entries overlap and are chosen by an indexer


@dataclasses.dataclass
class Config:
    """config.json in the official file's words. The defaults are the demo's: what fits into 12 MB
    with sizes that are multiples of the engine's blocks (128, and 64 below the rope)."""
    vocab_size: int = 1536
    hidden_size: int = 256
    num_hidden_layers: int = 5
    num_hash_layers: int = 1
    num_nextn_predict_layers: int = 1
    num_attention_heads: int = 4
    head_dim: int = 128
    qk_rope_head_dim: int = 64
    q_lora_rank: int = 128
    o_groups: int = 2
    o_lora_rank: int = 64
    sliding_window: int = 1024
    compress_ratios: tuple = (0, 4, 32, 4, 32, 0)
    compress_rope_theta: float = 160000.0
    rope_theta: float = 10000.0
    rope_factor: float = 16.0
    rope_original: int = 65536
    rope_beta_fast: float = 32.0
    rope_beta_slow: float = 1.0
    index_n_heads: int = 2
    index_head_dim: int = 64
    index_topk: int = 1024
    n_routed_experts: int = 3
    num_experts_per_tok: int = 2
    moe_intermediate_size: int = 128
    routed_scaling_factor: float = 1.5
    swiglu_limit: float = 10.0
    hc_mult: int = 4
    hc_sinkhorn_iters: int = 20
    hc_eps: float = 1e-6
    rms_norm_eps: float = 1e-6

    @staticmethod
    def load(folder):
        with open(os.path.join(folder, "config.json"), encoding="utf-8") as file:
            read = json.load(file)
        known = {field.name for field in dataclasses.fields(Config)}
        values = {key: value for key, value in read.items() if key in known}
        values["compress_ratios"] = tuple(read["compress_ratios"])
        scaling = read.get("rope_scaling")
        values["rope_original"] = scaling["original_max_position_embeddings"] if scaling else 0
        if scaling:
            values.update(rope_factor=scaling["factor"], rope_beta_fast=scaling["beta_fast"],
                          rope_beta_slow=scaling["beta_slow"])
        return Config(**values)


def rms(x, weight, eps):
    """Root mean square norm over the last dimension, in fp32."""
    x = x.float()
    x = x * torch.rsqrt(x.square().mean(-1, keepdim=True) + eps)
    return x if weight is None else x * weight


def rope_frequencies(config, compressed):
    """One a pair of dims (specification 2.5); layers with compressed entries are stretched."""
    dims = config.qk_rope_head_dim
    base = config.compress_rope_theta if compressed else config.rope_theta
    pairs = torch.arange(0, dims, 2, dtype=torch.float64) / dims
    frequencies = (1.0 / (base ** pairs).float()).float()
    if not compressed or config.rope_original == 0:
        return frequencies

    def dim_of(rotations):
        return (dims * math.log(config.rope_original / (rotations * 2 * math.pi))
                / (2 * math.log(base)))

    low = max(math.floor(dim_of(config.rope_beta_fast)), 0)
    high = min(math.ceil(dim_of(config.rope_beta_slow)), dims - 1)
    ramp = (torch.arange(dims // 2, dtype=torch.float32) - low) / (
        high - low if high != low else 0.001)
    ramp = ramp.clamp(0, 1)
    return frequencies / config.rope_factor * ramp + frequencies * (1 - ramp)


def rotate(x, table, inverse=False):
    """Rotates the last dims of each vector; pairs are neighbours. `table` is (cos, sin), which
    broadcasts against x without its last dimension."""
    cos, sin = table
    if inverse:
        sin = -sin
    dims = 2 * cos.shape[-1]
    turned = x[..., -dims:]
    even, odd = turned[..., 0::2], turned[..., 1::2]
    out = torch.stack((even * cos - odd * sin, even * sin + odd * cos), -1).flatten(-2)
    return torch.cat((x[..., :-dims], out), -1)


class Linear(nn.Module):
    """y = W x without bias. The product is computed in `products`, all else in fp32."""

    products = torch.float32

    def __init__(self, inputs, outputs, gain=1.0):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) * gain * inputs ** -0.5)

    def forward(self, x):
        return product(x, self.weight)


def product(x, weight):
    return narrow_product(x, weight).float()


def narrow_product(x, weight):
    kind = Linear.products
    return functional.linear(x.to(kind), weight.to(kind))


def fused(x):
    """Whether the kernels take over: they are written for BF16 products."""
    return Linear.products == torch.bfloat16 and kernels.ready(x)


class Norm(nn.Module):
    def __init__(self, size, eps):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x):
        return rms(x, self.weight, self.eps)


class Tables:
    """What depends on positions alone: rotations and who sees whom, kept by length."""

    LENGTHS_MAX = 64

    def __init__(self, config):
        self.config = config
        self.frequencies = {kind: rope_frequencies(config, kind) for kind in (False, True)}
        self.kept = {}

    def of(self, length, ratio, device):
        key = (length, ratio, str(device))
        if key not in self.kept:
            if len(self.kept) >= self.LENGTHS_MAX:
                self.kept.clear()
            self.kept[key] = self.make(length, ratio, device)
        return self.kept[key]

    def make(self, length, ratio, device):
        positions = torch.arange(length)
        angles = positions.float()[:, None] * self.frequencies[ratio > 0][None]
        exact = angles.double()  # of angles in fp32: so are the engine's
        rotation = (exact.cos().float().to(device), exact.sin().float().to(device))
        behind = positions[:, None] - positions[None]
        seen = (behind >= 0) & (behind < self.config.sliding_window)
        if ratio:
            entries = torch.arange(length // ratio)
            closed = (entries[None] + 1) * ratio <= positions[:, None] + 1
            seen = torch.cat((seen, closed), 1)
        bias = torch.zeros(seen.shape).masked_fill(~seen, -math.inf)
        return rotation, bias.to(device)


class Compressor(nn.Module):
    """Entries that stand for `ratio` tokens each (2.6.1), rotated to their first token."""

    def __init__(self, config, ratio, dim):
        super().__init__()
        self.ratio, self.dim = ratio, dim
        self.halves = 2 if ratio == CSA_RATIO else 1
        columns = self.halves * dim
        self.wkv = Linear(config.hidden_size, columns)
        self.wgate = Linear(config.hidden_size, columns)
        self.ape = nn.Parameter(torch.zeros(ratio, columns))
        self.norm = Norm(dim, config.rms_norm_eps)

    def forward(self, u, rotation):
        batch, length = u.shape[:2]
        blocks = length // self.ratio
        used = u[:, :blocks * self.ratio]
        values = self.wkv(used).view(batch, blocks, self.ratio, -1)
        gates = self.wgate(used).view(batch, blocks, self.ratio, -1) + self.ape
        if self.halves == 2:  # the block before, in the first half of the columns
            values = self.with_previous(values, 0.0)
            gates = self.with_previous(gates, -math.inf)
        entries = self.norm((values * torch.softmax(gates, 2)).sum(2))
        cos, sin = (table[0:blocks * self.ratio:self.ratio] for table in rotation)
        return rotate(entries, (cos, sin))

    def with_previous(self, x, empty):
        first, second = x[..., :self.dim], x[..., self.dim:]
        before = functional.pad(first[:, :-1], (0, 0, 0, 0, 1, 0), value=empty)
        return torch.cat((before, second), 2)


class Indexer(nn.Module):
    """Which entries a query sees (2.6.2). Hadamard's rotation cancels where nothing is quantised,
    so it is left out here. Choosing has no gradient: while all entries are kept, nothing runs."""

    def __init__(self, config):
        super().__init__()
        self.heads, self.dim, self.top = (config.index_n_heads, config.index_head_dim,
                                          config.index_topk)
        self.wq_b = Linear(config.q_lora_rank, self.heads * self.dim)
        self.weights_proj = Linear(config.hidden_size, self.heads)
        self.compressor = Compressor(config, CSA_RATIO, self.dim)

    @torch.no_grad()
    def forward(self, u, latent, rotation, bias):
        """The bias of the entries, with those that are not chosen hidden."""
        if bias.shape[1] <= self.top:
            return bias
        batch, length = u.shape[:2]
        queries = self.wq_b(latent).view(batch, length, self.heads, self.dim)
        queries = rotate(queries, tuple(table[:, None] for table in rotation))
        keys = self.compressor(u, rotation)
        weights = self.weights_proj(u) * (self.dim * self.heads) ** -0.5
        scores = torch.relu(torch.einsum("bthc,bnc->bthn", queries, keys))
        scores = (scores * weights[..., None]).sum(2) + bias
        chosen = scores.topk(self.top, -1).indices
        hidden = torch.full_like(scores, -math.inf).scatter(-1, chosen, 0.0)
        return hidden + bias


class Attention(nn.Module):
    def __init__(self, config, ratio):
        super().__init__()
        self.config, self.ratio = config, ratio
        heads, dim = config.num_attention_heads, config.head_dim
        self.wq_a = Linear(config.hidden_size, config.q_lora_rank)
        self.q_norm = Norm(config.q_lora_rank, config.rms_norm_eps)
        self.wq_b = Linear(config.q_lora_rank, heads * dim)
        self.wkv = Linear(config.hidden_size, dim)
        self.kv_norm = Norm(dim, config.rms_norm_eps)
        self.attn_sink = nn.Parameter(torch.zeros(heads))
        self.wo_a = Linear(heads * dim // config.o_groups, config.o_groups * config.o_lora_rank)
        self.wo_b = Linear(config.o_groups * config.o_lora_rank, config.hidden_size, gain=0.5)
        if ratio:
            self.compressor = Compressor(config, ratio, dim)
        if ratio == CSA_RATIO:
            self.indexer = Indexer(config)

    def forward(self, u, tables):
        config = self.config
        batch, length = u.shape[:2]
        heads, dim = config.num_attention_heads, config.head_dim
        rotation, bias = tables.of(length, self.ratio, u.device)
        latent = self.q_norm(self.wq_a(u))
        queries = rms(self.wq_b(latent).view(batch, length, heads, dim), None, config.rms_norm_eps)
        queries = rotate(queries, tuple(table[:, None] for table in rotation)).transpose(1, 2)
        keys = rotate(self.kv_norm(self.wkv(u)), rotation)
        bias = bias[None]
        entries = length // self.ratio if self.ratio else 0
        chooses = self.ratio == CSA_RATIO and entries > config.index_topk
        if entries:
            keys = torch.cat((keys, self.compressor(u, rotation)), 1)
            if chooses:
                entries = self.indexer(u, latent, rotation, bias[0, :, length:])
                entries = entries if entries.dim() == 3 else entries[None]
                window = bias[:, :, :length].expand(entries.shape[0], -1, -1)
                bias = torch.cat((window, entries), -1)
        if fused(u) and not chooses:
            out = kernels.attend(queries, keys, self.attn_sink, config.sliding_window, self.ratio)
        else:
            out = self.attend(queries, keys, bias)
        out = rotate(out, rotation, inverse=True).transpose(1, 2)
        groups = out.reshape(batch, length, config.o_groups, -1)
        weight = self.wo_a.weight.view(config.o_groups, config.o_lora_rank, -1)
        kind = Linear.products
        low = torch.einsum("btgi,gri->btgr", groups.to(kind), weight.to(kind))
        return self.wo_b(low.reshape(batch, length, -1))

    def attend(self, queries, keys, bias):
        """[B, H, T, D]. The sink takes its share of the weights and gives nothing for it."""
        batch, heads, length, dim = queries.shape
        kind = Linear.products
        flat = queries.reshape(batch, heads * length, dim).to(kind)
        scores = torch.bmm(flat, keys.to(kind).transpose(1, 2)).float() * dim ** -0.5
        scores = scores.view(batch, heads, length, -1) + bias[:, None]
        share = torch.sigmoid(torch.logsumexp(scores, -1) - self.attn_sink[:, None])
        weights = torch.softmax(scores, -1).view(batch, heads * length, -1)
        out = torch.bmm(weights.to(kind), keys.to(kind)).float()
        return out.view(batch, heads, length, dim) * share[..., None]


class Experts(nn.Module):
    """The mixture of experts (2.7). Stacked: experts.E.w1 and w3 are `up`, w2 is `down`."""

    def __init__(self, config, layer):
        super().__init__()
        self.config = config
        count, size, inner = (config.n_routed_experts, config.hidden_size,
                              config.moe_intermediate_size)
        self.by_hash = layer < config.num_hash_layers
        self.gate = nn.Module()
        self.gate.weight = nn.Parameter(torch.randn(count, size) * size ** -0.5)
        if self.by_hash:
            self.gate.register_buffer("tid2eid", hash_table(config))
        else:
            self.gate.register_buffer("bias", torch.zeros(count))
        # The shared expert is the last; all see each token.
        self.w1 = nn.Parameter(torch.randn(count + 1, inner, size) * size ** -0.5)
        self.w3 = nn.Parameter(torch.randn(count + 1, inner, size) * size ** -0.5)
        self.w2 = nn.Parameter(torch.randn(count + 1, size, inner) * 0.5 * inner ** -0.5)
        self.load = None  # how many tokens chose each expert in the last training step

    def route(self, u, ids):
        """[N, E + 1]: the weight of each expert, zero for those that are not chosen."""
        config = self.config
        scores = functional.softplus(functional.linear(u, self.gate.weight)).clamp_min(1e-20).sqrt()
        if self.by_hash:
            chosen = self.gate.tid2eid[ids]
        else:
            chosen = (scores + self.gate.bias).topk(config.num_experts_per_tok, -1).indices
        mask = torch.zeros_like(scores).scatter(1, chosen, 1.0)
        if self.training and not self.by_hash:
            self.load = mask.sum(0).detach()
        weights = scores * mask
        weights = weights / weights.sum(-1, keepdim=True) * config.routed_scaling_factor
        return torch.cat((weights, torch.ones_like(weights[:, :1])), 1)

    def forward(self, u, ids):
        shape = u.shape
        u = u.reshape(-1, shape[-1])
        weights = self.route(u, ids.reshape(-1))
        count, inner = self.w1.shape[:2]
        down = self.w2.permute(1, 0, 2).flatten(1)
        limit = self.config.swiglu_limit
        if fused(u) and limit:
            gate = narrow_product(u, self.w1.flatten(0, 1))
            up = narrow_product(u, self.w3.flatten(0, 1))
            return product(kernels.activation(gate, up, weights, float(limit)), down).view(shape)
        gate = product(u, self.w1.flatten(0, 1))
        up = product(u, self.w3.flatten(0, 1))
        if limit:
            gate, up = gate.clamp(max=limit), up.clamp(-limit, limit)
        mixed = functional.silu(gate) * up
        mixed = (mixed.view(-1, count, inner) * weights[..., None]).flatten(1)
        return product(mixed, down).view(shape)


def hash_table(config):
    """For each token id its experts: all pairs equally often, in an order that looks random."""
    rng = torch.Generator().manual_seed(1)
    rows = [torch.randperm(config.n_routed_experts, generator=rng)[:config.num_experts_per_tok]
            for _ in range(config.vocab_size)]
    return torch.stack(rows)


def hyper_connection(module, name, config):
    """Registers fn, base and scale. At first the streams are read as their mean, written alike and
    kept nearly apart; fn is zero, so that all tokens begin alike."""
    count = config.hc_mult
    base = torch.zeros((2 + count) * count)
    base[:count] = -math.log(count - 1)
    base[2 * count:] = 3 * torch.eye(count).flatten()
    module.register_parameter(name + "_fn", nn.Parameter(
        torch.zeros((2 + count) * count, count * config.hidden_size)))
    module.register_parameter(name + "_base", nn.Parameter(base))
    module.register_parameter(name + "_scale", nn.Parameter(torch.ones(3)))


def stream_maps(streams, fn, base, scale, config):
    """pre [.., hc], post [.., hc] and comb [.., source, destination] of 2.2."""
    count = config.hc_mult
    flat = streams.flatten(-2)
    inverse = torch.rsqrt(flat.square().mean(-1, keepdim=True) + config.rms_norm_eps)
    mix = functional.linear(flat, fn) * inverse
    pre = torch.sigmoid(mix[..., :count] * scale[0] + base[:count]) + config.hc_eps
    post = 2 * torch.sigmoid(mix[..., count:2 * count] * scale[1] + base[count:2 * count])
    comb = (mix[..., 2 * count:] * scale[2] + base[2 * count:]).unflatten(-1, (count, count))
    return pre, post, sinkhorn(comb, config)


def sinkhorn(comb, config):
    comb = torch.softmax(comb, -1) + config.hc_eps
    comb = comb / (comb.sum(-2, keepdim=True) + config.hc_eps)
    for _ in range(config.hc_sinkhorn_iters - 1):
        comb = comb / (comb.sum(-1, keepdim=True) + config.hc_eps)
        comb = comb / (comb.sum(-2, keepdim=True) + config.hc_eps)
    return comb


class Layer(nn.Module):
    def __init__(self, config, layer):
        super().__init__()
        self.config = config
        hyper_connection(self, "hc_attn", config)
        self.attn_norm = Norm(config.hidden_size, config.rms_norm_eps)
        self.attn = Attention(config, config.compress_ratios[layer])
        hyper_connection(self, "hc_ffn", config)
        self.ffn_norm = Norm(config.hidden_size, config.rms_norm_eps)
        self.ffn = Experts(config, layer)

    def through(self, streams, name, norm, block):
        """One block between its read and its write of the streams (2.2, 2.3)."""
        fn, base, scale = (getattr(self, name + part) for part in ("_fn", "_base", "_scale"))
        if fused(streams) and self.config.hc_mult == 4:
            return self.through_kernels(streams, (fn, base, scale), norm, block)
        pre, post, comb = stream_maps(streams, fn, base, scale, self.config)
        out = block(norm((pre[..., None] * streams).sum(-2)))
        kept = torch.matmul(comb.transpose(-1, -2), streams)
        return kept + post[..., None] * out[..., None, :]

    def through_kernels(self, streams, parameters, norm, block):
        shape = streams.shape
        flat = streams.reshape(-1, *shape[-2:])
        settings = (self.config.hc_sinkhorn_iters, self.config.hc_eps, self.config.rms_norm_eps)
        pre, post, comb = kernels.maps(flat, *parameters, settings)
        out = block(kernels.read(flat, pre, norm.weight, norm.eps).view(*shape[:-2], shape[-1]))
        return kernels.write(flat, out.reshape(-1, shape[-1]), post, comb).view(shape)

    def forward(self, streams, ids, tables):
        streams = self.through(streams, "hc_attn", self.attn_norm, lambda u: self.attn(u, tables))
        return self.through(streams, "hc_ffn", self.ffn_norm, lambda u: self.ffn(u, ids))


def head_parameters(module, config):
    count = config.hc_mult
    module.hc_head_fn = nn.Parameter(torch.zeros(count, count * config.hidden_size))
    module.hc_head_base = nn.Parameter(torch.full((count,), -math.log(count - 1.0)))
    module.hc_head_scale = nn.Parameter(torch.ones(1))
    module.norm = Norm(config.hidden_size, config.rms_norm_eps)


def collapse(module, streams, config):
    """The streams as one normed vector, before the head (2.8)."""
    flat = streams.flatten(-2)
    inverse = torch.rsqrt(flat.square().mean(-1, keepdim=True) + config.rms_norm_eps)
    mix = functional.linear(flat, module.hc_head_fn) * inverse
    pre = torch.sigmoid(mix * module.hc_head_scale + module.hc_head_base) + config.hc_eps
    return module.norm((pre[..., None] * streams).sum(-2))


class NextBlock(Layer):
    """Predicts the token after the next (2.9)."""

    def __init__(self, config):
        super().__init__(config, config.num_hidden_layers)
        size = config.hidden_size
        self.e_proj, self.h_proj = Linear(size, size), Linear(size, size)
        self.enorm = Norm(size, config.rms_norm_eps)
        self.hnorm = Norm(size, config.rms_norm_eps)
        head_parameters(self, config)

    def ahead(self, streams, embedded, ids, tables):
        """Streams of positions 0..n-1 and the tokens at 1..n: normed vectors for the head."""
        entered = self.e_proj(self.enorm(embedded))[..., None, :] + self.h_proj(self.hnorm(streams))
        return collapse(self, self(entered, ids, tables), self.config)


class Model(nn.Module):
    EMBEDDING_GAIN = 1.0
    HEAD_GAIN = 0.03  # the head begins as a weak echo of the embedding, which helps copying

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.embed = nn.Module()
        self.embed.weight = nn.Parameter(
            torch.randn(config.vocab_size, config.hidden_size) * self.EMBEDDING_GAIN)
        self.layers = nn.ModuleList(Layer(config, i) for i in range(config.num_hidden_layers))
        head_parameters(self, config)
        self.head = Linear(config.hidden_size, config.vocab_size)
        with torch.no_grad():
            self.head.weight.copy_(self.HEAD_GAIN * self.embed.weight)
        self.mtp = nn.ModuleList(NextBlock(config) for _ in range(config.num_nextn_predict_layers))
        self.tables = Tables(config)

    def hidden(self, ids):
        """[B, T] ids to the streams after the last layer, [B, T, hc, d]."""
        embedded = functional.embedding(ids, self.embed.weight)
        streams = embedded[..., None, :].expand(-1, -1, self.config.hc_mult, -1)
        for layer in self.layers:
            streams = layer(streams, ids, self.tables)
        return streams

    def forward(self, ids, looks_ahead=True):
        """Normed vectors for the head: at [b, t] for token t + 1, and, of the second result, for
        token t + 2 (one position fewer; None without the block, or where it is not wanted)."""
        streams = self.hidden(ids)
        ahead = None
        if looks_ahead and len(self.mtp) and ids.shape[1] > 1:
            embedded = functional.embedding(ids[:, 1:], self.embed.weight)
            ahead = self.mtp[0].ahead(streams[:, :-1], embedded, ids[:, 1:], self.tables)
        return collapse(self, streams, self.config), ahead

    def logits(self, vectors):
        return self.head(vectors)

    @torch.no_grad()
    def balance(self, rate):
        """Moves each router's bias towards equal loads; what they chose is the last step's."""
        for module in self.modules():
            if isinstance(module, Experts) and module.load is not None:
                module.gate.bias += rate * torch.sign(module.load.mean() - module.load)
                module.load = None


EXPERT_WEIGHTS = ("w1", "w2", "w3")


def official_tensors(model):
    """Every tensor under the name that it has in an official checkpoint."""
    out = {}
    for name, tensor in model.state_dict().items():
        owner, _, last = name.rpartition(".")
        if owner.endswith("ffn") and last in EXPERT_WEIGHTS:
            for place in range(tensor.shape[0] - 1):
                out["%s.experts.%d.%s.weight" % (owner, place, last)] = tensor[place]
            out["%s.shared_experts.%s.weight" % (owner, last)] = tensor[-1]
        else:
            out[name] = tensor
    return out


@torch.no_grad()
def load_official(model, tensors):
    """Takes all of the model's tensors from a checkpoint's, which must be there."""
    for name, target in official_tensors(model).items():
        if name not in tensors:
            raise KeyError("the checkpoint has no tensor %s" % name)
        target.copy_(tensors[name].view(target.shape))
