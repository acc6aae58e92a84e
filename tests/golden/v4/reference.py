"""The forward pass of DeepSeek-V4, written down as plainly as the specification says it.

An independent reference for tiny models: Python's standard library only, no code and no idea taken from the engine.
The numbers in comments are the sections of the specification that the golden vectors under $FATHOM_VECTORS/v4 follow.
One token at a time, fp64 arithmetic; fp32 rounding only where the result hangs on it: rope frequencies and angles,
quantisation scales and the values to be quantised.

Mode f32 computes with the dequantised weights and no rounding of activations. Mode q adds the simulated
quantisation of section 4.1: FP8 inputs of the FP8 and FP4 linears, FP8 latents, FP4 indexer queries and keys.
"""

import json
import math
import os
import random
import struct
from array import array
from operator import mul

# ------------------------------------------------------------------------------------------------ numbers (4.1, 5.1)


def f32(x):
    """x rounded to the nearest fp32."""
    return struct.unpack("<f", struct.pack("<f", x))[0]


def f32s(xs):
    return list(array("f", xs))


def split_exponent(x):
    """e with 2^e <= x < 2^(e+1), for x > 0."""
    return math.frexp(x)[1] - 1


def round_small_float(x, mantissa_bits, min_exponent, top):
    """x rounded to a small float format, to nearest even, saturating; and its distance to the next rounding edge."""
    x = max(-top, min(top, x))
    step = 2.0 ** (max(split_exponent(abs(x)) if x else min_exponent, min_exponent) - mantissa_bits)
    steps = x / step
    return round(steps) * step, abs(steps - math.floor(steps) - 0.5) * step


def round_e4m3(x):
    return round_small_float(x, 3, -6, 448.0)


def round_e2m1(x):
    return round_small_float(x, 1, 0, 6.0)


def simulate(xs, block, rounding, top, least, margins):
    """Quantises blocks of xs with one power-of-two scale each and returns the values the codes stand for.

    Notes in margins how far each value could move, relative to itself, before its code changes.
    """
    xs, out, inverse = f32s(xs), [], f32(1.0 / top)
    for at in range(0, len(xs), block):
        part = xs[at:at + block]
        amax = max(max(map(abs, part)), least)
        ratio = f32(amax * inverse)
        mantissa, exponent = math.frexp(ratio)  # 0.5 <= mantissa < 1
        scale = 2.0 ** (exponent - 1 if mantissa == 0.5 else exponent)
        for x in part:
            value, edge = rounding(x / scale)
            out.append(value * scale)
            if x != 0.0:
                margins.append(edge * scale / abs(x))
    return out


def fp8_quant(xs, block, margins):
    return simulate(xs, block, round_e4m3, 448.0, f32(1e-4), margins)


def fp4_quant(xs, margins):
    return simulate(xs, 32, round_e2m1, 6.0, 6 * 2.0 ** -126, margins)


def e4m3_value(code):
    sign, exponent, mantissa = (-1.0 if code & 0x80 else 1.0), (code >> 3) & 15, code & 7
    return sign * (mantissa * 2.0 ** -9 if exponent == 0 else (8 + mantissa) * 2.0 ** (exponent - 10))


E4M3 = [e4m3_value(code) for code in range(256)]  # 0x7f and 0xff are NaN in the format and never written here
E2M1 = [sign * v for sign in (1.0, -1.0) for v in (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)]

# ------------------------------------------------------------------------------------------------ safetensors (5.1)

WIDTH = {"I64": 8, "F32": 4, "I32": 4, "BF16": 2, "F8_E4M3": 1, "F8_E8M0": 1, "I8": 1}
ARRAY = {"I64": "q", "F32": "f", "I32": "i", "BF16": "H", "F8_E4M3": "B", "F8_E8M0": "B", "I8": "B"}


def read_safetensors(path):
    """name -> (dtype, shape, array of the stored elements)"""
    with open(path, "rb") as file:
        data = file.read()
    (length,) = struct.unpack_from("<Q", data)
    tensors = {}
    for name, info in json.loads(data[8:8 + length]).items():
        if name != "__metadata__":
            begin, end = info["data_offsets"]
            values = array(ARRAY[info["dtype"]], data[8 + length + begin:8 + length + end])
            tensors[name] = (info["dtype"], info["shape"], values)
    return tensors


