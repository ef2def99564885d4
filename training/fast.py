"""
The same loss and gradients as model.py, faster on a CPU. The backward pass is written out. Everything between
matmuls runs in kernels.cpp, which is compiled at the start of a run. README.md gives the reasons, and
`test_fast.py --time` the gain.

Matmuls of ternary matrices take and give integers, in both directions. The forward pass is exact. The
backward pass rounds a token's gradient to int8, up or down by chance, so that the mean is right. Everything
between two matmuls is one pass over memory.
"""

import ctypes
import math
import os
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from model import BitLinear, BitNet, Block

HERE = Path(__file__).parent
# Sharp attention gives weights below 1e-38. A CPU multiplies such numbers in microcode: a thread took eleven
# times as long as one that takes them for zero. Threads inherit this setting, so it comes before the first.
torch.set_flush_denormal(True)


def faster_type() -> torch.dtype:
    """
    The type for attention and the head. PyTorch's bfloat16 matmuls are fast with AMX. With AVX512-BF16 alone,
    they were half as fast as float32 on a Xeon and twice as fast on a Zen 4. So both are timed.
    """
    if torch.cpu._is_amx_tile_supported():
        return torch.bfloat16
    best = {}
    for dtype in (torch.float32, torch.bfloat16):
        a, b = torch.ones(1024, 384, dtype=dtype), torch.ones(384, 4096, dtype=dtype)
        for _ in range(4):
            began = time.perf_counter()
            torch.mm(a, b)
            best[dtype] = min(best.get(dtype, math.inf), time.perf_counter() - began)
    return min(best, key=best.__getitem__)


REAL = faster_type()
# Queries of a window that one attention matmul covers: later keys are skipped.
QUERIES = 128
COMPILE = ["-O3", "-march=native", "-ffast-math", "-fopenmp", "-fPIC", "-std=c++17", "-shared"]


def load_kernels() -> ctypes.CDLL | None:
    """None without g++ or if it fails. The caller then continues without the kernels."""
    compiler = shutil.which("g++")
    if compiler is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "kernels.so"
        if subprocess.run([compiler, *COMPILE, *(["-DBFLOAT16"] if REAL is torch.bfloat16 else []), HERE / "kernels.cpp", "-o", library, "-lmvec", "-lm"]).returncode != 0:
            return None
        # PyTorch has loaded its OpenMP by now, and this library uses the same one. Two would compete for the
        # cores.
        kernels = ctypes.CDLL(os.fspath(library))
    kernels.ternarize.restype = ctypes.c_float
    kernels.cross_entropy.restype = ctypes.c_double
    return kernels


def keep_memory() -> None:
    """
    Makes glibc keep freed memory. By default, each tensor of some megabytes gets new memory from the system,
    zeroed page by page. Then a step takes 1.6 times as long.
    """
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        mmap_max, trim_threshold, top_pad = -4, -1, -2
        libc.mallopt(mmap_max, 0)
        libc.mallopt(trim_threshold, 2**31 - 1)
        libc.mallopt(top_pad, 2**28)


def plain(value: object) -> object:
    """The C++ argument for a value."""
    if isinstance(value, Tensor):
        assert value.is_contiguous()
        return ctypes.c_void_p(value.data_ptr())
    if isinstance(value, float):
        return ctypes.c_float(value)
    return value


class Kernels:
    """Calls kernels by name, with tensors for pointers."""

    def __init__(self, library: ctypes.CDLL):
        self.library = library

    def __getattr__(self, name: str):
        function = getattr(self.library, name)
        call = lambda *arguments: function(*map(plain, arguments))
        setattr(self, name, call)
        return call


@dataclass
class Gradient:
    """A gradient [tokens, size]: codes · steps of their token · factor."""

    codes: Tensor
    steps: Tensor
    factor: float = 1.0

    @staticmethod
    def empty(tokens: int, size: int) -> "Gradient":
        return Gradient(torch.empty(tokens, size, dtype=torch.int8), torch.empty(tokens))


class Quantized:
    """A norm of tokens: its integers, their scales, and 1 / rms."""

    def __init__(self, tokens: int, size: int):
        self.codes = torch.empty(tokens, size, dtype=torch.int8)
        self.scales = torch.empty(tokens)
        self.rs = torch.empty(tokens)


