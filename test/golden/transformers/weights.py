"""Weights as a function of a tensor's name and the index, exact in float32, bfloat16 and float16."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

SIZES = {"F32": 4, "F16": 2, "BF16": 2, "U8": 1}


@dataclass(frozen=True)
class Tensor:
    name: str
    dtype: str
    shape: list[int]
    # even: centre + amplitude · odd / 128, for odd numbers from -127 to 127.
    # norm: centre + amplitude · k / 64, for k from -64 to 63.
    # codes: four ternary codes (0, 1, 2) in each byte.
    kind: str
    centre: float = 0
    amplitude: float = 1

    def entry(self) -> dict:
        return {key: getattr(self, key) for key in ("name", "dtype", "shape", "kind", "centre", "amplitude")}


def tensors_of(shapes: dict[str, list[int]], variant) -> list[Tensor]:
    """What becomes of the tensors of a dense checkpoint: packed matrices with scales, and norms before projections."""
    quantization = variant.quantization or {}
    packed = variant.quantization is not None and quantization.get("quantization_mode") != "online"
    divides = quantization.get("linear_class", "bitlinear") == "bitlinear"
    tensors = []
    for name in sorted(shapes):
        shape = shapes[name]
        if not re.search(r"_proj\.weight$", name):
            tensors.append(dense(name, shape, variant))
            continue
        rows, cols = shape
        if packed:
            tensors.append(Tensor(name, "U8", [rows // 4, cols], "codes"))
            # As many zeros as ones: this scale gives rows of length 1.
            scale = (1.5 / cols) ** 0.5
            centre = round(8 / scale) / 8 if divides else round(scale * 1024) / 1024
            tensors.append(Tensor(f"{name}_scale", variant.dtype, [1], "norm", centre, 0))
        else:
            tensors.append(dense(name, shape, variant))
        own_norm = variant.own_norm
        if own_norm is not None:
            norm = name.replace(".weight", f".{own_norm}.weight")
            tensors.append(Tensor(norm, variant.dtype, [cols], "norm", 1, 0.5))
    return tensors


def dense(name: str, shape: list[int], variant) -> Tensor:
    if name.endswith(".bias"):
        return Tensor(name, variant.dtype, shape, "even", 0, 0.25)
    if len(shape) == 1:
        return Tensor(name, variant.dtype, shape, "norm", 0 if variant.norms_less_one else 1, 0.5)
    if "embed_tokens" in name or "lm_head" in name:
        # Less where the head is the embedding, and where rows are scaled up: else each token would only say itself again.
        amplitude = 0.125 if variant.norms_less_one else 0.25 if variant.config.tie_word_embeddings else 0.5
        return Tensor(name, variant.dtype, shape, "even", 0, amplitude)
    # The power of two nearest to rows of length 1.
    return Tensor(name, variant.dtype, shape, "even", 0, 2.0 ** round(np.log2((3 / shape[1]) ** 0.5)))


def hashes(name: str, count: int) -> np.ndarray:
    """32 random-looking bits for each index: FNV-1a of the name, then lowbias32."""
    seed = 0x811C9DC5
    for byte in name.encode():
        seed = (seed ^ byte) * 0x01000193 % 2**32
    x = (np.arange(count, dtype=np.uint64) * 0x9E3779B9 + seed).astype(np.uint32)
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        x = (x ^ (x >> np.uint32(shift))) * np.uint32(factor)
    return x ^ (x >> np.uint32(16))


def fill(tensor: Tensor) -> bytes:
    count = int(np.prod(tensor.shape))
    if tensor.kind == "codes":
        codes = (hashes(tensor.name, 4 * count) % 3).astype(np.uint8).reshape(count, 4)
        return (codes << np.array([0, 2, 4, 6], dtype=np.uint8)).sum(axis=1, dtype=np.uint8).tobytes()
    k = (hashes(tensor.name, count) >> np.uint32(25)).astype(np.float64) - 64
    steps = (2 * k + 1) / 128 if tensor.kind == "even" else k / 64
    values = (tensor.centre + tensor.amplitude * steps).astype("<f4")
    if tensor.dtype == "F32":
        return values.tobytes()
    if tensor.dtype == "F16":
        return exact(values, values.astype("<f2")).tobytes()
    bits = values.view("<u4")
    if (bits & 0xFFFF).any():
        raise ValueError(f"{tensor.name} is not exact in bfloat16")
    return (bits >> np.uint32(16)).astype("<u2").tobytes()


def exact(values: np.ndarray, rounded: np.ndarray) -> np.ndarray:
    if (rounded.astype(np.float32) != values).any():
        raise ValueError("weights are not exact in float16")
    return rounded


def write_safetensors(path: Path, tensors: list[Tensor], data: list[bytes]) -> None:
    header, end = {"__metadata__": {"format": "pt"}}, 0
    for tensor, part in zip(tensors, data, strict=True):
        header[tensor.name] = {"dtype": tensor.dtype, "shape": tensor.shape, "data_offsets": [end, end + len(part)]}
        end += len(part)
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(data))
