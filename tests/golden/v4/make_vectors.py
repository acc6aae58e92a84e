#!/usr/bin/env python3
"""Makes, and checks, the golden vectors of tiny DeepSeek-V4 models that lie beside this file.

    python3 tests/golden/v4/make_vectors.py all                 make t1-mixed and t2-pro again, byte for byte
    python3 tests/golden/v4/make_vectors.py --weights-only all  their quant/ folders only, in seconds
    python3 tests/golden/v4/make_vectors.py --check DIR         compare reference.py with the vectors of DIR

What a directory holds. quant/: weights in the official safetensors form, two shards. inputs.json: tokens, chunk
schedules that must all give the same logits, a greedy continuation. expected_f32 and expected_q: logits of every
position, MTP logits, and the vectors on the way, for `sel` or `selq` positions only where they would be large.
The form is that of $FATHOM_VECTORS/v4. Everything follows from the seed; only random.random() is used.

    t1-mixed  layers 0 (hash), 4 (hash), 8, 4, and MTP; 4 heads of 128 in 2 groups; window 8, top 4; 40 positions
    t2-pro    layers 16 (hash), 16, 4, and MTP, as Pro begins; 4 heads of 160 in 1 group, so that a latent has two
              FP8 blocks; vocabulary 260; 6 Sinkhorn iterations; 45 positions; one scale in the other shard

Why the numbers can be trusted. reference.py was written from the specification alone. --check against the three
directories of $FATHOM_VECTORS/v4, which come from the official modelling code, measured as largest difference over
all positions and tensors (logits reach 6.8, streams 22):

                       logits   MTP logits  other vectors  choices of entries and experts
    f32  p3-short      6.1e-06  6.1e-06     1.9e-05        none of 304 differs
    f32  p1-all        1.5e-05  1.7e-05     7.8e-05        none of 1049 differs
    f32  p2-ratio128   8.2e-06  9.6e-06     4.2e-05        none of 1349 differs
    q    p3-short      2.5e-06  2.6e-06     3.8e-06        none of 304 differs
    q    p1-all        1.2e-01  3.2e-01     7.2e-01        none of 1049 differs; 4 of 150 rows of logits flipped
    q    p2-ratio128   3.5e-05  1.8e-01     4.3e-01        none of 1349 differs; 28 of 269 rows of MTP logits flipped

The greedy continuations of all three are the same tokens. Layer by layer, p3-short, where a flip cannot spread:
attention 2.1e-06 (f32) and 1.5e-07 (q), experts 8.7e-07 and 7.3e-08.
The flips of mode q are values that fp64 and fp32 round to different FP8 codes. In p2-ratio128 it is one value,
-0.296875 at position 1, which lies on a rounding edge: moved by one fp32 step, the latent it spoils agrees within
1.6e-07. In p1-all a run with noise of 1e-7 in every linear agrees within 5.1e-06 in all rows, MTP too.

Our own seeds were searched so that this does not happen here: report.json gives the least distances to another
choice (idx, gate) and to another code (quant, relative to the value), and what five runs with noise of 1e-7 in
every linear change in the logits: below 1e-4 in both modes. The greedy continuation has its own margins.
What they catch: of 27 deliberate mistakes in reference.py (comb transposed, one Sinkhorn step less, ropes, overlap
halves, sink, clamps, groups, MTP norm and head, nibble order, each quantisation left out or put elsewhere, ...) 26 move
the logits or MTP logits of at least one directory by 2e-3 or more, 25 of them by 3e-2. The other, one scale for a
latent of two blocks, moves nothing: with scales of powers of two only values near FP8's smallest would show it.
A matrix row is a cyclic shift of one of a few random rows, and no two rows are equal: the files pack to a fifth.
"""

import argparse
import copy
import json
import math
import os
import random
import sys
from array import array

sys.dont_write_bytecode = True
from reference import E2M1, E4M3, Model, WIDTH, load_weights, read_safetensors, round_e2m1, round_e4m3, rows_of, \
    split_exponent, top_k, write_safetensors

# ------------------------------------------------------------------------------------------------ expected files

