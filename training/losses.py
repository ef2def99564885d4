"""
Says which tokens have the loss: `python3 training/losses.py FOLDER --corpus FOLDER`, of a run and its corpus.
The model answers conversations, each by itself. Tokens are common or rare (data.RARE), and new in their
document or used before. Names, kinds and things that a story uses again are rare and used before.
"""

import environment

environment.ensure()  # Before the first import of a package that may be missing.

import argparse
import json
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch

import data
from conversations import conversation_documents
from runs import Run, read_run

# Conversations that count the documents of a token, and the ones of them that are scored.
COUNTED, SCORED = 2000, 120


@dataclass
class Sum:
    tokens: int = 0
    loss: float = 0.0
    first: int = 0

    def add(self, loss: float, first: bool) -> None:
        self.tokens, self.loss, self.first = self.tokens + 1, self.loss + loss, self.first + first


def main() -> None:
    parser = argparse.ArgumentParser(description="Say which tokens have the loss of a run.")
    parser.add_argument("out", type=Path, help="the run's folder")
    parser.add_argument("--corpus", type=Path, required=True, help="the folder with conversations.jsonl")
    arguments = parser.parse_args()
    print(table(losses(read_run(arguments.out), arguments.corpus / "conversations.jsonl")))


@torch.no_grad()
def losses(run: Run, conversations: Path) -> dict[str, Sum]:
    """The sums of each class of tokens, over the last conversations of the file."""
    with conversations.open(encoding="utf-8") as file:
        total = sum(1 for _ in file)
        file.seek(0)
        lines = [json.loads(line) for line in islice(file, max(0, total - COUNTED), None)]
    documents = conversation_documents(run.tokenizer, lines)
    is_rare = data.rare_tokens(documents, run.tokenizer)
    sums: dict[str, Sum] = {}
    for document in documents[:SCORED]:
        ids = document.ids[: run.model.shape.context].astype(np.int64)
        logits = run.model(torch.from_numpy(ids[None]))[0]
        chances = torch.log_softmax(logits.float(), -1)
        seen: set[int] = set()
        for place, token in enumerate(map(int, ids)):
            if document.learn[place]:
                name = f"{'rare' if is_rare[token] else 'common'}, {'used before' if token in seen else 'new'}"
                guess = chances[place - 1]
                sums.setdefault(name, Sum()).add(-guess[token].item(), int(guess.argmax()) == token)
            seen.add(token)
    return sums


def table(sums: dict[str, Sum]) -> str:
    tokens, loss = sum(each.tokens for each in sums.values()), sum(each.loss for each in sums.values())
    lines = ["| tokens | share | loss | share of the loss | first guess right |", "| --- | --- | --- | --- | --- |"]
    for name, each in sorted(sums.items()):
        cells = (f"{each.tokens / tokens:.1%}", f"{each.loss / each.tokens:.3f}", f"{each.loss / loss:.1%}", f"{each.first / each.tokens:.1%}")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    right = sum(each.first for each in sums.values())
    lines.append(f"| all | 100 % | {loss / tokens:.3f} | 100 % | {right / tokens:.1%} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