class Matmul:
    """Matrices with one input, combined: codes [out, in], and the masters' gradient."""

    def __init__(self, linears: list[BitLinear], call: Kernels):
        self.call = call
        self.masters = [linear.weight for linear in linears]
        self.sizes = [len(weight) for weight in self.masters]
        shape = (sum(self.sizes), self.masters[0].shape[1])
        self.codes = torch.empty(shape, dtype=torch.int8)
        self.gradient = torch.zeros(shape)
        self.scales = torch.empty(len(linears))

    def round(self) -> None:
        for index, (weight, codes) in enumerate(zip(self.masters, self.codes.split(self.sizes), strict=True)):
            self.scales[index] = self.call.ternarize(weight.data, ctypes.c_int64(weight.numel()), codes)
            weight.grad = self.gradient.split(self.sizes)[index]
        self.gradient.zero_()

    def __call__(self, codes: Tensor) -> Tensor:
        return torch._int_mm(codes, self.codes.t())

    def back(self, gradient: Gradient, inputs: Quantized, scaled: bool) -> Gradient:
        """
        Adds to the gradient of the masters, and returns the gradient of the input.

        :param gradient: of the output, or with `scaled` times the matrices' scales.
        """
        # A token's step of the gradient and its scale of the input are one factor, which goes to the input.
        tokens, width = inputs.codes.shape
        factors = gradient.steps / inputs.scales
        largest = factors.max().clamp(min=1e-30)
        rescaled = torch.empty_like(inputs.codes)
        self.call.rescale(inputs.codes, factors / largest, tokens, width, rescaled)
        products = torch._int_mm(gradient.codes.t(), rescaled)
        scales = self.scales if scaled else torch.ones_like(self.scales)
        for own, part, scale in zip(self.gradient.split(self.sizes), products.split(self.sizes), scales, strict=True):
            own.add_(part, alpha=float(largest / scale))
        factor = 1.0 if scaled else self.scales[0].item()
        return Gradient(torch._int_mm(gradient.codes, self.codes), gradient.steps, factor)


@dataclass
class Kept:
    """The intermediates of a layer's forward pass that its backward pass needs."""

    x: Tensor
    middle: Tensor
    attention_in: Quantized
    heads_out: Quantized
    mlp_in: Quantized
    hidden: Quantized
    q: Tensor
    k: Tensor
    v: Tensor
    weights: list[Tensor]
    starts: Tensor | None
    o: Tensor
    gate_up: Tensor


