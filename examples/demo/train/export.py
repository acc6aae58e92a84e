#!/usr/bin/env python3
"""Writes a trained model as a checkpoint in the official format, which Fathom runs.

    export.py --checkpoint RUN/last.pt --tokenizer DIR --out DIR
"""
import argparse
import json
import os
import shutil
import sys

import torch

import batches
import checkpoint
import model

BYTES_MAX = 12_000_000
POSITIONS_MAX = 8192


def config_json(config):
    return {
        "architectures": ["DeepseekV4ForCausalLM"], "model_type": "deepseek_v4",
        "attention_bias": False, "bos_token_id": 0, "eos_token_id": 1, "hidden_act": "silu",
        "norm_topk_prob": True, "num_key_value_heads": 1, "tie_word_embeddings": False,
        "topk_method": "noaux_tc", "torch_dtype": "bfloat16", "n_shared_experts": 1,
        "scoring_func": "sqrtsoftplus", "max_position_embeddings": POSITIONS_MAX,
        "vocab_size": config.vocab_size, "hidden_size": config.hidden_size,
        "num_hidden_layers": config.num_hidden_layers,
        "num_hash_layers": config.num_hash_layers,
        "num_nextn_predict_layers": config.num_nextn_predict_layers,
        "num_attention_heads": config.num_attention_heads, "head_dim": config.head_dim,
        "qk_rope_head_dim": config.qk_rope_head_dim, "q_lora_rank": config.q_lora_rank,
        "o_groups": config.o_groups, "o_lora_rank": config.o_lora_rank,
        "sliding_window": config.sliding_window, "compress_ratios": list(config.compress_ratios),
        "compress_rope_theta": config.compress_rope_theta, "rope_theta": config.rope_theta,
        "rope_scaling": {
            "type": "yarn", "factor": config.rope_factor,
            "original_max_position_embeddings": config.rope_original,
            "beta_fast": config.rope_beta_fast, "beta_slow": config.rope_beta_slow},
        "index_n_heads": config.index_n_heads, "index_head_dim": config.index_head_dim,
        "index_topk": config.index_topk, "n_routed_experts": config.n_routed_experts,
        "num_experts_per_tok": config.num_experts_per_tok,
        "moe_intermediate_size": config.moe_intermediate_size,
        "routed_scaling_factor": config.routed_scaling_factor,
        "swiglu_limit": config.swiglu_limit, "hc_mult": config.hc_mult,
        "hc_sinkhorn_iters": config.hc_sinkhorn_iters, "hc_eps": config.hc_eps,
        "rms_norm_eps": config.rms_norm_eps,
    }


def stored(name, tensor):
    """BF16 for matrices and norms; F32 and whole numbers where the release has them."""
    return tensor.to(torch.bfloat16) if name.endswith(".weight") else tensor


def write(built, tokenizer, folder):
    """The checkpoint's folder; `tokenizer` is the folder of tokenizer.json. Returns its bytes."""
    os.makedirs(folder, exist_ok=True)
    tensors = {name: stored(name, tensor) for name, tensor in model.official_tensors(built).items()}
    checkpoint.write(os.path.join(folder, "model.safetensors"), tensors)
    with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as file:
        json.dump(config_json(built.config), file, indent=1)
        file.write("\n")
    shutil.copyfile(os.path.join(tokenizer, "tokenizer.json"),
                    os.path.join(folder, "tokenizer.json"))
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())


PROBE_TOKENS, PROBE_AT, PROBE_TOP = 320, (63, 191, 319), 8


@torch.no_grad()
def probe(folder, ids):
    """What the weights in the folder say of a text, by this file's torch: the likeliest tokens and
    their logits at some positions. The engine's own test compares (demo_model_test.cpp)."""
    built = model.Model(model.Config.load(folder)).eval()
    model.load_official(built, checkpoint.read(folder))
    model.Linear.products = torch.float32
    vectors, _ = built(torch.tensor([ids]), False)
    logits = built.logits(vectors[0])
    rows = []
    for position in PROBE_AT:
        values, tokens = logits[position].topk(PROBE_TOP)
        rows.append({"position": position, "tokens": tokens.tolist(),
                     "logits": [round(value, 5) for value in values.tolist()]})
    return {"ids": ids, "rows": rows}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--checkpoint", required=True, help="what train.py wrote")
    parser.add_argument("--tokenizer", required=True, help="the folder of tokenizer.json and shards")
    parser.add_argument("--out", required=True)
    options = parser.parse_args()
    saved = torch.load(options.checkpoint, map_location="cpu")
    built = model.Model(model.Config(**saved["config"]))
    built.load_state_dict(saved["model"])
    size = write(built, options.tokenizer, options.out)
    shard = batches.Shard(options.tokenizer, "names")
    with open(os.path.join(options.out, "probe.json"), "w", encoding="utf-8") as file:
        json.dump(probe(options.out, [int(token) for token in shard.ids[:PROBE_TOKENS]]), file)
        file.write("\n")
    sys.stdout.write("%s: %.1f MB\n" % (options.out, size / 1e6))
    if size > BYTES_MAX:
        sys.exit("the weights are larger than %d bytes" % BYTES_MAX)


if __name__ == "__main__":
    main()
