"""kernels.cpp behind autograd: built on first use beside this file's temporary folder, CPU only.

model.py asks `ready()` and takes its own plain operations when there is no compiler or the tensors
are elsewhere; tests/demo/kernels_test.py holds the gradients of both to each other.
"""
import ctypes
import hashlib
import os
import subprocess
import tempfile

import torch

CHUNK = 256  # queries at a time: later keys are left out, which is almost half of the products
KIND = torch.bfloat16
ITERATIONS_MAX = 32  # of Sinkhorn, as kernels.cpp has room for

_LIBRARY = None
_WANTED = True


def use(wanted):
    """Whether the kernels are wanted at all."""
    global _WANTED
    _WANTED = wanted


def _build():
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "kernels.cpp")
    flags = ["-O3", "-march=native", "-ffast-math", "-std=c++20", "-shared", "-fPIC"]
    with open(source, "rb") as file:
        key = hashlib.sha256(file.read() + " ".join(flags).encode()).hexdigest()[:16]
    folder = os.path.join(tempfile.gettempdir(), "fathom-demo-%d" % os.getuid())
    os.makedirs(folder, mode=0o700, exist_ok=True)
    if os.stat(folder).st_uid != os.getuid():
        raise OSError("%s belongs to someone else" % folder)
    path = os.path.join(folder, "kernels-%s.so" % key)
    if not os.path.exists(path):
        made = "%s.%d" % (path, os.getpid())
        subprocess.run([os.environ.get("CXX", "g++")] + flags + [source, "-o", made], check=True)
        os.replace(made, path)
    return ctypes.CDLL(path)


def ready(tensor):
    """Whether the kernels can work on this tensor."""
    global _LIBRARY
    if not _WANTED or tensor.device.type != "cpu":
        return False
    if _LIBRARY is None:
        try:
            _LIBRARY = _build()
        except (OSError, subprocess.CalledProcessError) as error:
            print("kernels: not built (%s), training is several times slower" % error)
            _LIBRARY = False
    return bool(_LIBRARY)


def _call(name, arrays, sizes, *numbers):
    """One kernel; the order of each list is that of kernels.cpp."""
    for tensor in arrays:
        assert tensor.is_contiguous(), name
    at = (ctypes.c_void_p * len(arrays))(*(tensor.data_ptr() for tensor in arrays))
    getattr(_LIBRARY, name)(at, (ctypes.c_long * len(sizes))(*sizes),
                            (ctypes.c_float * max(1, len(numbers)))(*numbers))


class _Attend(torch.autograd.Function):
    """queries [B, H, T, D], keys [B, T + entries, D], both rotated; returns [B, H, T, D]."""

    @staticmethod
    def chunks(length, window, ratio):
        for first in range(0, length, CHUNK):
            end = min(first + CHUNK, length)
            yield first, end, max(0, first - window + 1), end // ratio if ratio else 0

    @staticmethod
    def part(keys, length, chunk):
        _, end, low, entries = chunk
        return torch.cat((keys[:, low:end], keys[:, length:length + entries]), 1)

    @staticmethod
    def forward(ctx, queries, keys, sink, window, ratio):
        batch, heads, length, dim = queries.shape
        q, k = queries.to(KIND).contiguous(), keys.to(KIND).contiguous()
        sink = sink.detach().contiguous()
        out = torch.empty_like(q)
        kept = []
        for chunk in _Attend.chunks(length, window, ratio):
            first, end, low, _ = chunk
            some = _Attend.part(k, length, chunk)
            rows = q[:, :, first:end].reshape(batch, heads * (end - first), dim)
            weights = torch.bmm(rows, some.transpose(1, 2)).contiguous()
            _call("softmax_forward", [weights, sink],
                  [batch, heads, end - first, some.shape[1],
                   first, low, end - low, window, ratio], dim ** -0.5)
            out[:, :, first:end] = torch.bmm(weights, some).view(batch, heads, end - first, dim)
            kept.append(weights)
        ctx.save_for_backward(q, k, sink, *kept)
        ctx.shape = (window, ratio)
        return out.float()

    @staticmethod
    def backward(ctx, grad):
        q, k, sink, *kept = ctx.saved_tensors
        window, ratio = ctx.shape
        batch, heads, length, dim = q.shape
        grad = grad.to(KIND)
        q_grad, k_grad = torch.empty(q.shape), torch.zeros(k.shape)
        sink_grad = torch.zeros_like(sink)
        for weights, chunk in zip(kept, _Attend.chunks(length, window, ratio)):
            first, end, low, entries = chunk
            count = end - first
            some = _Attend.part(k, length, chunk)
            rows = q[:, :, first:end].reshape(batch, heads * count, dim)
            g = grad[:, :, first:end].reshape(batch, heads * count, dim)
            s = torch.bmm(g, some.transpose(1, 2)).contiguous()
            _call("softmax_backward", [weights, s, sink_grad],
                  [batch, heads, count, some.shape[1],
                   first, low, end - low, window, ratio], dim ** -0.5)
            q_grad[:, :, first:end] = torch.bmm(s, some).view(batch, heads, count, dim)
            both = (torch.bmm(weights.transpose(1, 2), g).float()
                    + torch.bmm(s.transpose(1, 2), rows).float())
            k_grad[:, low:end] += both[:, :end - low]
            if entries:
                k_grad[:, length:length + entries] += both[:, end - low:]
        return q_grad, k_grad, sink_grad, None, None