class FastLayer:
    def __init__(self, block: Block, call: Kernels, cosines: Tensor, sines: Tensor):
        attention, mlp = block.self_attn, block.mlp
        self.call, self.shape, self.cosines, self.sines = call, attention.shape, cosines, sines
        self.qk = Matmul([attention.q_proj, attention.k_proj], call)
        self.v = Matmul([attention.v_proj], call)
        self.o = Matmul([attention.o_proj], call)
        self.gate_up = Matmul([mlp.gate_proj, mlp.up_proj], call)
        self.down = Matmul([mlp.down_proj], call)
        self.matmuls = [self.qk, self.v, self.o, self.gate_up, self.down]
        self.attention_norm, self.mlp_norm = block.input_layernorm.weight, block.post_attention_layernorm.weight
        self.heads_norm, self.hidden_norm = attention.attn_sub_norm.weight, mlp.ffn_sub_norm.weight
        self.norms = [self.attention_norm, self.mlp_norm, self.heads_norm, self.hidden_norm]

    def forward(
        self, x: Tensor, before: tuple[Tensor, Tensor, float] | None, windows: int, starts: Tensor | None
    ) -> tuple[Tensor, tuple, Kept]:
        """
        :param x: the residual [tokens, width].
        :param before: a pending addition to x: a matmul's result, its input's scales, its matrix's scale.
        :param starts: int32 [windows, length], as PlainStep's.
        :returns: the pending addition after this layer, in the same form.
        """
        call, shape = self.call, self.shape
        tokens, width = x.shape
        length, group = tokens // windows, shape.heads // shape.kv_heads
        epsilon = shape.norm_epsilon

        attention_in = Quantized(tokens, width)
        call.add_norm_quantize(x, *(before or (None, None, 0.0)), self.attention_norm.data, epsilon, tokens, width, attention_in.codes, None, attention_in.scales, attention_in.rs)
        q = torch.empty(windows * shape.kv_heads, group, length, shape.head, dtype=REAL)
        k, v = (torch.empty(windows * shape.kv_heads, length, shape.head, dtype=REAL) for _ in range(2))
        sizes = (windows, length, shape.heads, shape.kv_heads, shape.head)
        call.split_heads(
            self.qk(attention_in.codes), self.v(attention_in.codes), attention_in.scales, *self.qk.scales.tolist(),
            self.v.scales[0].item(), self.cosines, self.sines, *sizes, q, k, v,
        )  # fmt: skip
        o, weights = self.attend(q, k, v, starts)
        heads_out = Quantized(tokens, width)
        call.merge_heads_quantize(o, self.heads_norm.data, epsilon, windows, length, shape.heads, shape.head, heads_out.codes, heads_out.scales, heads_out.rs)

        middle = x.clone()
        mlp_in = Quantized(tokens, width)
        attended = (self.o(heads_out.codes), heads_out.scales, self.o.scales[0].item())
        call.add_norm_quantize(middle, *attended, self.mlp_norm.data, epsilon, tokens, width, mlp_in.codes, None, mlp_in.scales, mlp_in.rs)
        gate_up = self.gate_up(mlp_in.codes)
        hidden = Quantized(tokens, shape.feed_forward)
        call.glu_quantize(
            gate_up, mlp_in.scales, *self.gate_up.scales.tolist(), self.hidden_norm.data, epsilon, tokens, shape.feed_forward,
            hidden.codes, hidden.scales, hidden.rs,
        )  # fmt: skip
        after = (self.down(hidden.codes), hidden.scales, self.down.scales[0].item())
        kept = Kept(x, middle, attention_in, heads_out, mlp_in, hidden, q, k, v, weights, starts, o, gate_up)
        return middle.clone(), after, kept

    def attend(self, q: Tensor, k: Tensor, v: Tensor, starts: Tensor | None) -> tuple[Tensor, list[Tensor]]:
        """
        :param q: [windows · kv_heads, group, length, head]. Queries of a group share keys, so that one matmul
            computes all of them.
        :returns: the same for the outputs, and the weights of each block of queries.
        """
        o, weights = torch.empty_like(q), []
        count, group, length, head = q.shape
        for first in range(0, length, QUERIES):
            end = min(length, first + QUERIES)
            scores = q[:, :, first:end].reshape(count, -1, head) @ k[:, :end].transpose(1, 2)
            self.call.causal_softmax(scores, starts, *self.rows(count), end - first, first, length, head**-0.5)
            o[:, :, first:end] = (scores @ v[:, :end]).view(count, group, -1, head)
            weights.append(scores)
        return o, weights

    def rows(self, count: int) -> tuple[int, int]:
        """Windows and heads of `count` windows · kv_heads."""
        return count // self.shape.kv_heads, self.shape.heads

    def attend_back(self, d_o: Tensor, kept: Kept) -> tuple[Tensor, Tensor, Tensor]:
        """The gradients of q, k and v."""
        q, k, v = kept.q, kept.k, kept.v
        dq, dk, dv = torch.empty_like(q), torch.zeros_like(k), torch.zeros_like(v)
        count, group, length, head = q.shape
        for weights, first in zip(kept.weights, range(0, length, QUERIES), strict=True):
            end = min(length, first + QUERIES)
            d_out = d_o[:, :, first:end].reshape(count, -1, head)
            dv[:, :end].baddbmm_(weights.transpose(1, 2), d_out)
            d_scores = d_out @ v[:, :end].transpose(1, 2)
            sizes = (*self.rows(count), end - first, first, length)
            self.call.causal_softmax_back(weights, d_scores, kept.starts, *sizes, head**-0.5)
            dq[:, :, first:end] = (d_scores @ k[:, :end]).view(count, group, -1, head)
            dk[:, :end].baddbmm_(d_scores.transpose(1, 2), q[:, :, first:end].reshape(count, -1, head))
        return dq, dk, dv

    def backward(self, dx: Tensor, dx_codes: Gradient, kept: Kept, windows: int) -> None:
        """
        Turns the gradient of the residual after this layer [tokens, width] into the gradient before it, in
        place.
        """
        call, shape = self.call, self.shape
        tokens, width = dx.shape
        length = tokens // windows

        d_hidden = self.down.back(dx_codes, kept.hidden, scaled=False)
        d_gate_up = Gradient.empty(tokens, 2 * shape.feed_forward)
        call.glu_back(
            d_hidden.codes, d_hidden.steps, d_hidden.factor, kept.gate_up, kept.mlp_in.scales, *self.gate_up.scales.tolist(),
            self.hidden_norm.data, kept.hidden.rs, tokens, shape.feed_forward, d_gate_up.codes, d_gate_up.steps,
            self.hidden_norm.grad,
        )  # fmt: skip
        d_in = self.gate_up.back(d_gate_up, kept.mlp_in, scaled=True)
        call.norm_back(
            d_in.codes, d_in.steps, kept.middle, self.mlp_norm.data, kept.mlp_in.rs, tokens, width, dx, dx_codes.codes,
            dx_codes.steps, self.mlp_norm.grad,
        )  # fmt: skip

        d_merged = self.o.back(dx_codes, kept.heads_out, scaled=False)
        d_o = torch.empty_like(kept.o)
        sizes = (windows, length, shape.heads, shape.head)
        call.merge_heads_back(
            d_merged.codes, d_merged.steps, d_merged.factor, kept.o, self.heads_norm.data, kept.heads_out.rs, *sizes, d_o,
            self.heads_norm.grad,
        )  # fmt: skip
        gradients = self.attend_back(d_o, kept)
        d_qk, d_v = Gradient.empty(tokens, len(self.qk.codes)), Gradient.empty(tokens, len(self.v.codes))
        sizes = (windows, length, shape.heads, shape.kv_heads, shape.head)
        call.split_heads_back(
            *gradients, *self.qk.scales.tolist(), self.cosines, self.sines, *sizes, d_qk.codes, d_qk.steps, d_v.codes, d_v.steps
        )
        d_in = self.qk.back(d_qk, kept.attention_in, scaled=True)
        d_values = self.v.back(d_v, kept.attention_in, scaled=False)
        call.norm_back_two(
            d_in.codes, d_in.steps, d_values.codes, d_values.steps * d_values.factor, kept.x, self.attention_norm.data,
            kept.attention_in.rs, tokens, width, dx, dx_codes.codes, dx_codes.steps, self.attention_norm.grad,
        )  # fmt: skip


