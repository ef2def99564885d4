"""
Writes what the package's tests compare the engine with: `python3 training/golden.py FOLDER` makes `golden.json` out of an ended
run, with the trainer's tokens and perplexity of the beginning of a held-out book, and its tokens of a question.
"""

import environment

environment.ensure()  # Before the first import of what may not be there.

import argparse
import json
import tomllib
from pathlib import Path

import torch
from tokenizers import Tokenizer

import data
from evaluate import perplexity
from model import BitNet, Shape

CHARACTERS = 7000
QUESTION = "Tell me a story about a fox and a golden bird."


def main() -> None:
    parser = argparse.ArgumentParser(description="Write golden data for the engine's tests.")
    parser.add_argument("out", type=Path, help="the run's folder")
    parser.add_argument("--config", type=Path, default=Path(__file__).parent / "config.toml")
    arguments = parser.parse_args()
    out = arguments.out
    config = tomllib.loads(arguments.config.read_text(encoding="utf-8"))
    tokenizer = Tokenizer.from_file(str(out / "tokenizer.json"))
    model = BitNet(Shape(vocab_size=tokenizer.get_vocab_size(), **config["model"]))
    model.load_state_dict(torch.load(out / "state.pt", map_location="cpu")["model"])
    book = sorted(out.glob("validation-*.txt"))[0].read_text(encoding="utf-8")
    text = book[: book.index("\n", CHARACTERS) + 1]
    found = perplexity(model, tokenizer, text)
    chat = [tokenizer.token_to_id(token) for token in (data.BOS, data.USER)]
    golden = {
        "text": text,
        "ids": tokenizer.encode(text).ids,
        "perplexity": found.value,
        "scored": found.tokens,
        "question": QUESTION,
        "questionIds": [*chat, *tokenizer.encode(QUESTION).ids, tokenizer.token_to_id(data.ASSISTANT)],
    }
    (out / "golden.json").write_text(json.dumps(golden) + "\n", encoding="utf-8")
    print(f"{out / 'golden.json'}: {found}")


if __name__ == "__main__":
    main()
