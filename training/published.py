"""
Reads a published GGUF as the beginning of a run. The file has no masters: `draw_masters` makes some that
round to its ternary weights.
"""

import math
import struct
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

import data
from export import bitnet
from model import BitLinear, BitNet, Shape

ARCHITECTURE = "bitnet-b1.58"
# A layer's tensors in a GGUF, by their names here.
LAYER = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "attn_sub_norm": "self_attn.attn_sub_norm",
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
    "ffn_sub_norm": "mlp.ffn_sub_norm",
}
OUTSIDE = {"token_embd": "embed_tokens", "output_norm": "norm"}
# GGUF's types of values, as struct knows them.
SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
STRING, ARRAY = 8, 9
FLOATS = {0: np.dtype("<f4"), 1: np.dtype("<f2")}


@dataclass
class Published:
    metadata: dict
    tensors: dict[str, np.ndarray]

    def tokenizer(self) -> Tokenizer:
        """The tokenizer as data.py trains it."""
        tokens = self.metadata["tokenizer.ggml.tokens"]
        special = tokens[-len(data.SPECIAL) :]
        if special != data.SPECIAL:
            raise SystemExit(f"the last tokens of the file are {special}, and this trainer's are {data.SPECIAL}")
        merges = [tuple(merge.split(" ")) for merge in self.metadata["tokenizer.ggml.merges"]]
        vocabulary = {token: place for place, token in enumerate(tokens[: -len(data.SPECIAL)])}
        tokenizer = data.empty_tokenizer(vocabulary, merges)
        tokenizer.add_special_tokens(data.SPECIAL)
        return tokenizer

    @torch.no_grad()
    def copy_to(self, model: BitNet, seed: int) -> None:
        """Ends the program if the file is another model than config.toml, or not ternary."""
        self.require_same(model.shape)
        generator = torch.Generator().manual_seed(seed)
        linear = {f"{name}.weight" for name, module in model.named_modules() if isinstance(module, BitLinear)}
        parameters = dict(model.named_parameters())
        for name, value in self.tensors.items():
            own = own_name(name)
            if own not in parameters or parameters[own].shape != value.shape:
                raise SystemExit(f"the file's {name} {list(value.shape)} is no tensor of the model in config.toml")
            tensor = torch.from_numpy(value.astype(np.float32))
            if own in linear and not is_ternary(tensor):
                raise SystemExit(f"the file's {name} is not ternary with one scale")
            parameters.pop(own).copy_(draw_masters(tensor, generator) if own in linear else tensor)
        if parameters:
            raise SystemExit(f"the file has no {', '.join(sorted(parameters)[:3])}: {len(parameters)} tensors are missing")


    def require_same(self, shape: Shape) -> None:
        """Shapes do not tell these settings, and they change what a model computes."""
        architecture = self.metadata["general.architecture"]
        if architecture != ARCHITECTURE:
            raise SystemExit(f"the file's architecture is {architecture}, and only {ARCHITECTURE} is known")
        for key, own in {
            "attention.head_count": shape.heads,
            "attention.head_count_kv": shape.kv_heads,
            "rope.freq_base": shape.rope_base,
            "attention.layer_norm_rms_epsilon": shape.norm_epsilon,
        }.items():
            given = self.metadata[f"{ARCHITECTURE}.{key}"]
            if not math.isclose(given, own, rel_tol=1e-6):
                raise SystemExit(f"the file's {key} is {given}, and config.toml has {own}")


def own_name(name: str) -> str | None:
    """None for a tensor that the trainer's models do not have, such as a head of its own."""
    stem = name.removesuffix(".weight")
    if stem in OUTSIDE:
        return f"{OUTSIDE[stem]}.weight"
    block, *place = stem.split(".")
    if block != "blk" or len(place) != 2 or place[1] not in LAYER:
        return None
    return f"layers.{place[0]}.{LAYER[place[1]]}.weight"


def is_ternary(weight: Tensor) -> bool:
    """Whether a matrix has only −s, 0 and s."""
    scale = weight.abs().max()
    return bool(scale > 0) and torch.equal(weight.abs(), torch.where(weight == 0, 0.0, scale))


def draw_masters(weight: Tensor, generator: torch.Generator) -> Tensor:
    """
    Masters that round to a matrix of −s, 0 and s, with the mean magnitude s. Those of a zero are anywhere
    between −s / 2 and s / 2. The others are anywhere above s / 2, up to a bound that makes the mean right.
    """
    scale = weight.abs().max()
    codes = weight.sign()
    draw = torch.rand(weight.shape, generator=generator).double()
    # Not at the borders: rounding must not change a code.
    small = (2 * draw - 1) * 0.49
    # The draws above the border are stretched until the mean magnitude is exact.
    rest = weight.numel() - float(small[codes == 0].abs().sum())
    above = codes.abs().double() * draw
    stretch = (rest - 0.51 * float(codes.abs().sum())) / float(above.sum())
    masters = torch.where(codes == 0, small, codes * (0.51 + stretch * draw))
    return (masters * scale).to(weight.dtype)


def read_published(path: Path) -> Published:
    """A GGUF of any ternary type: the engine writes it as floats first."""
    with tempfile.TemporaryDirectory() as folder:
        floats = Path(folder) / "floats.gguf"
        bitnet("convert", path, "-o", floats, "--type", "f32")
        return read_gguf(floats)


def read_gguf(path: Path) -> Published:
    """The metadata and the tensors of a GGUF with F32 and F16 tensors. Source: the GGUF specification."""
    with path.open("rb") as file:
        magic, version, tensors, pairs = struct.unpack("<4sIQQ", file.read(24))
        if magic != b"GGUF" or version != 3:
            raise SystemExit(f"{path} is no GGUF of version 3")
        metadata = {}
        for _ in range(pairs):
            key = read_string(file)
            metadata[key] = read_value(file, read_scalar(file, "I"))
        infos = []
        for _ in range(tensors):
            name = read_string(file)
            shape = [read_scalar(file, "Q") for _ in range(read_scalar(file, "I"))]
            infos.append((name, shape[::-1], read_scalar(file, "I"), read_scalar(file, "Q")))
        alignment = metadata.get("general.alignment", 32)
        start = -(-file.tell() // alignment) * alignment
        found = {}
        for name, shape, kind, offset in infos:
            if kind not in FLOATS:
                raise SystemExit(f"{path}: {name} has type {kind}, and only F32 and F16 are read here")
            file.seek(start + offset)
            count = int(np.prod(shape))
            found[name] = np.frombuffer(file.read(count * FLOATS[kind].itemsize), FLOATS[kind]).reshape(shape)
    return Published(metadata, found)


def read_value(file: BinaryIO, kind: int) -> object:
    if kind == STRING:
        return read_string(file)
    if kind == ARRAY:
        inner, count = read_scalar(file, "I"), read_scalar(file, "Q")
        return [read_value(file, inner) for _ in range(count)]
    return read_scalar(file, SCALARS[kind])


def read_scalar(file: BinaryIO, form: str):
    return struct.unpack(f"<{form}", file.read(struct.calcsize(f"<{form}")))[0]


def read_string(file: BinaryIO) -> str:
    return file.read(read_scalar(file, "Q")).decode()
