"""Makes the golden data of this folder: what Hugging Face transformers computes for tiny random checkpoints.

    python -m venv ENV && ENV/bin/pip install -r requirements.txt && ENV/bin/python make.py

Each variant of variants.py becomes NAME.json: the checkpoint's JSON files as `save_pretrained` wrote them, the list of
its tensors, and the results. The weights are in no file. They are a function of a tensor's name and of the index
(`weights.py`), which test/conformance/transformers-checkpoint.ts computes again; a hash shows that both have the same
bytes. Models compute in float32, and embeddings in float64.
"""

import os

os.environ["TORCHDYNAMO_DISABLE"] = "1"  # transformers compiles BitLinear otherwise.

import base64
import hashlib
import importlib
import json
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast
from transformers.integrations.bitnet import BitLinear

from bit_linear import with_bit_linears
from variants import Embedding, Variant, embeddings, variants
from vocabulary import make_tokenizer, SPECIALS
from weights import Tensor, fill, tensors_of, write_safetensors

HERE = Path(__file__).parent
ROWS = 4  # Positions whose logits are kept: the last ones of each prompt.
GREEDY = 10  # Tokens written after each prompt.


def main() -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    transformers.utils.logging.set_verbosity_error()
    wanted = sys.argv[1:]
    for variant in (*variants, *embeddings):
        if wanted and variant.name not in wanted:
            continue
        with tempfile.TemporaryDirectory() as folder:
            golden = make_embedding(variant, Path(folder)) if isinstance(variant, Embedding) else make(variant, Path(folder))
        (HERE / f"{variant.name}.json").write_text(json.dumps(golden, ensure_ascii=False) + "\n")
        print(variant.name, (HERE / f"{variant.name}.json").stat().st_size)


def make(variant: Variant, folder: Path) -> dict:
    tensors, digest = write_checkpoint(variant, folder)
    model = load(folder)
    runs = []
    for length, context in variant.prompts:
        ids = [(7 * i * i + 13 * i + 5) % 256 for i in range(length)]
        logits = model(torch.tensor([ids]), use_cache=False).logits[0]
        with half_cache(variant.model):
            halved = model(torch.tensor([ids]), use_cache=False).logits[0]
        run = {"ids": ids, "context_length": context, "logits": floats(logits[-ROWS:])}
        runs.append(run | {"logits_of_half_cache": floats(halved[-ROWS:]), "greedy": greedy(model, ids)})
    return description(variant, folder, tensors, digest) | {"runs": runs}


def load(folder: Path):
    """The checkpoint in float32. Quantized ones ignore `dtype`, and BitLinear keeps a type of its own."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    torch.nn.Module.float(model)
    for module in model.modules():
        if isinstance(module, BitLinear):
            module.dtype = torch.float32
    return model


@contextmanager
def half_cache(model: type):
    """Rounds keys and values to float16, as the engine's KV cache holds them."""
    module = importlib.import_module(model.__module__)
    attend = module.eager_attention_forward
    module.eager_attention_forward = lambda layer, q, k, v, *rest, **more: attend(
        layer, q, k.half().float(), v.half().float(), *rest, **more
    )
    yield
    module.eager_attention_forward = attend


def greedy(model, prompt: list[int]) -> list[dict]:
    """The likeliest tokens one after the other, each with how far the second one is behind. No cache: the definition."""
    ids, steps = list(prompt), []
    for _ in range(GREEDY):
        logits = model(torch.tensor([ids]), use_cache=False).logits[0, -1]
        best = torch.topk(logits, 2)
        steps.append({"id": int(best.indices[0]), "gap": round(float(best.values[0] - best.values[1]), 5)})
        ids.append(steps[-1]["id"])
    return steps


def make_embedding(variant: Embedding, folder: Path) -> dict:
    tensors, digest = write_checkpoint(variant, folder)
    stored = load_file(folder / "model.safetensors")
    model = with_bit_linears(variant.model(variant.config), stored, variant.config.rms_norm_eps).double().eval()
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    texts = []
    for text in variant.texts:
        ids = tokenizer(text)["input_ids"]
        hidden = model(torch.tensor([ids]), use_cache=False).last_hidden_state[0]
        vector = hidden[-1] if variant.pooling == "lasttoken" else hidden.mean(dim=0)
        texts.append({"text": text, "ids": ids, "vector": floats(vector / vector.norm())})
    return description(variant, folder, tensors, digest) | {"texts": texts}


def write_checkpoint(variant: Variant | Embedding, folder: Path) -> tuple[list[Tensor], str]:
    """A checkpoint in the folder, with made weights under the names that `save_pretrained` gave them."""
    variant.model(variant.config).save_pretrained(folder)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=make_tokenizer(variant.template), **SPECIALS)
    tokenizer.save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    config |= {"dtype": {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}[variant.dtype]}
    for key in variant.omit:
        del config[key]
    if variant.quantization is not None:
        config["quantization_config"] = {"quant_method": "bitnet", **variant.quantization}
    (folder / "config.json").write_text(json.dumps(config))
    for path, content in variant.files.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(json.dumps(content))
    shapes = {name: list(tensor.shape) for name, tensor in load_file(folder / "model.safetensors").items()}
    tensors = tensors_of(shapes, variant)
    data = [fill(tensor) for tensor in tensors]
    write_safetensors(folder / "model.safetensors", tensors, data)
    return tensors, hashlib.sha256(b"".join(data)).hexdigest()


def description(variant: Variant | Embedding, folder: Path, tensors: list[Tensor], digest: str) -> dict:
    files = {
        str(path.relative_to(folder)): json.loads(path.read_text())
        for path in sorted(folder.rglob("*.json"))
    }
    return {
        "made_by": f"transformers {transformers.__version__}, torch {torch.__version__.split('+')[0]}",
        "files": files,
        "tensors": [tensor.entry() for tensor in tensors],
        "sha256": digest,
    }


def floats(values: torch.Tensor) -> str:
    return base64.b64encode(values.numpy().astype("<f4").tobytes()).decode()


if __name__ == "__main__":
    main()
