"""
The same loss and gradients as model.py, faster on a CPU. The backward pass is written out. Everything between
matmuls runs in kernels.cpp, which is compiled at the start of a run. README.md gives the reasons, and
`test_fast.py --time` the gain.

A CPU with AMX is fast at bfloat16 matmuls (oneDNN's). Memory limits the rest. So everything between two
matmuls is one pass, and results that a matmul can recompute are not kept.
"""

import ctypes
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from model import BitLinear, BitNet, Block

HERE = Path(__file__).parent
COMPILE = ["-O3", "-march=native", "-ffast-math", "-fopenmp", "-fPIC", "-std=c++17", "-shared"]


def load_kernels() -> ctypes.CDLL | None:
    """None without g++ or if it fails. The caller then continues without the kernels."""
    compiler = shutil.which("g++")
    if compiler is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "kernels.so"
        if subprocess.run([compiler, *COMPILE, HERE / "kernels.cpp", "-o", library, "-lmvec", "-lm"]).returncode != 0:
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


class Matmul:
    """
    Matrices with one input, combined: codes and scaled codes [out, in] in bfloat16, and the masters'
    gradient.
    """

    def __init__(self, linears: list[BitLinear]):
        self.masters = [linear.weight for linear in linears]
        self.sizes = [len(weight) for weight in self.masters]
        shape = (sum(self.sizes), self.masters[0].shape[1])
        self.codes = torch.empty(shape, dtype=torch.bfloat16)
        self.scaled = torch.empty(shape, dtype=torch.bfloat16)
        self.gradient = torch.zeros(shape)
        self.scales = torch.empty(len(linears))

    def round(self, call: Kernels) -> None:
        parts = zip(self.masters, self.codes.split(self.sizes), self.scaled.split(self.sizes), strict=True)
        for index, (weight, codes, scaled) in enumerate(parts):
            self.scales[index] = call.ternarize(weight.data, ctypes.c_int64(weight.numel()), codes, scaled)
            weight.grad = self.gradient.split(self.sizes)[index]
        self.gradient.zero_()

    def __call__(self, codes: Tensor) -> Tensor:
        return codes @ self.codes.t()

    def back(self, dy: Tensor, values: Tensor) -> Tensor:
        """Returns the gradient of the input, and adds to the gradient of the masters."""
        self.gradient += dy.t() @ values
        return dy @ self.scaled


