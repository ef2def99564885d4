"""
Trains a model: `python3 training/train.py --corpus FOLDER --out FOLDER`, or `--text FOLDER` for plain text
files. README.md explains it.
"""

import environment

environment.ensure()  # Before the first import of a package that may be missing.

import argparse
import json
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer

import data
from compare import compare_steps
from conversations import conversation_documents
from evaluate import perplexity
from export import engine_perplexity, write_gguf
from fast import REAL, FastStep, keep_memory, load_kernels
from model import BitNet
from muon import Muon
from plain import PlainStep
from plot import plot_losses
from published import read_published
from runs import build_model
from texts import read_texts, require_length

HERE = Path(__file__).parent


def main() -> None:
    arguments = read_arguments()
    config = tomllib.loads(arguments.config.read_text(encoding="utf-8"))
    if arguments.smoke:
        print(compare_steps(), flush=True)
        shrink(config)
    if arguments.stage is not None:
        config["stages"] = [stage for stage in config["stages"] if stage["name"] == arguments.stage]
        if not config["stages"]:
            raise SystemExit(f"{arguments.config} has no stage named {arguments.stage}")
    torch.manual_seed(config["seed"])
    # A new run does not append to the log of an old one.
    out = arguments.out
    if not arguments.resume:
        (out / "log.jsonl").unlink(missing_ok=True)
    out.mkdir(parents=True, exist_ok=True)

    if arguments.text is None:
        corpus = data.read_corpus(config["data"], arguments.corpus)
    else:
        corpus = read_texts(arguments.text)
        if not corpus.conversations:
            config["stages"] = [stage | {"chat": 0.0} for stage in config["stages"]]
    published = read_published(arguments.start) if arguments.start else None
    if published is not None:
        tokenizer = published.tokenizer()
        tokenizer.save(str(out / "tokenizer.json"))
    elif arguments.resume and (out / "tokenizer.json").exists():
        tokenizer = Tokenizer.from_file(str(out / "tokenizer.json"))
    else:
        tokenizer = data.train_tokenizer(corpus, config["tokenizer"]["vocab_size"])
        tokenizer.save(str(out / "tokenizer.json"))
    require_length(corpus, tokenizer, config["model"]["context"])
    validation = write_validation(corpus, out)
    model = build_model(config)
    if published is not None:
        published.copy_to(model, config["seed"])
    counts = {"ternary": sum(p.numel() for p in model.matrices()), "embedding": model.embed_tokens.weight.numel()}
    print(f"{counts['ternary']:,} ternary and {counts['embedding']:,} embedding parameters", flush=True)

    trainer = Trainer(model, config, tokenizer, corpus, validation, out)
    if arguments.resume and (out / "state.pt").exists():
        trainer.load()
    trainer.run()

    model.cpu()
    plot_losses(out / "log.jsonl", out / "loss.svg")
    gguf = write_gguf(model, tokenizer, out, config)
    print(f"{gguf}: {gguf.stat().st_size:,} bytes")
    compare_perplexities(model, tokenizer, validation, gguf)


def compare_perplexities(model: BitNet, tokenizer: Tokenizer, validation: dict[str, Path], gguf: Path) -> None:
    """
    Ends the program if trainer and engine differ by more than 1 % on a validation book. The file must contain
    the model.
    """
    for title, path in validation.items():
        ours = perplexity(model, tokenizer, path.read_text(encoding="utf-8"))
        engine = engine_perplexity(gguf, path, model.shape.context)
        print(f"{title}: {ours} by the trainer, {engine:.3f} by the engine", flush=True)
        if abs(engine / ours.value - 1) > 0.01:
            raise SystemExit("the file is another model than was trained: they differ by more than 1 %")


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train a BitNet b1.58 model and write it as a GGUF.")
    parser.add_argument("--corpus", type=Path, help="folder of the text and its sources (--smoke: three books are here)")
    parser.add_argument("--text", type=Path, help="instead of --corpus: a folder of .txt files")
    parser.add_argument("--out", type=Path, default=HERE / "out", help="folder to write to")
    parser.add_argument("--config", type=Path, default=HERE / "config.toml")
    parser.add_argument("--resume", action="store_true", help="go on from the last state in the folder")
    parser.add_argument("--start", type=Path, help="a GGUF of this shape: go on from its weights")
    parser.add_argument("--stage", help="only this stage of config.toml")
    parser.add_argument("--smoke", action="store_true", help="a toy model in two minutes: does every part work?")
    arguments = parser.parse_args()
    if arguments.corpus is not None and arguments.text is not None:
        parser.error("--corpus and --text exclude each other")
    if arguments.start is not None and arguments.resume:
        parser.error("--start and --resume exclude each other: a state has its own weights")
    if arguments.corpus is None and arguments.text is None:
        if not arguments.smoke:
            parser.error("--corpus or --text says where the text is; --smoke has its own")
        arguments.corpus = HERE / "sample"
    return arguments


