"""
BitNet b1.58 like Microsoft's 2B4T: ternary weights and int8 activations, trained with straight-through
rounding.

Shapes: B windows, T tokens, C width, H heads, K key/value heads, D head size.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class Shape:
    vocab_size: int
    layers: int
    width: int
    feed_forward: int
    heads: int
    kv_heads: int
    context: int
    rope_base: float
    norm_epsilon: float

    @property
    def head(self) -> int:
        return self.width // self.heads


class _Round(torch.autograd.Function):
    """Rounds half to even and clamps. Its gradient is the identity: the straight-through estimator."""

    @staticmethod
    def forward(ctx, x: Tensor, low: float, high: float) -> Tensor:
        return x.round().clamp(low, high)

    @staticmethod
    def backward(ctx, gradient: Tensor):
        return gradient, None, None


def quantize_activations(x: Tensor) -> tuple[Tensor, Tensor]:
    """
    [..., C] → integers −128 … 127 as floats, and their scale [..., 1]: 127 divided by a token's maximum.
    """
    scale = 127 / x.detach().abs().amax(-1, keepdim=True).clamp(min=1e-5)
    return _Round.apply(x * scale, -128.0, 127.0), scale


def ternarize(weight: Tensor) -> tuple[Tensor, Tensor]:
    """[out, in] → −1, 0, 1 as floats, and the scale of the matrix: its mean magnitude."""
    scale = weight.detach().abs().mean().clamp(min=1e-5)
    return _Round.apply(weight / scale, -1.0, 1.0), scale


class BitLinear(nn.Module):
    """
    y = (Σ w·q) · (weight scale / activation scale) with w ternary and q int8: the engine's operations.

    Small integers are exact in bfloat16, and the matmul sums in float32. So training in bfloat16 only rounds
    the result.
    """

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs).normal_(std=0.02))

    def forward(self, codes: Tensor, activation_scale: Tensor, dtype: torch.dtype) -> Tensor:
        weight, scale = ternarize(self.weight)
        return F.linear(codes.to(dtype), weight.to(dtype)).float() * (scale / activation_scale)


class RMSNorm(nn.Module):
    def __init__(self, size: int, epsilon: float):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.epsilon = epsilon

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + self.epsilon) * self.weight


def rotary_tables(shape: Shape) -> tuple[Tensor, Tensor]:
    """Cosines and sines [context, D / 2]."""
    frequencies = shape.rope_base ** (-torch.arange(0, shape.head, 2).double() / shape.head)
    angles = torch.outer(torch.arange(shape.context).double(), frequencies)
    return angles.cos().float(), angles.sin().float()


def rotate(x: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    """RoPE on [B, heads, T, D]. Pairs are i and i + D / 2 (NEOX)."""
    a, b = x.chunk(2, -1)
    return torch.cat((a * cosines - b * sines, b * cosines + a * sines), -1)


class Attention(nn.Module):
    def __init__(self, shape: Shape):
        super().__init__()
        self.shape = shape
        self.q_proj = BitLinear(shape.width, shape.heads * shape.head)
        self.k_proj = BitLinear(shape.width, shape.kv_heads * shape.head)
        self.v_proj = BitLinear(shape.width, shape.kv_heads * shape.head)
        self.attn_sub_norm = RMSNorm(shape.width, shape.norm_epsilon)
        self.o_proj = BitLinear(shape.width, shape.width)

    def forward(self, x: Tensor, cosines: Tensor, sines: Tensor, dtype: torch.dtype, mask: Tensor | None) -> Tensor:
        batch, tokens, width = x.shape
        codes, scale = quantize_activations(x)

        def heads(projection: BitLinear, count: int) -> Tensor:
            return projection(codes, scale, dtype).view(batch, tokens, count, -1).transpose(1, 2)

        q = rotate(heads(self.q_proj, self.shape.heads), cosines, sines).to(dtype)
        k = rotate(heads(self.k_proj, self.shape.kv_heads), cosines, sines).to(dtype)
        v = heads(self.v_proj, self.shape.kv_heads).to(dtype)
        group = self.shape.heads // self.shape.kv_heads
        k, v = k.repeat_interleave(group, 1), v.repeat_interleave(group, 1)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=mask is None).float()
        y = self.attn_sub_norm(y.transpose(1, 2).reshape(batch, tokens, width))
        return self.o_proj(*quantize_activations(y), dtype)


class FeedForward(nn.Module):
    def __init__(self, shape: Shape):
        super().__init__()
        self.gate_proj = BitLinear(shape.width, shape.feed_forward)
        self.up_proj = BitLinear(shape.width, shape.feed_forward)
        self.ffn_sub_norm = RMSNorm(shape.feed_forward, shape.norm_epsilon)
        self.down_proj = BitLinear(shape.feed_forward, shape.width)

    def forward(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        codes, scale = quantize_activations(x)
        gate = F.relu(self.gate_proj(codes, scale, dtype)).square()
        hidden = self.ffn_sub_norm(gate * self.up_proj(codes, scale, dtype))
        return self.down_proj(*quantize_activations(hidden), dtype)


class Block(nn.Module):
    def __init__(self, shape: Shape):
        super().__init__()
        self.input_layernorm = RMSNorm(shape.width, shape.norm_epsilon)
        self.self_attn = Attention(shape)
        self.post_attention_layernorm = RMSNorm(shape.width, shape.norm_epsilon)
        self.mlp = FeedForward(shape)

    def forward(self, x: Tensor, cosines: Tensor, sines: Tensor, dtype: torch.dtype, mask: Tensor | None) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x), cosines, sines, dtype, mask)
        return x + self.mlp(self.post_attention_layernorm(x), dtype)


class BitNet(nn.Module):
    """Parameters have the names of transformers' BitNetForCausalLM, without "model." in front."""

    def __init__(self, shape: Shape):
        super().__init__()
        self.shape = shape
        self.embed_tokens = nn.Embedding(shape.vocab_size, shape.width)
        nn.init.normal_(self.embed_tokens.weight, std=0.02)
        self.layers = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.norm = RMSNorm(shape.width, shape.norm_epsilon)
        cosines, sines = rotary_tables(shape)
        self.register_buffer("cosines", cosines, persistent=False)
        self.register_buffer("sines", sines, persistent=False)

    def forward(self, ids: Tensor, dtype: torch.dtype = torch.float32, starts: Tensor | None = None) -> Tensor:
        """
        Ids [B, T] → logits [B, T, vocabulary] in `dtype`. The head is the transposed embedding.

        :param starts: [B, T], the first position that each position may see. None: all before it.
        """
        tokens = ids.shape[1]
        mask = None
        if starts is not None:
            positions = torch.arange(tokens, device=ids.device)
            mask = ((positions <= positions[:, None]) & (positions >= starts[..., None]))[:, None]
        cosines, sines = self.cosines[:tokens], self.sines[:tokens]
        x = self.embed_tokens(ids).float()
        for layer in self.layers:
            x = layer(x, cosines, sines, dtype, mask)
        return F.linear(self.norm(x).to(dtype), self.embed_tokens.weight.to(dtype))

    def matrices(self) -> list[nn.Parameter]:
        """The masters of the ternary matrices."""
        return [module.weight for module in self.modules() if isinstance(module, BitLinear)]

    def norms(self) -> list[nn.Parameter]:
        return [module.weight for module in self.modules() if isinstance(module, RMSNorm)]