AT_SEL = {"hc_attn_u", "hc_ffn_u", "hc_attn_post", "hc_ffn_post", "hc_attn_comb", "hc_ffn_comb", "attn_in", "ffn_in",
          "qr", "wo_a", "attn_out", "ffn_out", "X_mid", "X", "head_u"}
AT_SELQ = {"q", "idx_q", "o", "o_pre"}
EVERYWHERE = {"logits", "mtp_logits", "kv", "comp", "idx_k", "idx_w", "idx_score", "idx_topk", "gate_s", "gate_ids",
              "gate_w"}
IN_Q = {"logits", "mtp_logits", "X", "comp", "kv", "idx_k", "idx_score", "idx_topk", "gate_ids", "gate_w", "attn_in",
        "attn_out", "ffn_in", "ffn_out", "head_u"}
INTEGER = {"idx_topk", "gate_ids"}


def flatten(value):
    return [x for part in value for x in flatten(part)] if isinstance(value, list) else [value]


def shape_of(value):
    return [len(value)] + shape_of(value[0]) if isinstance(value, list) else []


def expected_tensors(trace, sel, selq, kinds, topk):
    """The tensors of one expected file, nested lists by name."""
    out = {"sel": sel, "selq": selq}
    for name, rows in trace.items():
        kind = name.split(".")[-1]
        if kind not in kinds:
            continue
        if kind == "idx_score":
            rows = [row + [0.0] * (len(rows[-1]) - len(row)) for row in rows]
        elif kind == "idx_topk":
            rows = [row + [-1] * (min(topk, len(trace[name[:-4] + "score"][-1])) - len(row)) for row in rows]
        elif kind in AT_SEL or kind in AT_SELQ:
            rows = [rows[p] for p in (sel if kind in AT_SEL else selq) if p < len(rows)]
        if rows and shape_of(rows)[-1] > 0:
            out[name] = rows
    return out


def write_expected(path, tensors):
    stored = {}
    for name, rows in tensors.items():
        integer = name in ("sel", "selq") or name.split(".")[-1] in INTEGER
        stored[name] = ("I32" if integer else "F32", shape_of(rows), array("i" if integer else "f", flatten(rows)))
    write_safetensors(path, stored)

# ------------------------------------------------------------------------------------------------ --check


def unflatten(values, shape):
    if len(shape) <= 1:
        return list(values)
    size = len(values) // shape[0] if shape[0] else 0
    return [unflatten(values[at * size:(at + 1) * size], shape[1:]) for at in range(shape[0])]


