"""
Reads and writes the masters of a BitNet checkpoint, such as microsoft/bitnet-b1.58-2B-4T-bf16: the floats
that transformers' BitNetForCausalLM makes ternary while it computes.
"""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from tokenizers import Tokenizer

import data
from model import BitNet, Shape

# The default of transformers' BitNetConfig.
ROPE_BASE = 500_000.0


@dataclass
class Masters:
    folder: Path
    tokenizer: Tokenizer
    model: BitNet
    dtypes: dict[str, torch.dtype]

    @torch.no_grad()
    def write(self, folder: Path) -> None:
        """
        Writes the same files with the model's weights, in the types that they had. The model gets the rounded
        weights too.
        """
        folder.mkdir(parents=True, exist_ok=True)
        for path in self.folder.iterdir():
            weights = path.suffix in (".safetensors", ".bin", ".gguf", ".pt") or path.name.endswith(".index.json")
            if path.is_file() and not weights:
                shutil.copyfile(path, folder / path.name)
        tensors = {}
        for name, parameter in parameters_of(self.model).items():
            tensors[name] = parameter.to(self.dtypes[name])
            parameter.copy_(tensors[name])
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


@torch.no_grad()
def read_masters(folder: Path, context: int) -> Masters:
    """
    Ends the program if model.py computes another model than the checkpoint's.

    :param context: tokens of a window, at most the checkpoint's context.
    """
    paths = sorted(folder.glob("*.safetensors"))
    missing = [name for name in ("config.json", "tokenizer.json") if not (folder / name).exists()]
    if not paths or missing:
        raise SystemExit(f"{folder} is no checkpoint: there is no {', no '.join(missing) or 'safetensors file'}")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    shape = read_shape(config, context)
    tokenizer = read_tokenizer(folder / "tokenizer.json", config)
    model = BitNet(shape)
    parameters, dtypes = parameters_of(model), {}
    for path in paths:
        with safe_open(path, "pt") as file:
            for name in file.keys():
                tensor = file.get_tensor(name)
                parameter = parameters.get(name)
                if parameter is None or parameter.shape != tensor.shape or not tensor.is_floating_point():
                    raise SystemExit(f"{path}: {name} {list(tensor.shape)} {tensor.dtype} is no master of this model")
                parameter.copy_(tensor)
                dtypes[name] = tensor.dtype
    absent = parameters.keys() - dtypes.keys()
    if absent:
        raise SystemExit(f"{folder} has no {', '.join(sorted(absent)[:3])}: {len(absent)} tensors are missing")
    return Masters(folder, tokenizer, model, dtypes)


def parameters_of(model: BitNet) -> dict[str, torch.nn.Parameter]:
    """The parameters by their names in a checkpoint."""
    return {f"model.{name}": parameter for name, parameter in model.named_parameters()}


def read_shape(config: dict, context: int) -> Shape:
    """The shape in config.json. Every setting that model.py does not compute is refused."""
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    quantization = config.get("quantization_config") or {}
    width, heads = config["hidden_size"], config["num_attention_heads"]
    expected = {
        "architectures": (config.get("architectures"), ["BitNetForCausalLM"]),
        "hidden_act": (config.get("hidden_act", "relu2"), "relu2"),
        "attention_bias": (config.get("attention_bias", False), False),
        "tie_word_embeddings": (config.get("tie_word_embeddings", False), True),
        "head_dim": (config.get("head_dim") or width // heads, width / heads),
        "rope_type": (rope.get("rope_type", rope.get("type", "default")), "default"),
    }
    if quantization:
        expected |= {
            "quant_method": (quantization.get("quant_method"), "bitnet"),
            "linear_class": (quantization.get("linear_class"), "autobitlinear"),
            "quantization_mode": (quantization.get("quantization_mode"), "online"),
            "use_rms_norm": (quantization.get("use_rms_norm", False), False),
            "modules_to_not_convert": (set(quantization.get("modules_to_not_convert") or []) - {"lm_head"}, set()),
        }
    for key, (value, required) in expected.items():
        if value != required:
            raise SystemExit(f"config.json: {key} is {value!r}, and the trainer only computes {required!r}")
    longest = config["max_position_embeddings"]
    if context > longest:
        raise SystemExit(f"a window has {context} tokens, and the checkpoint's context only {longest}")
    return Shape(
        vocab_size=config["vocab_size"],
        layers=config["num_hidden_layers"],
        width=width,
        feed_forward=config["intermediate_size"],
        heads=heads,
        kv_heads=config.get("num_key_value_heads") or heads,
        context=context,
        rope_base=rope.get("rope_theta", config.get("rope_theta", ROPE_BASE)),
        norm_epsilon=config.get("rms_norm_eps", 1e-5),
    )


def read_tokenizer(path: Path, config: dict) -> Tokenizer:
    """
    The tokenizer without its template, which adds BOS: the trainer adds BOS itself. Control tokens that a
    text spells stay text, as in the engine.
    """
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.post_processor = None
    tokenizer.encode_special_tokens = True
    if tokenizer.get_vocab_size() > config["vocab_size"]:
        raise SystemExit(f"{path} has {tokenizer.get_vocab_size()} tokens, and config.json {config['vocab_size']}")
    for token, key in ((data.BOS, "bos_token_id"), (data.EOS, "eos_token_id")):
        ids = config.get(key)
        if tokenizer.token_to_id(token) not in (ids if isinstance(ids, list) else [ids]):
            raise SystemExit(f"{path}: {token} is not {key} of config.json, {ids}: the trainer knows no other names")
    return tokenizer
