"""
Writes a trained model as a Hugging Face checkpoint with packed ternary weights. The engine converts it to
GGUF.

`python3 training/export.py FOLDER` does that with the last state of a run, finished or not.
"""

import environment

environment.ensure()  # Before the first import of a package that may be missing.

import json
import shutil
import subprocess
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, processors
from torch import Tensor

import data
from model import BitLinear, BitNet, RMSNorm, ternarize
from runs import named_run

ROOT = Path(__file__).resolve().parent.parent
COMMAND = ROOT / "dist" / "cli" / "main.js"


@torch.no_grad()
def write_checkpoint(model: BitNet, tokenizer: Tokenizer, folder: Path, sampling: dict, chat: bool) -> None:
    """
    The format of Microsoft's packed 2B4T: codes of two bits and the factor `weight_scale`. Nothing is rounded
    again.

    :param chat: whether conversations were learned. Only then the checkpoint has a chat template.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tensors: dict[str, Tensor] = {"model.embed_tokens.weight": model.embed_tokens.weight.cpu().half()}
    for name, module in model.named_modules():
        if isinstance(module, RMSNorm):
            tensors[f"model.{name}.weight"] = module.weight.cpu().clone()
        elif isinstance(module, BitLinear):
            codes, scale = ternarize(module.weight)
            tensors[f"model.{name}.weight"] = pack(codes).cpu()
            tensors[f"model.{name}.weight_scale"] = scale.reshape(1).cpu()
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})

    bos, eos = tokenizer.token_to_id(data.BOS), tokenizer.token_to_id(data.EOS)
    # The trainer adds BOS itself. Engines add it if the file says so.
    complete = Tokenizer.from_str(tokenizer.to_str())
    complete.post_processor = processors.TemplateProcessing(
        single=f"{data.BOS} $A", pair=f"{data.BOS} $A {data.BOS} $B", special_tokens=[(data.BOS, bos)]
    )
    complete.save(str(folder / "tokenizer.json"))
    shape = model.shape
    write_json(
        folder / "config.json",
        {
            "architectures": ["BitNetForCausalLM"],
            "model_type": "bitnet",
            "hidden_act": "relu2",
            "vocab_size": shape.vocab_size,
            "hidden_size": shape.width,
            "intermediate_size": shape.feed_forward,
            "num_hidden_layers": shape.layers,
            "num_attention_heads": shape.heads,
            "num_key_value_heads": shape.kv_heads,
            "max_position_embeddings": shape.context,
            "rms_norm_eps": shape.norm_epsilon,
            "rope_theta": shape.rope_base,
            "tie_word_embeddings": True,
            "bos_token_id": bos,
            "eos_token_id": eos,
            "torch_dtype": "float16",
            "quantization_config": {
                "quant_method": "bitnet",
                "linear_class": "autobitlinear",
                "quantization_mode": "offline",
            },
        },
    )
    # Engines use it as the model's own default. In the GGUF it is `general.sampling.*`.
    write_json(folder / "generation_config.json", {"do_sample": True, "eos_token_id": eos, **sampling})
    write_json(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": data.BOS,
            "eos_token": data.EOS,
            "pad_token": data.SPECIAL[-1],
            "add_bos_token": True,
            **({"chat_template": data.CHAT_TEMPLATE} if chat else {}),
            "model_max_length": shape.context,
        },
    )


def pack(codes: Tensor) -> Tensor:
    """
    [out, in] of −1, 0, 1 → uint8 [out / 4, in]. Bits 2i and 2i + 1 of row r are row r + i · out / 4, plus 1.
    """
    quarters = (codes + 1).to(torch.uint8).chunk(4)
    packed = torch.zeros_like(quarters[0])
    for index, quarter in enumerate(quarters):
        packed |= quarter << (2 * index)
    return packed


def write_json(path: Path, value: dict) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def bitnet(*arguments: object) -> str:
    """Runs a command of the engine and returns its output. Installs and builds the engine if necessary."""
    node = shutil.which("node")
    if node is None:
        raise SystemExit(f"{arguments[0]}: the engine needs Node.js 20.19 or newer, and there is no node on the PATH")
    if not COMMAND.exists():
        ready = "import('./scripts/ensure-ready.mjs').then((module) => module.ensureReady())"
        subprocess.run([node, "-e", ready], cwd=ROOT, check=True)
    command = [node, COMMAND, *map(str, arguments)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def engine_perplexity(model: Path, text: Path, context: int) -> float:
    return json.loads(bitnet("perplexity", model, "-f", text, "-c", context, "--json"))["perplexity"]


def write_gguf(model: BitNet, tokenizer: Tokenizer, out: Path, config: dict) -> Path:
    """The checkpoint's folder, named after the model, and `model.gguf` made from it."""
    name = config["name"]
    chat = any(stage["chat"] > 0 for stage in config["stages"])
    write_checkpoint(model, tokenizer, out / name, config["sampling"], chat)
    gguf = out / "model.gguf"
    bitnet("convert", out / name, "-o", gguf, "--force")
    return gguf


def main() -> None:
    run = named_run("Write the last state of a run as a GGUF.")
    gguf = write_gguf(run.model, run.tokenizer, run.out, run.config)
    print(f"{gguf}, after {run.tokens:,} tokens")


if __name__ == "__main__":
    main()