def check_expected(config, mine, path, prefix):
    """Prints the largest differences by tensor kind; rows beyond the prefix that was run are left out."""
    theirs = {name: unflatten(values, shape) for name, (_, shape, values) in read_safetensors(path).items()}
    worst, picks = {}, {}
    for name in theirs:
        if name in ("sel", "selq"):
            continue
        kind = name.split(".")[-1]
        for p, (a, b) in enumerate(zip(mine.get(name, []), theirs[name])):
            if kind in INTEGER:
                same = set(a) - {-1} == set(b) - {-1}
                wrong, count = picks.get(kind, (0, 0))
                picks[kind] = (wrong + (not same), count + 1)
                continue
            if kind == "gate_w":
                ids = [name[:-1] + "ids"]
                a = [w for _, w in sorted(zip(mine[ids[0]][p], a))]
                b = [w for _, w in sorted(zip(theirs[ids[0]][p], b))]
            if kind == "idx_score":
                a, b = a[:(p + 1) // 4], b[:(p + 1) // 4]
            a, b = flatten(a), flatten(b)
            if a:
                difference, size = max(abs(x - y) for x, y in zip(a, b)), max(map(abs, b))
                old = worst.get(kind, (0.0, 0.0, 0, 0))
                worst[kind] = (max(old[0], difference), max(old[1], size), old[2] + (difference > 1e-3), old[3] + 1)
        if prefix is None and name in mine and shape_of(mine[name]) != shape_of(theirs[name]):
            print(f"  {name}: shape {shape_of(mine[name])}, expected {shape_of(theirs[name])}")
    if prefix is None:
        print(f"  tensors on one side only: {', '.join(sorted(set(mine) ^ set(theirs))) or 'none'}")
    for kind, (difference, size, above, count) in sorted(worst.items()):
        print(f"  {kind:14} max difference {difference:.2e}  (largest value {size:.2f}; "
              f"{above} of {count} rows above 1e-3)")
    for kind, (wrong, count) in sorted(picks.items()):
        print(f"  {kind:14} {wrong} of {count} selections differ")
    return theirs


def check_layers(model, theirs, tokens):
    """Feeds each layer its expected inputs, so that a flipped rounding of an earlier layer cannot blur the result.

    The attention needs the inputs of all positions, the experts do not.
    """
    model = copy.copy(model)
    model.reset()
    for kind in ("attn", "ffn"):
        differences = []
        if kind == "attn" and len(theirs["sel"]) != len(tokens):
            continue
        for i in range(model.layers + 1):
            for p, u, y in zip(theirs["sel"], theirs[f"L{i}.{kind}_in"], theirs[f"L{i}.{kind}_out"]):
                got = model.attention(i, u, p) if kind == "attn" else model.moe(i, u, tokens[p])
                differences.append(max(abs(a - b) for a, b in zip(got, y)))
        print(f"  layer by layer: {kind} max difference {max(differences):.2e}, "
              f"{sum(d > 1e-3 for d in differences)} of {len(differences)} rows above 1e-3")


def check(directory, prefix):
    with open(os.path.join(directory, "quant", "config.json")) as file:
        config = json.load(file)
    with open(os.path.join(directory, "inputs.json")) as file:
        inputs = json.load(file)
    weights = load_weights(os.path.join(directory, "quant"))
    tokens = inputs["input_ids"][:prefix]
    greedy = inputs["greedy_f32"]
    model = Model(config, weights, False)
    start = tokens[:greedy["prompt_len"]]
    if len(start) == greedy["prompt_len"]:
        same = continue_greedily(model, start, len(greedy["tokens"]))[0] == greedy["tokens"]
        print(f"greedy continuation: {'same' if same else 'DIFFERS'}")
    for mode in ("f32", "q"):
        path = os.path.join(directory, f"expected_{mode}.safetensors")
        stored = read_safetensors(path)
        model = Model(config, weights, mode == "q")
        model.run(tokens)
        print(f"{directory}, {len(tokens)} positions, mode {mode}, least margins {least_margins(model)}")
        kinds = IN_Q if mode == "q" else AT_SEL | AT_SELQ | EVERYWHERE
        mine = expected_tensors(model.trace, list(stored["sel"][2]), list(stored["selq"][2]), kinds,
                                config["index_topk"])
        theirs = check_expected(config, mine, path, prefix)
        if prefix is None:
            check_layers(model, theirs, tokens)


def least_margins(model):
    return {kind: min(values) for kind, values in model.margins.items() if values and min(values) < math.inf}


def continue_greedily(model, prompt, count):
    """The first `count` greedy tokens after the prompt, and the gap of each to the second best."""
    model.reset()
    for token in prompt:
        _, logits = model.step(token)
    tokens, gaps = [], []
    for _ in range(count):
        (best,), gap = top_k(logits, 1)
        tokens.append(best)
        gaps.append(gap)
        _, logits = model.step(best)
    return tokens, gaps

# ------------------------------------------------------------------------------------------------ making models

MODELS = {
    "t1-mixed": {
        "seed": 126, "positions": 40, "prompt": 12, "sel": [0, 38], "selq": [31],
        "config": {
            "vocab_size": 256, "num_hidden_layers": 4, "num_hash_layers": 2, "compress_ratios": [0, 4, 8, 4, 0],
            "num_attention_heads": 4, "head_dim": 128, "qk_rope_head_dim": 64, "o_groups": 2, "o_lora_rank": 64,
            "index_n_heads": 4, "index_head_dim": 64, "index_topk": 4, "sliding_window": 8,
            "n_routed_experts": 4, "num_experts_per_tok": 2, "routed_scaling_factor": 1.5, "swiglu_limit": 1.5,
            "hc_sinkhorn_iters": 20,
            "rope_scaling": {"type": "yarn", "factor": 16, "original_max_position_embeddings": 64, "beta_fast": 32,
                             "beta_slow": 1}}},
    "t2-pro": {
        "seed": 15, "positions": 45, "prompt": 14, "sel": [0, 43], "selq": [38], "stray": True,
        "config": {
            "vocab_size": 260, "num_hidden_layers": 3, "num_hash_layers": 1, "compress_ratios": [16, 16, 4, 0],
            "num_attention_heads": 4, "head_dim": 160, "qk_rope_head_dim": 32, "o_groups": 1, "o_lora_rank": 128,
            "index_n_heads": 4, "index_head_dim": 64, "index_topk": 5, "sliding_window": 12,
            "n_routed_experts": 4, "num_experts_per_tok": 2, "routed_scaling_factor": 2.5, "swiglu_limit": 1.0,
            "hc_sinkhorn_iters": 6,
            "rope_scaling": {"type": "yarn", "factor": 4, "original_max_position_embeddings": 128, "beta_fast": 32,
                             "beta_slow": 1}}}}

COMMON = {
    "architectures": ["DeepseekV4ForCausalLM"], "model_type": "deepseek_v4", "attention_bias": False,
    "bos_token_id": 0, "eos_token_id": 1, "hidden_act": "silu", "norm_topk_prob": True, "num_key_value_heads": 1,
    "tie_word_embeddings": False, "topk_method": "noaux_tc", "torch_dtype": "bfloat16",
    "max_position_embeddings": 512, "hidden_size": 128, "moe_intermediate_size": 128, "num_nextn_predict_layers": 1,
    "n_shared_experts": 1, "scoring_func": "sqrtsoftplus", "q_lora_rank": 128, "rms_norm_eps": 1e-6,
    "compress_rope_theta": 160000.0, "rope_theta": 10000.0, "hc_mult": 4, "hc_eps": 1e-6, "expert_dtype": "fp4",
    "quantization_config": {"activation_scheme": "dynamic", "fmt": "e4m3", "quant_method": "fp8",
                            "scale_fmt": "ue8m0", "weight_block_size": [128, 128]}}

REFERENCE_KEYS = {
    "vocab_size": "vocab_size", "hidden_size": "dim", "moe_intermediate_size": "moe_inter_dim",
    "num_hidden_layers": "n_layers", "num_hash_layers": "n_hash_layers", "num_nextn_predict_layers": "n_mtp_layers",
    "num_attention_heads": "n_heads", "n_routed_experts": "n_routed_experts", "n_shared_experts": "n_shared_experts",
    "num_experts_per_tok": "n_activated_experts", "scoring_func": "score_func",
    "routed_scaling_factor": "route_scale", "swiglu_limit": "swiglu_limit", "q_lora_rank": "q_lora_rank",
    "head_dim": "head_dim", "qk_rope_head_dim": "rope_head_dim", "rms_norm_eps": "norm_eps", "o_groups": "o_groups",
    "o_lora_rank": "o_lora_rank", "sliding_window": "window_size", "compress_ratios": "compress_ratios",
    "compress_rope_theta": "compress_rope_theta", "rope_theta": "rope_theta", "index_n_heads": "index_n_heads",
    "index_head_dim": "index_head_dim", "index_topk": "index_topk", "hc_mult": "hc_mult",
    "hc_sinkhorn_iters": "hc_sinkhorn_iters", "hc_eps": "hc_eps", "expert_dtype": "expert_dtype"}


def reference_config(config):
    out = {theirs: config[ours] for ours, theirs in REFERENCE_KEYS.items()}
    scaling = config["rope_scaling"]
    return out | {"original_seq_len": scaling["original_max_position_embeddings"], "rope_factor": scaling["factor"],
                  "beta_fast": scaling["beta_fast"], "beta_slow": scaling["beta_slow"],
                  "max_seq_len": config["max_position_embeddings"], "dtype": "fp8", "scale_fmt": "ue8m0"}


class Maker:
    """Random tensors in the stored form.

    Every row of a matrix is a cyclic shift of one of a few random rows, no two rows the same: as good as random
    for the test, and it packs well. Values are rounded to few bits for the same reason.
    """

    def __init__(self, config, seed):
        self.config, self.random, self.tensors = config, random.Random(seed), {}

    def below(self, n):
        return int(self.random.random() * n)  # random() alone is promised to stay the same across Python versions

    def normal(self):
        return (sum(self.random.random() for _ in range(4)) - 2.0) * 3.0 ** 0.5

    def sample(self, n, count):
        """count different numbers below n"""
        pool = list(range(n))
        return [pool.pop(self.below(len(pool))) for _ in range(count)]

    def rows(self, count, width, draw):
        pool = [[draw() for _ in range(width)] for _ in range(2 + 2 * count // width)]
        out = []
        for pick in self.sample(len(pool) * width, count):
            row, shift = pool[pick // width], pick % width
            out += row[shift:] + row[:shift]
        return out

    def f32(self, name, shape, middle, deviation):
        if len(shape) == 1:
            values = [middle + deviation * self.normal() for _ in range(shape[0])]
        else:
            step = 2.0 ** (split_exponent(deviation) - 3)
            values = self.rows(*shape, lambda: round(self.normal() * deviation / step) * step)
        self.tensors[name] = ("F32", shape, array("f", values))

    def bf16(self, name, shape, middle, deviation):
        """Multiples of an eighth of a power of two below the deviation: exact in bf16."""
        step = 2.0 ** (split_exponent(deviation) - 3)

        def draw():
            return round((middle + deviation * self.normal()) / step) * step
        values = [draw() for _ in range(shape[0])] if len(shape) == 1 else self.rows(*shape, draw)
        codes = [code >> 16 for code in array("I", array("f", values).tobytes())]
        self.tensors[name] = ("BF16", shape, array("H", codes))

    def scales(self, shape, exponent):
        return ("F8_E8M0", shape, array("B", [126 + exponent + self.below(3) for _ in range(math.prod(shape))]))

    def fp8(self, name, out, width, gain=1.0):
        """Rows of y = W x of about `gain` for x of about 1."""
        deviation = gain / width ** 0.5
        exponent = split_exponent(deviation / 64)
        codes = {value: code for code, value in reversed(list(enumerate(E4M3))) if code & 127 != 127}
        values = self.rows(out, width, lambda: codes[round_e4m3(self.normal() * deviation / 2.0 ** exponent)[0]])
        self.tensors[f"{name}.weight"] = ("F8_E4M3", [out, width], array("B", values))
        self.tensors[f"{name}.scale"] = self.scales([-(-out // 128), -(-width // 128)], exponent)

    def fp4(self, name, out, width):
        deviation = 1.0 / width ** 0.5
        exponent = split_exponent(deviation / 1.5)

        def draw():
            low, high = (E2M1.index(round_e2m1(self.normal() * deviation / 2.0 ** exponent)[0]) for _ in range(2))
            return low | high << 4
        codes = array("B", self.rows(out, width // 2, draw))
        self.tensors[f"{name}.weight"] = ("I8", [out, width // 2], codes)
        self.tensors[f"{name}.scale"] = self.scales([out, width // 32], exponent)

    def norms(self, names, width):
        for name in names:
            self.bf16(f"{name}.weight", [width], 1.0, 0.25)

    def hyper(self, prefix, count, scales):
        d = self.config["hidden_size"] * self.config["hc_mult"]
        self.f32(f"{prefix}_fn", [count, d], 0.0, 1.0 / d ** 0.5)
        self.f32(f"{prefix}_base", [count], 0.0, 0.7)
        self.f32(f"{prefix}_scale", [scales], 0.9, 0.15)

    def compressor(self, prefix, ratio, dim):
        width = dim * (2 if ratio == 4 else 1)
        d = self.config["hidden_size"]
        self.f32(f"{prefix}.ape", [ratio, width], 0.0, 0.5)
        self.bf16(f"{prefix}.wkv.weight", [width, d], 0.0, 1.0 / d ** 0.5)
        self.bf16(f"{prefix}.wgate.weight", [width, d], 0.0, 1.0 / d ** 0.5)
        self.norms([f"{prefix}.norm"], dim)

    def block(self, i):
        config = self.config
        d, lora, dim = config["hidden_size"], config["q_lora_rank"], config["head_dim"]
        heads, groups, rank = config["num_attention_heads"], config["o_groups"], config["o_lora_rank"]
        ratio, experts, inter = config["compress_ratios"][i], config["n_routed_experts"], config[
            "moe_intermediate_size"]
        prefix = f"layers.{i}" if i < config["num_hidden_layers"] else "mtp.0"
        self.norms([f"{prefix}.attn_norm", f"{prefix}.ffn_norm"], d)
        for part in ("attn", "ffn"):
            self.hyper(f"{prefix}.hc_{part}", (2 + config["hc_mult"]) * config["hc_mult"], 3)
        attn, ffn = f"{prefix}.attn", f"{prefix}.ffn"
        self.fp8(f"{attn}.wq_a", lora, d)
        self.norms([f"{attn}.q_norm"], lora)
        self.fp8(f"{attn}.wq_b", heads * dim, lora)
        self.fp8(f"{attn}.wkv", dim, d)
        self.norms([f"{attn}.kv_norm"], dim)
        self.f32(f"{attn}.attn_sink", [heads], 0.5, 1.0)
        self.fp8(f"{attn}.wo_a", groups * rank, heads * dim // groups, 1.5)
        self.fp8(f"{attn}.wo_b", d, groups * rank, 1.5)
        if ratio > 0:
            self.compressor(f"{attn}.compressor", ratio, dim)
        if ratio == 4:
            self.fp8(f"{attn}.indexer.wq_b", config["index_n_heads"] * config["index_head_dim"], lora)
            self.bf16(f"{attn}.indexer.weights_proj.weight", [config["index_n_heads"], d], 0.0, 1.0 / d ** 0.5)
            self.compressor(f"{attn}.indexer.compressor", 4, config["index_head_dim"])
        self.bf16(f"{ffn}.gate.weight", [experts, d], 0.0, 1.5 / d ** 0.5)
        if i < config["num_hash_layers"]:
            table = [self.sample(experts, config["num_experts_per_tok"]) for _ in range(config["vocab_size"])]
            self.tensors[f"{ffn}.gate.tid2eid"] = (
                "I64", [config["vocab_size"], config["num_experts_per_tok"]], array("q", flatten(table)))
        else:
            self.f32(f"{ffn}.gate.bias", [experts], 0.0, 0.2)
        for e in range(experts):
            for part, out, width in (("w1", inter, d), ("w2", d, inter), ("w3", inter, d)):
                self.fp4(f"{ffn}.experts.{e}.{part}", out, width)
        for part, out, width in (("w1", inter, d), ("w2", d, inter), ("w3", inter, d)):
            self.fp8(f"{ffn}.shared_experts.{part}", out, width)

    def model(self):
        config, d = self.config, self.config["hidden_size"]
        self.bf16("embed.weight", [config["vocab_size"], d], 0.0, 1.0)
        self.bf16("head.weight", [config["vocab_size"], d], 0.0, 1.25 / d ** 0.5)
        for i in range(config["num_hidden_layers"] + 1):
            self.block(i)
        for part in ("e_proj", "h_proj"):
            self.fp8(f"mtp.0.{part}", d, d, 0.8)
        self.norms(["norm", "mtp.0.norm", "mtp.0.enorm", "mtp.0.hnorm"], d)
        for prefix in ("", "mtp.0."):
            self.hyper(f"{prefix}hc_head", config["hc_mult"], 1)
        self.tensors["mtp.0.emb.tok_emb.weight"] = self.tensors["embed.weight"]
        self.tensors["mtp.0.head.weight"] = self.tensors["head.weight"]
        return self.tensors


def write_json(path, value):
    with open(path, "w") as file:
        json.dump(value, file, indent=1)
        file.write("\n")


def write_model(directory, config, tensors, stray):
    """Two shards: the first half of the layers and the embedding, then the rest.

    stray: one scale lies in the other shard than its weight, which the form allows.
    """
    def shard(name):
        early = name.startswith("layers.") and int(name.split(".")[1]) < config["num_hidden_layers"] // 2
        second = not (early or name == "embed.weight") or (stray and name == "layers.0.attn.wo_b.scale")
        return f"model-0000{2 if second else 1}-of-00002.safetensors"
    os.makedirs(directory, exist_ok=True)
    index = {name: shard(name) for name in sorted(tensors)}
    for file in sorted(set(index.values())):
        write_safetensors(os.path.join(directory, file), {n: t for n, t in tensors.items() if index[n] == file})
    size = sum(len(values) * WIDTH[dtype] for dtype, _, values in tensors.values())
    write_json(os.path.join(directory, "model.safetensors.index.json"),
               {"metadata": {"total_size": size}, "weight_map": index})
    write_json(os.path.join(directory, "config.json"), config)


def largest_difference(a, b, names):
    return max(abs(x - y) for name in names for x, y in zip(flatten(a[name]), flatten(b[name])))


def schedules(draw, length):
    """Whole, all ones, three random."""
    out = [[length], [1] * length]
    for largest in (20, 7, 13):
        chunks = []
        while sum(chunks) < length:
            chunks.append(min(1 + draw(largest), length - sum(chunks)))
        out.append(chunks)
    return out


def measure(config, weights, tokens, noises=5):
    """Both runs, and what report.json says of them."""
    runs = {mode: Model(config, weights, mode == "q") for mode in ("f32", "q")}
    traces = {mode: model.run(tokens) for mode, model in runs.items()}
    logits, heads = traces["f32"]["logits"], ("logits", "mtp_logits")
    values = flatten(logits)
    mean = sum(values) / len(values)
    report = {"T": len(tokens), "logit_std": (sum((v - mean) ** 2 for v in values) / len(values)) ** 0.5,
              "argmax_margin_min": min(top_k(row, 1)[1] for row in logits),
              "q_vs_f32_maxabs": largest_difference(traces["q"], traces["f32"], ["logits"])}
    for mode, model in runs.items():
        report |= {f"{kind}_margin_{mode}": margin for kind, margin in least_margins(model).items()}
        noisy = []
        for seed in range(noises):
            model = Model(config, weights, mode == "q", noise=1e-7)
            model.random.seed(seed)
            noisy.append(largest_difference(model.run(tokens), traces[mode], heads))
        report[f"{mode}_noise1e-7"] = noisy
    return traces, report


def make(name, weights_only):
    plan = MODELS[name]
    directory = os.path.join(os.path.dirname(os.path.abspath(__file__)), name)
    config = COMMON | plan["config"]
    maker = Maker(config, plan["seed"])
    tensors = maker.model()
    write_model(os.path.join(directory, "quant"), config, tensors, plan.get("stray", False))
    if weights_only:
        return
    tokens = [0] + [2 + maker.below(config["vocab_size"] - 2) for _ in range(plan["positions"] - 1)]
    weights = load_weights(os.path.join(directory, "quant"))
    traces, report = measure(config, weights, tokens)
    greedy, gaps = continue_greedily(Model(config, weights, False), tokens[:plan["prompt"]], 24)
    write_json(os.path.join(directory, "inference_config.json"), reference_config(config))
    with open(os.path.join(directory, "inputs.json"), "w") as file:
        json.dump({"input_ids": tokens, "greedy_f32": {"prompt_len": plan["prompt"], "tokens": greedy,
                   "margins": gaps}, "chunk_schedules": schedules(maker.below, len(tokens))}, file)
        file.write("\n")
    for mode, kinds in (("f32", AT_SEL | AT_SELQ | EVERYWHERE), ("q", IN_Q)):
        write_expected(os.path.join(directory, f"expected_{mode}.safetensors"), expected_tensors(
            traces[mode], plan["sel"], plan["selq"], kinds, config["index_topk"]))
    report = {"seed": plan["seed"], "tensors": len(tensors)} | report | {"greedy_margin_min": min(gaps)}
    write_json(os.path.join(directory, "report.json"), report)
    print(name, json.dumps(report, indent=1))


def main():
    parser = argparse.ArgumentParser(description="Makes or checks golden vectors of tiny V4 models.")
    parser.add_argument("name", nargs="?", choices=[*MODELS, "all"], help="the model to make")
    parser.add_argument("--weights-only", action="store_true", help="write quant/ and nothing else")
    parser.add_argument("--check", metavar="DIR", help="compare this reference with an existing vector directory")
    parser.add_argument("--prefix", type=int, help="with --check: only the first positions")
    arguments = parser.parse_args()
    if arguments.check:
        check(arguments.check, arguments.prefix)
    elif arguments.name:
        for name in MODELS if arguments.name == "all" else [arguments.name]:
            make(name, arguments.weights_only)
    else:
        parser.error("give a name, or --check DIR")


if __name__ == "__main__":
    main()