def shrink(config: dict) -> None:
    """Replaces the settings in [smoke]."""
    smoke = config["smoke"]
    for section in ("data", "tokenizer", "model", "train"):
        config[section] |= smoke[section]
    for stage in config["stages"]:
        stage |= smoke["stage"]


def write_validation(corpus: data.Corpus, out: Path) -> dict[str, Path]:
    """Writes the held-out books as text files, for `bitnet perplexity -f` and for the trainer."""
    paths = {}
    for title, stories in corpus.validation.items():
        paths[title] = out / f"validation-{title.lower().replace(' ', '-')}.txt"
        paths[title].write_text("\n\n".join(story.text for story in stories) + "\n", encoding="utf-8")
    return paths


@dataclass
class Progress:
    """The progress of training."""

    stage: int = 0
    stage_tokens: int = 0
    tokens: int = 0
    updates: int = 0


class Trainer:
    def __init__(
        self,
        model: BitNet,
        config: dict,
        tokenizer: Tokenizer,
        corpus: data.Corpus,
        validation: dict[str, Path],
        out: Path,
    ):
        self.model, self.config, self.tokenizer, self.corpus, self.out = model, config, tokenizer, corpus, out
        self.settings = config["train"]
        self.validation = {title: path.read_text(encoding="utf-8") for title, path in validation.items()}
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        model.to(self.device)
        rates = config["rates"]
        # Muon makes the update of a matrix orthogonal: it learns every direction at one speed. The scale of
        # updates is as AdamW's.
        dtype = torch.bfloat16 if self.device.type == "cuda" else REAL
        self.muon = Muon(model.matrices(), lr=rates["matrices"], momentum=self.settings["momentum"], dtype=dtype)
        self.adamw = torch.optim.AdamW(
            [
                {"params": [model.embed_tokens.weight], "lr": rates["embedding"]},
                {"params": model.norms(), "lr": rates["norms"]},
            ],
            betas=tuple(self.settings["adam_betas"]),
        )
        self.groups = [*self.muon.param_groups, *self.adamw.param_groups]
        for group in self.groups:
            group["peak"] = group["lr"]
        self.step = self.choose_step()
        self.progress = Progress()

    def choose_step(self) -> FastStep | PlainStep:
        shape = self.model.shape
        # Rows in kernels.cpp have fixed sizes.
        fits = shape.width <= 4096 and shape.feed_forward <= 8192
        kernels = load_kernels() if self.settings["kernels"] and self.device.type == "cpu" and fits else None
        if kernels is None:
            return PlainStep(self.model, self.settings["compile"])
        keep_memory()
        return FastStep(self.model, kernels)

    def run(self) -> None:
        for index in range(self.progress.stage, len(self.config["stages"])):
            if index != self.progress.stage:
                self.progress.stage, self.progress.stage_tokens = index, 0
            self.run_stage(self.config["stages"][index])
        self.save()

    def run_stage(self, stage: dict) -> None:
        progress, window = self.progress, stage["window"]
        # A resumed run sees other windows than an uninterrupted run.
        rng = np.random.default_rng([self.config["seed"], progress.stage, progress.updates])
        bos, documents = self.tokenizer.token_to_id(data.BOS), self.documents(stage)
        emphasis = data.Emphasis.of(documents, self.tokenizer, stage["emphasis"])
        source = data.windows(documents, window, bos, rng, emphasis)
        batch = max(1, self.settings["batch_tokens"] // window)
        micro = max(1, min(batch, self.settings["micro_batch"] * self.model.shape.context // window))
        began, seen = time.monotonic(), 0
        loss_sum = loss_tokens = 0.0
        while progress.stage_tokens < stage["tokens"]:
            self.set_rates(stage)
            rows = [next(source) for _ in range(batch)]
            inputs, targets, weight = (torch.from_numpy(np.stack(part)).to(self.device) for part in zip(*rows, strict=True))
            learned = targets >= 0
            total = float(weight[learned].sum())
            starts = data.document_starts(inputs, bos) if stage["separate"] else None
            self.step.begin()
            for first in range(0, batch, micro):
                part = slice(first, first + micro)
                seen_from = None if starts is None else starts[part]
                loss_sum += self.step(inputs[part], targets[part], total, seen_from, weight[part])
            loss_tokens += int(learned.sum())
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.settings["clip"])
            for optimizer in (self.muon, self.adamw):
                optimizer.step()
            progress.updates += 1
            progress.tokens += batch * window
            progress.stage_tokens += batch * window
            seen += batch * window
            if progress.updates % self.settings["log_every"] == 0:
                self.log(stage, loss_sum / loss_tokens, seen / (time.monotonic() - began))
                loss_sum = loss_tokens = 0.0
            if progress.updates % self.settings["save_every"] == 0:
                self.save()
        self.log(stage, None, seen / (time.monotonic() - began), self.evaluate())
        # Another second stage can start from here: copy it over state.pt and resume.
        self.save(f"state-{stage['name']}.pt")

    def documents(self, stage: dict) -> list[data.Document]:
        """
        The documents of a stage: tales, some of the novels, and some of both as instructions and answers.
        """
        rng = np.random.default_rng([self.config["seed"], self.config["stages"].index(stage)])
        stories = [story for story in self.corpus.train if story.tale or rng.random() < stage["novels"]]
        documents = data.story_documents(self.tokenizer, stories, rng)
        if stage["chat"] > 0:
            books = [story for story in stories if not story.ready]
            chats = data.chat_documents(self.tokenizer, books, rng, passage=stage["answer_characters"]) if books else []
            chats += conversation_documents(self.tokenizer, self.corpus.conversations)
            text_tokens = sum(len(document.ids) for document in documents)
            chat_tokens = sum(len(document.ids) for document in chats)
            share = stage["chat"] / (1 - stage["chat"]) * text_tokens / chat_tokens
            # A share above 1 uses some of them more than once.
            documents += [chat for chat in chats for _ in range(int(share + rng.random()))]
        return documents

    def set_rates(self, stage: dict) -> None:
        done = self.progress.stage_tokens / stage["tokens"]
        rate = stage["rate"] + (stage["end_rate"] - stage["rate"]) * done
        rate *= min(1.0, (self.progress.tokens + 1) / self.settings["warmup_tokens"])
        for group in self.groups:
            group["lr"] = group["peak"] * rate
            # Norms have no weight decay. The others have, in the first stage.
            group["weight_decay"] = stage["weight_decay"] if group["params"][0].dim() == 2 else 0.0

    @torch.no_grad()
    def evaluate(self) -> dict[str, float]:
        """Perplexity of a part of every held-out book."""
        return {
            title: perplexity(self.model, self.tokenizer, text, chunks=40).value for title, text in self.validation.items()
        }

    def log(self, stage: dict, loss: float | None, speed: float, validation: dict[str, float] | None = None) -> None:
        progress = self.progress
        line = {"stage": stage["name"], "updates": progress.updates, "tokens": progress.tokens, "loss": loss}
        line |= {"rate": self.groups[0]["lr"], "tokens_per_second": round(speed)}
        if validation is None and progress.updates % (self.settings["log_every"] * 20) == 0:
            validation = self.evaluate()
        if validation is not None:
            line["validation"] = validation
        with (self.out / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        print(json.dumps(line), flush=True)

    def save(self, name: str = "state.pt") -> None:
        """
        Writes the whole state for `--resume`. It is written to another file and renamed, so that a crash
        keeps the last state.
        """
        state = {
            "model": self.model.state_dict(),
            "muon": self.muon.state_dict(),
            "adamw": self.adamw.state_dict(),
            "progress": vars(self.progress),
            "config": self.config,
        }
        torch.save(state, self.out / "state.tmp")
        (self.out / "state.tmp").replace(self.out / name)

    def load(self) -> None:
        state = torch.load(self.out / "state.pt", map_location=self.device)
        # The state has the number of its stage. In another list it would be another stage, or none.
        done = state["progress"]["stage"] + 1
        before, now = ([stage["name"] for stage in config["stages"][:done]] for config in (state["config"], self.config))
        if before != now:
            raise SystemExit(f"the state is of the stages {', '.join(before)}, and this run begins with {', '.join(now)}")
        self.model.load_state_dict(state["model"])
        self.muon.load_state_dict(state["muon"])
        self.adamw.load_state_dict(state["adamw"])
        self.groups = [*self.muon.param_groups, *self.adamw.param_groups]
        self.progress = Progress(**state["progress"])
        self.forget_later_lines()
        print(f"going on from {self.progress}", flush=True)

    def forget_later_lines(self) -> None:
        """Removes the log entries after the last state of a stopped run. Their updates run again."""
        log = self.out / "log.jsonl"
        lines = log.read_text(encoding="utf-8").splitlines(keepends=True) if log.exists() else []
        log.write_text("".join(line for line in lines if json.loads(line)["updates"] <= self.progress.updates), encoding="utf-8")


if __name__ == "__main__":
    main()
