"""Reads the files of a run's folder."""

import argparse
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer

from model import BitNet, Shape


@dataclass
class Run:
    out: Path
    config: dict
    tokenizer: Tokenizer
    model: BitNet
    tokens: int


def build_model(config: dict) -> BitNet:
    return BitNet(Shape(vocab_size=config["tokenizer"]["vocab_size"], **config["model"]))


def named_run(description: str) -> Run:
    """The run whose folder is the command's one argument."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("out", type=Path, help="the run's folder")
    return read_run(parser.parse_args().out)


def read_run(out: Path) -> Run:
    """The last state of a run, on the CPU. The run may be unfinished."""
    if not (out / "state.pt").exists():
        raise SystemExit(f"there is no state.pt in {out}: the first is written when a run has gone on for a while")
    state = torch.load(out / "state.pt", map_location="cpu")
    model = build_model(state["config"])
    model.load_state_dict(state["model"])
    tokenizer = Tokenizer.from_file(str(out / "tokenizer.json"))
    return Run(out, state["config"], tokenizer, model, state["progress"]["tokens"])
