"""Checkpoints in the official format: safetensors with FP8, FP4, BF16, F32 and I64 tensors."""
import json
import os
import struct

import numpy
import torch

PLAIN = {"F32": numpy.float32, "I64": numpy.int64, "I32": numpy.int32}
FP4 = torch.tensor([0, .5, 1, 1.5, 2, 3, 4, 6, -0., -.5, -1, -1.5, -2, -3, -4, -6])


def _e4m3_table():
    codes = torch.arange(256)
    exponent, mantissa = (codes >> 3) & 15, (codes & 7).float()
    values = torch.where(exponent > 0, (1 + mantissa / 8) * 2.0 ** (exponent - 7).float(),
                         mantissa / 8 * 2.0 ** -6)
    return torch.where(codes >= 128, -values, values)


E4M3 = _e4m3_table()


def _blocks(scale, shape, height, width):
    """Powers of two, spread over the blocks that they belong to."""
    factors = 2.0 ** (scale.float() - 127)
    spread = factors.repeat_interleave(height, 0).repeat_interleave(width, 1)
    return spread[:shape[0], :shape[1]]


def _plain(raw, kind, shape):
    if kind == "BF16":
        bits = numpy.frombuffer(raw, "<u2").astype(numpy.uint32) << 16
        return torch.from_numpy(bits.view(numpy.float32).copy()).view(shape)
    if kind in PLAIN:
        return torch.from_numpy(numpy.frombuffer(raw, PLAIN[kind]).copy()).view(shape)
    return torch.from_numpy(numpy.frombuffer(raw, numpy.uint8).copy()).view(shape).long()


def read_file(path):
    """Tensors of one file as they are stored: quantised ones as their bytes, with `kinds`."""
    return _read(path)[0]


def _read(path):
    with open(path, "rb") as file:
        data = file.read()
    size = struct.unpack("<Q", data[:8])[0]
    tensors, kinds = {}, {}
    for name, entry in json.loads(data[8:8 + size]).items():
        if name == "__metadata__":
            continue
        begin, end = (8 + size + offset for offset in entry["data_offsets"])
        kinds[name] = entry["dtype"]
        tensors[name] = _plain(data[begin:end], entry["dtype"], entry["shape"])
    return tensors, kinds


def read(folder):
    """All tensors of a checkpoint, in fp32 (ids stay whole numbers)."""
    tensors, kinds = {}, {}
    for name in sorted(os.listdir(folder)):
        if name.endswith(".safetensors"):
            some, types = _read(os.path.join(folder, name))
            tensors.update(some)
            kinds.update(types)
    out = {}
    for name, tensor in tensors.items():
        scale = tensors.get(name[:-len("weight")] + "scale") if name.endswith("weight") else None
        if kinds[name] == "F8_E4M3":
            tensor = E4M3[tensor] * _blocks(scale, tensor.shape, 128, 128)
        elif kinds[name] == "I8":
            halves = torch.stack((tensor & 15, (tensor >> 4) & 15), -1).flatten(1)
            tensor = FP4[halves] * _blocks(scale, halves.shape, 1, 32)
        elif kinds[name] == "F8_E8M0":
            continue
        out[name] = tensor
    return out


def write(path, tensors):
    """BF16 for matrices, F32 and I64 for what must not be rounded (those come as they are)."""
    header, parts, offset = {}, [], 0
    for name, tensor in tensors.items():
        tensor = tensor.detach().cpu().contiguous()
        if tensor.dtype == torch.bfloat16:
            kind, raw = "BF16", tensor.view(torch.int16).numpy().tobytes()
        else:
            kind = {torch.float32: "F32", torch.int64: "I64"}[tensor.dtype]
            raw = tensor.numpy().tobytes()
        header[name] = {"dtype": kind, "shape": list(tensor.shape),
                        "data_offsets": [offset, offset + len(raw)]}
        offset += len(raw)
        parts.append(raw)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path + ".new", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.writelines(parts)
    os.replace(path + ".new", path)