def attend(queries, keys, sink, window, ratio):
    return _Attend.apply(queries, keys, sink, window, ratio)


class _Maps(torch.autograd.Function):
    """streams [N, hc, d] to pre, post [N, hc] and comb [N, hc, hc]."""

    @staticmethod
    def forward(ctx, streams, fn, base, scale, settings):
        iterations, hc_eps, norm_eps = settings
        flat = streams.detach().contiguous().view(streams.shape[0], -1)
        count, size = flat.shape
        mix = torch.mm(flat, fn.detach().t()).contiguous()
        inverse = torch.empty(count)
        _call("inverse_rms", [flat, inverse], [count, size], norm_eps)
        pre, post = torch.empty(count, 4), torch.empty(count, 4)
        comb = torch.empty(count, 4, 4)
        assert iterations <= ITERATIONS_MAX
        _call("maps_forward", [mix, inverse, base, scale, pre, post, comb], [count, iterations],
              hc_eps)
        ctx.save_for_backward(flat, fn, base, scale, mix, inverse)
        ctx.settings = settings
        return pre, post, comb

    @staticmethod
    def backward(ctx, pre_grad, post_grad, comb_grad):
        flat, fn, base, scale, mix, inverse = ctx.saved_tensors
        iterations, hc_eps, _ = ctx.settings
        count, size = flat.shape
        mix_grad, inverse_grad = torch.empty_like(mix), torch.empty_like(inverse)
        base_grad, scale_grad = torch.zeros_like(base), torch.zeros_like(scale)
        grads = [grad.contiguous() for grad in (pre_grad, post_grad, comb_grad)]
        _call("maps_backward", [mix, inverse, base, scale] + grads
              + [mix_grad, inverse_grad, base_grad, scale_grad], [count, iterations], hc_eps)
        factor = inverse_grad * inverse ** 3 * (-1.0 / size)
        streams_grad = torch.addcmul(torch.mm(mix_grad, fn), flat, factor[:, None])
        return streams_grad.view(count, 4, -1), torch.mm(mix_grad.t(), flat), base_grad, \
            scale_grad, None


def maps(streams, fn, base, scale, settings):
    return _Maps.apply(streams, fn, base, scale, settings)


class _Read(torch.autograd.Function):
    @staticmethod
    def forward(ctx, streams, pre, weight, eps):
        streams, pre = streams.detach().contiguous(), pre.detach().contiguous()
        count, _, size = streams.shape
        out, inverse = torch.empty(count, size), torch.empty(count)
        _call("read_forward", [streams, pre, weight, out, inverse], [count, size], eps)
        ctx.save_for_backward(streams, pre, weight, inverse)
        return out

    @staticmethod
    def backward(ctx, grad):
        streams, pre, weight, inverse = ctx.saved_tensors
        count, _, size = streams.shape
        streams_grad, pre_grad = torch.empty_like(streams), torch.empty_like(pre)
        weight_grad = torch.zeros_like(weight)
        _call("read_backward", [streams, pre, weight, inverse, grad.contiguous(), streams_grad,
                                pre_grad, weight_grad], [count, size])
        return streams_grad, pre_grad, weight_grad, None


def read(streams, pre, weight, eps):
    """The normed sum of the streams."""
    return _Read.apply(streams, pre, weight, eps)


class _Write(torch.autograd.Function):
    @staticmethod
    def forward(ctx, streams, y, post, comb):
        streams, y = streams.detach().contiguous(), y.detach().contiguous()
        post, comb = post.detach().contiguous(), comb.detach().contiguous()
        out = torch.empty_like(streams)
        _call("write_forward", [streams, y, post, comb, out],
              [streams.shape[0], streams.shape[2]])
        ctx.save_for_backward(streams, y, post, comb)
        return out

    @staticmethod
    def backward(ctx, grad):
        streams, y, post, comb = ctx.saved_tensors
        out = [torch.empty_like(tensor) for tensor in (streams, y, post, comb)]
        _call("write_backward", [streams, y, post, comb, grad.contiguous()] + out,
              [streams.shape[0], streams.shape[2]])
        return tuple(out)


def write(streams, y, post, comb):
    return _Write.apply(streams, y, post, comb)


class _Activation(torch.autograd.Function):
    @staticmethod
    def forward(ctx, gate, up, weights, limit):
        gate, up = gate.detach().contiguous(), up.detach().contiguous()
        weights = weights.detach().contiguous()
        out = torch.empty_like(gate)
        inner = gate.numel() // weights.numel()
        _call("activation_forward", [gate, up, weights, out], [weights.numel(), inner], limit)
        ctx.save_for_backward(gate, up, weights)
        ctx.limit = limit
        return out

    @staticmethod
    def backward(ctx, grad):
        gate, up, weights = ctx.saved_tensors
        gate_grad, up_grad = torch.empty_like(gate), torch.empty_like(up)
        weights_grad = torch.empty_like(weights)
        _call("activation_backward", [gate, up, weights, grad.contiguous(), gate_grad, up_grad,
                                      weights_grad],
              [weights.numel(), gate.numel() // weights.numel()], ctx.limit)
        return gate_grad, up_grad, weights_grad, None


def activation(gate, up, weights, limit):
    """gate, up [N, experts * inner] in BF16, weights [N, experts]."""
    return _Activation.apply(gate, up, weights, limit)