class Quantized:
    """A norm of tokens: its integers, their values, their scales, and 1 / rms."""

    def __init__(self, tokens: int, size: int):
        self.codes = torch.empty(tokens, size, dtype=torch.bfloat16)
        self.values = torch.empty(tokens, size, dtype=torch.bfloat16)
        self.scales = torch.empty(tokens)
        self.rs = torch.empty(tokens)

    @property
    def out(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        return self.codes, self.values, self.scales, self.rs


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
    weights: Tensor
    o: Tensor
    gate_up: Tensor


class FastLayer:
    def __init__(self, block: Block, call: Kernels, cosines: Tensor, sines: Tensor):
        attention, mlp = block.self_attn, block.mlp
        self.call, self.shape, self.cosines, self.sines = call, attention.shape, cosines, sines
        self.qkv = Matmul([attention.q_proj, attention.k_proj, attention.v_proj])
        self.o = Matmul([attention.o_proj])
        self.gate_up = Matmul([mlp.gate_proj, mlp.up_proj])
        self.down = Matmul([mlp.down_proj])
        self.matmuls = [self.qkv, self.o, self.gate_up, self.down]
        self.attention_norm, self.mlp_norm = block.input_layernorm.weight, block.post_attention_layernorm.weight
        self.heads_norm, self.hidden_norm = attention.attn_sub_norm.weight, mlp.ffn_sub_norm.weight
        self.norms = [self.attention_norm, self.mlp_norm, self.heads_norm, self.hidden_norm]

    def forward(self, x: Tensor, before: tuple[Tensor, Tensor, float] | None, windows: int) -> tuple[Tensor, tuple, Kept]:
        """
        :param x: the residual [tokens, width].
        :param before: a pending addition to x: a matmul's result, its input's scales, its matrix's scale.
        :returns: the pending addition after this layer, in the same form.
        """
        call, shape = self.call, self.shape
        tokens, width = x.shape
        length, group = tokens // windows, shape.heads // shape.kv_heads
        epsilon = shape.norm_epsilon

        attention_in = Quantized(tokens, width)
        call.add_norm_quantize(x, *(before or (None, None, 0.0)), self.attention_norm.data, epsilon, tokens, width, *attention_in.out)
        q = torch.empty(windows * shape.kv_heads, group * length, shape.head, dtype=torch.bfloat16)
        k, v = (torch.empty(windows * shape.kv_heads, length, shape.head, dtype=torch.bfloat16) for _ in range(2))
        sizes = (windows, length, shape.heads, shape.kv_heads, shape.head)
        call.split_heads(
            self.qkv(attention_in.codes), attention_in.scales, self.qkv.scales, self.cosines, self.sines, *sizes, q, k, v
        )
        # Queries that share keys are adjacent rows, so that one matmul computes all of them.
        weights = q @ k.transpose(1, 2)
        call.causal_softmax(weights, windows * shape.heads, length, shape.head**-0.5)
        o = weights @ v
        heads_out = Quantized(tokens, width)
        call.merge_heads_quantize(o, self.heads_norm.data, epsilon, windows, length, shape.heads, shape.head, *heads_out.out)

        middle = x.clone()
        mlp_in = Quantized(tokens, width)
        attended = (self.o(heads_out.codes), heads_out.scales, self.o.scales[0].item())
        call.add_norm_quantize(middle, *attended, self.mlp_norm.data, epsilon, tokens, width, *mlp_in.out)
        gate_up = self.gate_up(mlp_in.codes)
        hidden = Quantized(tokens, shape.feed_forward)
        call.glu_quantize(
            gate_up, mlp_in.scales, *self.gate_up.scales.tolist(), self.hidden_norm.data, epsilon, tokens, shape.feed_forward,
            *hidden.out,
        )  # fmt: skip
        after = (self.down(hidden.codes), hidden.scales, self.down.scales[0].item())
        kept = Kept(x, middle, attention_in, heads_out, mlp_in, hidden, q, k, v, weights, o, gate_up)
        return middle.clone(), after, kept

    def backward(self, dx: Tensor, dx_narrow: Tensor, kept: Kept, windows: int) -> None:
        """
        Turns the gradient of the residual after this layer [tokens, width] into the gradient before it, in
        place.
        """
        call, shape = self.call, self.shape
        tokens, width = dx.shape
        length, group = tokens // windows, shape.heads // shape.kv_heads

        d_hidden = self.down.back(dx_narrow, kept.hidden.values)
        d_gate_up = torch.empty_like(kept.gate_up)
        call.glu_back(
            d_hidden, kept.gate_up, kept.mlp_in.scales, *self.gate_up.scales.tolist(), self.hidden_norm.data, kept.hidden.rs,
            tokens, shape.feed_forward, d_gate_up, self.hidden_norm.grad,
        )  # fmt: skip
        d_in = self.gate_up.back(d_gate_up, kept.mlp_in.values)
        call.norm_back(
            d_in, kept.middle, self.mlp_norm.data, kept.mlp_in.rs, tokens, width, dx, dx_narrow, self.mlp_norm.grad
        )

        d_merged = self.o.back(dx_narrow, kept.heads_out.values)
        d_o = torch.empty_like(kept.o)
        sizes = (windows, length, shape.heads, shape.head)
        call.merge_heads_back(d_merged, kept.o, self.heads_norm.data, kept.heads_out.rs, *sizes, d_o, self.heads_norm.grad)
        dv = kept.weights.transpose(1, 2) @ d_o
        d_scores = d_o @ kept.v.transpose(1, 2)
        call.causal_softmax_back(kept.weights, d_scores, windows * shape.heads, length, shape.head**-0.5)
        dq = d_scores @ kept.k
        dk = d_scores.transpose(1, 2) @ kept.q
        d_qkv = torch.empty(tokens, len(self.qkv.codes), dtype=torch.bfloat16)
        sizes = (windows, length, shape.heads, shape.kv_heads, shape.head)
        call.split_heads_back(dq, dk, dv, self.cosines, self.sines, *sizes, d_qkv)
        d_in = self.qkv.back(d_qkv, kept.attention_in.values)
        call.norm_back(
            d_in, kept.x, self.attention_norm.data, kept.attention_in.rs, tokens, width, dx, dx_narrow, self.attention_norm.grad
        )


class FastStep:
    """Adds gradients to a model's parameters, like train.py's PlainStep."""

    def __init__(self, model: BitNet, library: ctypes.CDLL):
        self.model, self.call = model, Kernels(library)
        self.embedding = model.embed_tokens.weight
        self.narrow_embedding = torch.empty_like(self.embedding.data, dtype=torch.bfloat16)
        self.norm = model.norm.weight
        self.layers = [FastLayer(block, self.call, model.cosines, model.sines) for block in model.layers]

    def begin(self) -> None:
        """
        Call it after every change of the parameters. Recomputes ternary weights from the masters and zeroes
        gradients.
        """
        for layer in self.layers:
            for matmul in layer.matmuls:
                matmul.round(self.call)
        self.narrow_embedding.copy_(self.embedding.data)
        for parameter in (self.embedding, *self.model.norms()):
            parameter.grad = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad.zero_()

    @torch.no_grad()
    def __call__(self, inputs: Tensor, targets: Tensor, learned: int) -> float:
        """The same as PlainStep's."""
        call, model = self.call, self.model
        windows, length = inputs.shape
        tokens, width = windows * length, model.shape.width
        ids = inputs.reshape(-1)
        x, before = self.embedding.data[ids], None
        kept = []
        for layer in self.layers:
            x, before, one = layer.forward(x, before, windows)
            kept.append(one)

        rs, last = torch.empty(tokens), torch.empty(tokens, width, dtype=torch.bfloat16)
        epsilon = model.shape.norm_epsilon
        call.add_norm_quantize(x, *before, self.norm.data, epsilon, tokens, width, None, last, None, rs)
        logits = last @ self.narrow_embedding.t()
        loss = call.cross_entropy(logits, targets.contiguous(), tokens, model.shape.vocab_size, 1 / learned)

        self.embedding.grad += logits.t() @ last
        d_last = logits @ self.narrow_embedding
        dx, dx_narrow = torch.zeros(tokens, width), torch.empty(tokens, width, dtype=torch.bfloat16)
        call.norm_back(d_last, x, self.norm.data, rs, tokens, width, dx, dx_narrow, self.norm.grad)
        for layer in reversed(self.layers):
            layer.backward(dx, dx_narrow, kept.pop(), windows)
        self.embedding.grad.index_add_(0, ids, dx)
        return loss
