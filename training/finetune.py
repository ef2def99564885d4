"""
Fine-tunes the masters of a BitNet checkpoint on text files:
`python3 training/finetune.py --checkpoint FOLDER --text FOLDER --out FOLDER`. docs/guide/training.md
explains it.
"""

import environment

environment.ensure()  # Before the first import of a package that may be missing.

import argparse
import shutil
import tomllib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import data
from evaluate import perplexity
from export import bitnet
from masters import Masters, read_masters
from plot import plot_losses
from texts import read_texts, require_length
from train import Trainer, compare_perplexities, write_validation

HERE = Path(__file__).parent


def main() -> None:
    arguments = read_arguments()
    config = tomllib.loads(arguments.config.read_text(encoding="utf-8"))
    if arguments.smoke:
        for section, settings in config["smoke"].items():
            config[section] |= settings
    masters = finetune(config, arguments.checkpoint, arguments.text, arguments.out, arguments.resume)
    print(f"{sum(map(Tensor.numel, masters.model.parameters())):,} parameters are in {arguments.out / config['name']}")


def finetune(config: dict, checkpoint: Path, text: Path, out: Path, resume: bool = False) -> Masters:
    """Writes a checkpoint and a GGUF to `out`. Ends the program if the engine computes another model."""
    torch.manual_seed(config["seed"])
    corpus = read_texts(text)
    if corpus.conversations:
        raise SystemExit(f"{text} has conversations, and only text is learned here: the checkpoint has its own template")
    masters = read_masters(checkpoint, config["train"]["window"])
    model, tokenizer = masters.model, masters.tokenizer
    require_length(corpus, tokenizer, model.shape.context)
    out.mkdir(parents=True, exist_ok=True)
    if not resume:
        (out / "log.jsonl").unlink(missing_ok=True)
    shutil.copyfile(checkpoint / "tokenizer.json", out / "tokenizer.json")
    validation = write_validation(corpus, out)
    for title, path in validation.items():
        before = perplexity(model, tokenizer, path.read_text(encoding="utf-8"))
        print(f"{title}, before: {before}", flush=True)

    trainer = Trainer(model, run_settings(config, masters, corpus), tokenizer, corpus, validation, out)
    if resume and (out / "state.pt").exists():
        trainer.load()
    trainer.run()

    model.cpu()
    plot_losses(out / "log.jsonl", out / "loss.svg")
    masters.write(out / config["name"])
    gguf = out / "model.gguf"
    bitnet("convert", out / config["name"], "-o", gguf, "--force")
    print(f"{gguf}: {gguf.stat().st_size:,} bytes")
    compare_perplexities(model, tokenizer, validation, gguf)
    return masters


def run_settings(config: dict, masters: Masters, corpus: data.Corpus) -> dict:
    """The settings as train.py's: one stage, and the peak rates for these masters."""
    model, stage, window = masters.model, config["stage"], config["train"]["window"]
    documents = data.story_documents(masters.tokenizer, corpus.train, np.random.default_rng(0))
    tokens = sum(len(document.ids) for document in documents)
    stage = stage | {"name": "finetune", "tokens": stage["passes"] * tokens, "window": window, "novels": 1.0, "chat": 0.0}
    stage |= {"separate": False, "emphasis": 1.0}
    rates = {
        "matrices": config["rates"]["matrices"] * mean_magnitude(model.matrices()),
        "embedding": config["rates"]["embedding"] * mean_magnitude([model.embed_tokens.weight]),
        "norms": config["rates"]["norms"] * mean_magnitude(model.norms()),
    }
    print(f"{tokens:,} tokens of text, {stage['passes']} times; peak rates {rates}", flush=True)
    return config | {"stages": [stage], "rates": rates}


@torch.no_grad()
def mean_magnitude(parameters: list[Tensor]) -> float:
    return float(sum(p.abs().sum() for p in parameters) / sum(p.numel() for p in parameters))


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Fine-tune the masters of a BitNet checkpoint on text files.")
    parser.add_argument("--checkpoint", type=Path, required=True, help="folder: config.json, tokenizer.json, safetensors")
    parser.add_argument("--text", type=Path, required=True, help="folder of .txt files")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--config", type=Path, default=HERE / "finetune.toml")
    parser.add_argument("--resume", action="store_true", help="go on from the last state in the folder")
    parser.add_argument("--smoke", action="store_true", help="the settings for a tiny random checkpoint")
    return parser.parse_args()


if __name__ == "__main__":
    main()
