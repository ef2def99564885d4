"""Draws the losses of a run from its log."""

import json
import math
from pathlib import Path

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402


def plot_losses(log: Path, picture: Path) -> None:
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    figure, axes = plt.subplots(figsize=(7, 4))
    trained = [line for line in lines if line["loss"] is not None]
    axes.plot([l["tokens"] / 1e6 for l in trained], [l["loss"] for l in trained], color="0.6", lw=0.8, label="training")
    points: dict[str, list[tuple[float, float]]] = {}
    for line in lines:
        for title, value in line.get("validation", {}).items():
            points.setdefault(title, []).append((line["tokens"] / 1e6, math.log(value)))
    for title, pairs in points.items():
        axes.plot(*zip(*pairs), marker="o", ms=3, label=f"held out: {title}")
    starts = [line["tokens"] / 1e6 for before, line in zip(lines, lines[1:]) if before["stage"] != line["stage"]]
    for start in starts:
        axes.axvline(start, color="0.8", lw=0.8, ls="--")
    axes.set_xlabel("million tokens seen")
    axes.set_ylabel("−ln p a token (nats)")
    axes.set_ylim(top=min(7.0, max(line["loss"] for line in trained)))
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(picture)