class FastStep:
    """Adds gradients to a model's parameters, like train.py's PlainStep."""

    def __init__(self, model: BitNet, library: ctypes.CDLL):
        self.model, self.call = model, Kernels(library)
        self.embedding = model.embed_tokens.weight
        self.narrow_embedding = torch.empty_like(self.embedding.data, dtype=REAL)
        self.norm = model.norm.weight
        self.layers = [FastLayer(block, self.call, model.cosines, model.sines) for block in model.layers]

    def begin(self) -> None:
        """
        Call it after every change of the parameters. Recomputes ternary weights from the masters and zeroes
        gradients.
        """
        for layer in self.layers:
            for matmul in layer.matmuls:
                matmul.round()
        self.narrow_embedding.copy_(self.embedding.data)
        for parameter in (self.embedding, *self.model.norms()):
            parameter.grad = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad.zero_()

    @torch.no_grad()
    def __call__(
        self, inputs: Tensor, targets: Tensor, learned: float, starts: Tensor | None = None, weights: Tensor | None = None
    ) -> float:
        """The same as PlainStep's."""
        call, model = self.call, self.model
        windows, length = inputs.shape
        tokens, width = windows * length, model.shape.width
        ids = inputs.reshape(-1)
        x, before = self.embedding.data[ids], None
        kept = []
        for layer in self.layers:
            x, before, one = layer.forward(x, before, windows, starts)
            kept.append(one)

        rs, last = torch.empty(tokens), torch.empty(tokens, width, dtype=REAL)
        epsilon = model.shape.norm_epsilon
        call.add_norm_quantize(x, *before, self.norm.data, epsilon, tokens, width, None, last, None, rs)
        # Many tokens of a conversation are not learned: the head skips them.
        targets = targets.reshape(-1)
        rows = (targets >= 0).nonzero().squeeze(1)
        last_rows = last[rows]
        logits = last_rows @ self.narrow_embedding.t()
        loss = call.cross_entropy(logits, targets[rows], len(rows), model.shape.vocab_size, 1 / learned)
        if weights is not None:
            logits *= weights.reshape(-1)[rows].unsqueeze(1)

        self.embedding.grad += logits.t() @ last_rows
        d_last = torch.zeros_like(last).index_copy_(0, rows, logits @ self.narrow_embedding)
        dx, dx_codes = torch.zeros(tokens, width), Gradient.empty(tokens, width)
        call.last_norm_back(d_last, x, self.norm.data, rs, tokens, width, dx, dx_codes.codes, dx_codes.steps, self.norm.grad)
        for layer in reversed(self.layers):
            layer.backward(dx, dx_codes, kept.pop(), windows)
        self.embedding.grad.index_add_(0, ids, dx)
        return loss
