"""
Tests fine-tuning on a tiny checkpoint that transformers makes:
`python3 training/test_finetune.py --out FOLDER`. It needs transformers and accelerate besides
requirements.txt.
"""

import os

os.environ["TORCHDYNAMO_DISABLE"] = "1"  # transformers compiles its layers otherwise.

import environment

environment.ensure()  # Before the first import of a package that may be missing.

import argparse
import json
import tomllib
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer, processors

import data
from export import bitnet
from finetune import HERE, finetune
from masters import read_masters
from model import BitNet
from texts import read_texts

# Both compute in float32, in other orders. With int8 activations, that flips a few roundings, and every flip
# changes later ones.
MAX_DIFFERENCE = 1e-5
MAX_DIFFERENCE_ROUNDED = 1e-2
VOCABULARY, CONTEXT = 1024, 256


def main() -> None:
    if any(find_spec(name) is None for name in ("transformers", "accelerate")):
        raise SystemExit("this test needs transformers and accelerate: pip install transformers accelerate")
    parser = argparse.ArgumentParser(description="Fine-tune a tiny random checkpoint of transformers.")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    out = parser.parse_args().out
    text, checkpoint = out / "text", out / "checkpoint"
    write_texts(text)
    write_checkpoint(checkpoint, text)

    config = tomllib.loads((HERE / "finetune.toml").read_text(encoding="utf-8"))
    for section, settings in config["smoke"].items():
        config[section] |= settings
    compare_logits("before", checkpoint, read_masters(checkpoint, config["train"]["window"]).model)
    masters = finetune(config, checkpoint, text, out)
    tuned = out / config["name"]
    compare_logits("after", tuned, masters.model)

    losses = [json.loads(line)["loss"] for line in (out / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    first, *_, last = [loss for loss in losses if loss is not None]
    print(f"loss: {first:.3f}, then {last:.3f}")
    require(last < first - 1, "the loss does not fall")
    before, after = (load_file(folder / "model.safetensors") for folder in (checkpoint, tuned))
    layout = [{name: (tensor.shape, tensor.dtype) for name, tensor in tensors.items()} for tensors in (before, after)]
    require(layout[0] == layout[1], "the written checkpoint has another layout")
    changed = sum(int((before[name] != after[name]).any()) for name in before)
    require(changed == len(before), f"only {changed} of {len(before)} tensors changed")
    files = [sorted(path.name for path in folder.iterdir()) for folder in (checkpoint, tuned)]
    require(files[0] == files[1], f"the folders have other files: {files}")
    print(bitnet("run", out / "model.gguf", "-p", "The Fox", "-n", 24, "--temp", 0))


def write_texts(folder: Path) -> None:
    """The books of sample/, each as a text file."""
    folder.mkdir(parents=True, exist_ok=True)
    books = (HERE / "sample" / "stories.txt").read_text(encoding="utf-8").split("\n\n\n")
    for number, book in enumerate(books, 1):
        (folder / f"book-{number}.txt").write_text(book, encoding="utf-8")


def write_checkpoint(folder: Path, text: Path) -> None:
    """Random masters in bfloat16, with a tokenizer and a template like Llama 3's."""
    from transformers import BitNetConfig, BitNetForCausalLM, PreTrainedTokenizerFast

    tokenizer = data.train_tokenizer(read_texts(text), VOCABULARY)
    bos, eos = (tokenizer.token_to_id(token) for token in (data.BOS, data.EOS))
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{data.BOS} $A", pair=f"{data.BOS} $A {data.BOS} $B", special_tokens=[(data.BOS, bos)]
    )
    torch.manual_seed(0)
    config = BitNetConfig(
        vocab_size=VOCABULARY,
        hidden_size=128,
        intermediate_size=384,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=CONTEXT,
        bos_token_id=bos,
        eos_token_id=eos,
        tie_word_embeddings=True,
    )
    model = BitNetForCausalLM(config)
    for name, parameter in model.named_parameters():
        if "norm" in name:
            parameter.data.uniform_(0.5, 1.5)
    model.bfloat16().save_pretrained(folder)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=data.BOS, eos_token=data.EOS).save_pretrained(folder)
    path = folder / "config.json"
    quantization = {"quant_method": "bitnet", "linear_class": "autobitlinear", "quantization_mode": "online"}
    path.write_text(json.dumps(json.loads(path.read_text()) | {"quantization_config": quantization}, indent=2))
    require(Tokenizer.from_file(str(folder / "tokenizer.json")).encode("a").ids[0] == bos, "the template adds no BOS")


@torch.no_grad()
def compare_logits(when: str, folder: Path, model: BitNet) -> None:
    """Compares model.py with transformers, both in float32: without int8 activations, and with them."""
    import transformers

    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    theirs = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    torch.nn.Module.float(theirs)  # Quantized models ignore `dtype`.
    ids = torch.randint(0, VOCABULARY, (4, 96), generator=torch.Generator().manual_seed(1))

    def difference() -> float:
        expected = theirs(ids, use_cache=False).logits
        return float((model(ids) - expected).norm() / expected.norm())

    with (
        patch("model.quantize_activations", lambda x: (x, torch.ones_like(x[..., :1]))),
        patch("transformers.integrations.bitnet.ActQuant", SimpleNamespace(apply=lambda x: x)),
    ):
        exact = difference()
    rounded = difference()
    print(f"logits {when}: {exact:.1e} from transformers' without int8 activations, {rounded:.1e} with them", flush=True)
    require(exact < MAX_DIFFERENCE and rounded < MAX_DIFFERENCE_ROUNDED, "model.py computes another model than transformers")


def require(condition: bool, reason: str) -> None:
    if not condition:
        raise SystemExit(reason)


if __name__ == "__main__":
    main()