def write_safetensors(path, tensors):
    header, at = {}, 0
    order = sorted(tensors, key=lambda name: (-WIDTH[tensors[name][0]], name))
    for name in order:
        dtype, shape, values = tensors[name]
        assert len(values) == math.prod(shape), name
        size = len(values) * WIDTH[dtype]
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name in order:
            file.write(tensors[name][2].tobytes())


def rows_of(values, width):
    return [list(values[at:at + width]) for at in range(0, len(values), width)]


def load_weights(directory):
    """name without .weight -> list (1-d) or list of rows (2-d) of numbers, every scale applied"""
    with open(os.path.join(directory, "model.safetensors.index.json")) as file:
        index = json.load(file)["weight_map"]
    shards = {name: read_safetensors(os.path.join(directory, name)) for name in sorted(set(index.values()))}
    stored = {name: shards[shard][name] for name, shard in index.items()}
    weights = {}
    for name, (dtype, shape, values) in stored.items():
        if name.endswith(".scale"):
            continue
        if dtype == "BF16":
            values = array("f", array("I", [v << 16 for v in values]).tobytes())
        base = name.removesuffix(".weight")
        if dtype == "F8_E4M3":
            scale = rows_of(stored[base + ".scale"][2], -(-shape[1] // 128))
            rows = [[E4M3[code] * 2.0 ** (scale[o // 128][i // 128] - 127) for i, code in enumerate(row)]
                    for o, row in enumerate(rows_of(values, shape[1]))]
        elif dtype == "I8":
            scale = rows_of(stored[base + ".scale"][2], shape[1] // 16)
            rows = [[E2M1[code] * 2.0 ** (scale[o][j // 16] - 127) for j, two in enumerate(row)
                     for code in (two & 15, two >> 4)] for o, row in enumerate(rows_of(values, shape[1]))]
        else:
            rows = rows_of(values, shape[1]) if len(shape) == 2 else list(values)
        weights[base] = rows
    return weights

# ------------------------------------------------------------------------------------------------ forward pass (2)


def sigmoid(x):
    return 1.0 / (1.0 + math.exp(-x))


def rms(x, weight, eps):
    r = 1.0 / math.sqrt(sum(map(mul, x, x)) / len(x) + eps)
    return [v * r for v in x] if weight is None else [w * v * r for w, v in zip(weight, x)]


def add(a, b):
    return [x + y for x, y in zip(a, b)]


def mix_rows(weights, rows):
    """sum over rows of weight * row"""
    return [sum(map(mul, weights, column)) for column in zip(*rows)]


def sinkhorn(matrix, iterations, eps):
    """2.2 step 7"""
    out = []
    for row in matrix:
        e = [math.exp(x - max(row)) for x in row]
        out.append([x / sum(e) + eps for x in e])
    for step in range(iterations):
        if step > 0:
            out = [[x / (sum(row) + eps) for x in row] for row in out]
        sums = [sum(column) + eps for column in zip(*out)]
        out = [[x / s for x, s in zip(row, sums)] for row in out]
    return out


def rope_frequencies(config, compressed):
    """2.5: the frequency of every pair, every step rounded to fp32."""
    rope, scaling = config["qk_rope_head_dim"], config["rope_scaling"]
    base = config["compress_rope_theta"] if compressed else config["rope_theta"]
    frequencies = [f32(1.0 / f32(base ** (2 * k / rope))) for k in range(rope // 2)]
    length = scaling["original_max_position_embeddings"]
    if not compressed or length == 0:
        return frequencies

    def dimension(turns):
        return rope * math.log(length / (turns * 2 * math.pi)) / (2 * math.log(base))
    low = max(math.floor(dimension(scaling["beta_fast"])), 0)
    high = min(math.ceil(dimension(scaling["beta_slow"])), rope - 1)
    if low == high:
        high += 0.001
    out = []
    for k, f in enumerate(frequencies):
        ramp = min(max(f32((k - low) / f32(high - low)), 0.0), 1.0)
        out.append(f32(f32(f32(f / scaling["factor"]) * ramp) + f32(f * f32(1.0 - ramp))))
    return out


def rope(x, frequencies, position, inverse=False):
    """2.5: x with its last dims rotated, pairs interleaved."""
    out, at = list(x), len(x) - 2 * len(frequencies)
    for k, f in enumerate(frequencies):
        angle = f32(position * f)
        c, s = f32(math.cos(angle)), f32(math.sin(-angle if inverse else angle))
        x0, x1 = x[at + 2 * k], x[at + 2 * k + 1]
        out[at + 2 * k], out[at + 2 * k + 1] = x0 * c - x1 * s, x0 * s + x1 * c
    return out


def hadamard(x):
    """2.6.2: Sylvester order, orthonormal."""
    x, half = list(x), 1
    while half < len(x):
        for i in range(len(x)):
            if i & half == 0:
                x[i], x[i + half] = x[i] + x[i + half], x[i] - x[i + half]
        half *= 2
    return [v / math.sqrt(len(x)) for v in x]


def top_k(scores, k):
    """The k best indices, equal scores by lower index; and the gap to the first one left out."""
    order = sorted(range(len(scores)), key=lambda i: (-scores[i], i))
    gap = scores[order[k - 1]] - scores[order[k]] if k < len(scores) else math.inf
    return order[:k], gap


class Model:
    """One sequence through one model, token by token, so that the state is plain lists that only grow."""

    def __init__(self, config, weights, quantise, noise=0.0):
        self.config, self.weights, self.quantise, self.noise = config, weights, quantise, noise
        self.random = random.Random(1)
        self.eps = config["rms_norm_eps"]
        self.layers = config["num_hidden_layers"]
        self.frequencies = [rope_frequencies(config, compressed) for compressed in (False, True)]
        self.margins = {"idx": [], "gate": [], "quant": []}
        self.reset()

    def reset(self):
        self.state = [{"kv": [], "comp": [], "idx_k": [], "rows": [], "idx_rows": []} for _ in range(self.layers + 1)]
        self.trace = {}
        self.position = 0

    def record(self, name, value):
        self.trace.setdefault(name, []).append(value)
        return value

    def linear(self, name, x):
        y = [sum(map(mul, row, x)) for row in self.weights[name]]
        size = self.noise * (sum(map(mul, y, y)) / len(y)) ** 0.5
        return [v + size * self.random.uniform(-1, 1) for v in y] if self.noise else y

    def activation(self, x):
        """4.1: what an FP8 or FP4 linear sees of its input."""
        return fp8_quant(x, 128, self.margins["quant"]) if self.quantise else x

    def quantise_latent(self, x):
        """4.1: the window latent and the compressed entry, without their rope dims."""
        n = len(x) - self.config["qk_rope_head_dim"]
        return fp8_quant(x[:n], 64, self.margins["quant"]) + x[n:] if self.quantise else x

    def quantise_index(self, x):
        """2.6.2: Hadamard, then FP4."""
        x = hadamard(x)
        return fp4_quant(x, self.margins["quant"]) if self.quantise else x

    def hyper_read(self, prefix, name, streams):
        """2.2: sub-block input, post weights and comb."""
        hc, eps = self.config["hc_mult"], self.config["hc_eps"]
        base, scale = self.weights[f"{prefix}_base"], self.weights[f"{prefix}_scale"]
        v = sum(streams, [])
        r = 1.0 / math.sqrt(sum(map(mul, v, v)) / len(v) + self.eps)
        mix = [m * r for m in self.linear(f"{prefix}_fn", v)]
        pre = [sigmoid(mix[i] * scale[0] + base[i]) + eps for i in range(hc)]
        post = [2 * sigmoid(mix[hc + j] * scale[1] + base[hc + j]) for j in range(hc)]
        start = [[mix[at] * scale[2] + base[at] for at in range(2 * hc + i * hc, 2 * hc + (i + 1) * hc)]
                 for i in range(hc)]
        comb = sinkhorn(start, self.config["hc_sinkhorn_iters"], eps)
        self.record(f"{name}_post", post)
        self.record(f"{name}_comb", comb)
        return self.record(f"{name}_u", mix_rows(pre, streams)), post, comb

    def hyper_write(self, y, post, comb, streams):
        """2.3: comb[source][destination]"""
        return [add([post[j] * v for v in y], mix_rows([row[j] for row in comb], streams))
                for j in range(len(streams))]

    def compress(self, prefix, rows, u, p, ratio, dim, frequencies):
        """2.6.1: takes token p in; returns a new entry, not yet quantised, when p closes a block."""
        gate = add(self.linear(f"{prefix}.wgate", u), self.weights[f"{prefix}.ape"][p % ratio])
        rows.append((self.linear(f"{prefix}.wkv", u), gate))
        if (p + 1) % ratio != 0:
            return None
        first = p + 1 - ratio
        seen = rows[first:]
        if ratio == 4:
            seen = [(k[:dim], s[:dim]) for k, s in rows[max(first - 4, 0):first]] + [
                (k[dim:], s[dim:]) for k, s in seen]
        entry = []
        for i in range(dim):
            top = max(s[i] for _, s in seen)
            e = [math.exp(s[i] - top) for _, s in seen]
            entry.append(sum(w * k[i] for w, (k, _) in zip(e, seen)) / sum(e))
        return rope(rms(entry, self.weights[f"{prefix}.norm"], self.eps), frequencies, first)

    def choose_entries(self, prefix, name, state, u, qr, p, frequencies):
        """2.6.2: the indexer."""
        heads, dim = self.config["index_n_heads"], self.config["index_head_dim"]
        key = self.compress(f"{prefix}.compressor", state["idx_rows"], u, p, 4, dim, frequencies)
        if key is not None:
            state["idx_k"].append(self.record(f"{name}.idx_k", self.quantise_index(key)))
        flat = self.linear(f"{prefix}.wq_b", self.activation(qr))
        q = [self.quantise_index(rope(head, frequencies, p)) for head in rows_of(flat, dim)]
        w = [v * dim ** -0.5 * heads ** -0.5 for v in self.linear(f"{prefix}.weights_proj", u)]
        scores = [sum(w[h] * max(sum(map(mul, q[h], k)), 0.0) for h in range(heads)) for k in state["idx_k"]]
        chosen, gap = top_k(scores, min(self.config["index_topk"], len(scores)))
        self.margins["idx"].append(gap)
        self.record(f"{name}.idx_q", q)
        self.record(f"{name}.idx_w", w)
        self.record(f"{name}.idx_score", scores)
        return self.record(f"{name}.idx_topk", chosen)

    def attention(self, i, u, p):
        """2.6"""
        config, state, name = self.config, self.state[i], f"L{i}"
        prefix = self.block(i) + ".attn"
        ratio, dim = config["compress_ratios"][i], config["head_dim"]
        frequencies = self.frequencies[ratio > 0]
        au = self.activation(u)
        qr = self.record(f"{name}.qr", rms(self.linear(f"{prefix}.wq_a", au), self.weights[f"{prefix}.q_norm"],
                                           self.eps))
        flat = self.linear(f"{prefix}.wq_b", self.activation(qr))
        q = self.record(f"{name}.q", [rope(rms(h, None, self.eps), frequencies, p) for h in rows_of(flat, dim)])
        kv = rms(self.linear(f"{prefix}.wkv", au), self.weights[f"{prefix}.kv_norm"], self.eps)
        kv = self.record(f"{name}.kv", self.quantise_latent(rope(kv, frequencies, p)))
        state["kv"].append(kv)
        if ratio > 0:
            entry = self.compress(f"{prefix}.compressor", state["rows"], u, p, ratio, dim, frequencies)
            if entry is not None:
                state["comp"].append(self.record(f"{name}.comp", self.quantise_latent(entry)))
        visible = state["kv"][max(0, p - config["sliding_window"] + 1):p + 1]
        if ratio == 4:
            chosen = self.choose_entries(f"{prefix}.indexer", name, state, u, qr, p, frequencies)
            visible = visible + [state["comp"][b] for b in chosen]
        else:
            visible = visible + state["comp"]
        o = []
        for head, sink in zip(q, self.weights[f"{prefix}.attn_sink"]):
            s = [sum(map(mul, head, kv)) * dim ** -0.5 for kv in visible]
            top = max(max(s), sink)
            e = [math.exp(x - top) for x in s]
            total = sum(e) + math.exp(sink - top)
            o.append(mix_rows([x / total for x in e], visible))
        self.record(f"{name}.o_pre", o)
        o = self.record(f"{name}.o", [rope(h, frequencies, p, inverse=True) for h in o])
        return self.record(f"{name}.attn_out", self.project_output(prefix, name, sum(o, [])))

    def project_output(self, prefix, name, heads):
        """2.6 step 7: consecutive groups of heads, each with its own rows of wo_a."""
        groups, rank, wo_a = self.config["o_groups"], self.config["o_lora_rank"], self.weights[f"{prefix}.wo_a"]
        z = []
        for g, part in enumerate(rows_of(heads, len(heads) // groups)):
            z += [sum(map(mul, row, part)) for row in wo_a[g * rank:(g + 1) * rank]]
        self.record(f"{name}.wo_a", z)
        return self.linear(f"{prefix}.wo_b", self.activation(z))

    def expert(self, prefix, au, weight):
        """2.7 step 4; the routing weight goes in before w2."""
        limit = self.config["swiglu_limit"]
        z = []
        for a, b in zip(self.linear(f"{prefix}.w1", au), self.linear(f"{prefix}.w3", au)):
            if limit > 0:
                a, b = min(a, limit), max(-limit, min(limit, b))
            z.append(weight * a * sigmoid(a) * b)
        return self.linear(f"{prefix}.w2", self.activation(z))

    def moe(self, i, u, token):
        """2.7"""
        config, name, prefix = self.config, f"L{i}", self.block(i) + ".ffn"
        k = config["num_experts_per_tok"]
        logits = self.linear(f"{prefix}.gate", u)
        s = self.record(f"{name}.gate_s", [math.sqrt(x if x > 20 else math.log1p(math.exp(x))) for x in logits])
        if i < config["num_hash_layers"]:
            chosen = self.weights[f"{prefix}.gate.tid2eid"][token]
        else:
            chosen, gap = top_k(add(s, self.weights[f"{prefix}.gate.bias"]), k)
            self.margins["gate"].append(gap)
        total = sum(s[e] for e in chosen)
        g = [s[e] / total * config["routed_scaling_factor"] for e in chosen]
        self.record(f"{name}.gate_ids", chosen)
        self.record(f"{name}.gate_w", g)
        au = self.activation(u)
        y = self.expert(f"{prefix}.shared_experts", au, 1.0)
        for e, weight in zip(chosen, g):
            y = add(y, self.expert(f"{prefix}.experts.{e}", au, weight))
        return self.record(f"{name}.ffn_out", y)

    def block(self, i):
        return f"layers.{i}" if i < self.layers else "mtp.0"

    def layer(self, i, streams, p, token):
        """2.4"""
        name, prefix = f"L{i}", self.block(i)
        u, post, comb = self.hyper_read(f"{prefix}.hc_attn", f"{name}.hc_attn", streams)
        u = self.record(f"{name}.attn_in", rms(u, self.weights[f"{prefix}.attn_norm"], self.eps))
        streams = self.hyper_write(self.attention(i, u, p), post, comb, streams)
        self.record(f"{name}.X_mid", streams)
        u, post, comb = self.hyper_read(f"{prefix}.hc_ffn", f"{name}.hc_ffn", streams)
        u = self.record(f"{name}.ffn_in", rms(u, self.weights[f"{prefix}.ffn_norm"], self.eps))
        streams = self.hyper_write(self.moe(i, u, token), post, comb, streams)
        return self.record(f"{name}.X", streams)

    def head(self, prefix, name, streams):
        """2.8; prefix is empty for the main head and mtp.0. for the other."""
        v = sum(streams, [])
        r = 1.0 / math.sqrt(sum(map(mul, v, v)) / len(v) + self.eps)
        scale, base = self.weights[f"{prefix}hc_head_scale"][0], self.weights[f"{prefix}hc_head_base"]
        mix = self.linear(f"{prefix}hc_head_fn", v)
        pre = [sigmoid(m * r * scale + b) + self.config["hc_eps"] for m, b in zip(mix, base)]
        u = self.record(f"{name}.head_u", mix_rows(pre, streams))
        return self.linear("head", rms(u, self.weights[f"{prefix}norm"], self.eps))

    def step(self, token):
        """2.1 to 2.8 for the next token of the sequence: its final streams and its logits."""
        streams = [list(self.weights["embed"][token]) for _ in range(self.config["hc_mult"])]
        for i in range(self.layers):
            streams = self.layer(i, streams, self.position, token)
        self.position += 1
        return streams, self.record("logits", self.head("", "main", streams))

    def step_mtp(self, p, streams, following):
        """2.9: streams of position p and the token after it."""
        e = rms(self.weights["embed"][following], self.weights["mtp.0.enorm"], self.eps)
        e = self.linear("mtp.0.e_proj", self.activation(e))
        x = [add(e, self.linear("mtp.0.h_proj", self.activation(rms(s, self.weights["mtp.0.hnorm"], self.eps))))
             for s in streams]
        x = self.layer(self.layers, x, p, following)
        self.record("mtp_logits", self.head("mtp.0.", f"L{self.layers}", x))

    def run(self, tokens):
        for p, token in enumerate(tokens):
            streams, _ = self.step(token)
            if p + 1 < len(tokens):
                self.step_mtp(p, streams, tokens[p + 1])
        return self.trace
