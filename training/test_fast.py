"""
Tests fast.py: `python3 training/test_fast.py` (compare.py). `--time` also measures matmuls by type, and both
steps, alternately, on the model of config.toml.
"""

import environment

environment.ensure()  # Before the first import of a package that may be missing.

import statistics
import sys
import time
import tomllib
from pathlib import Path

import torch

from compare import compare_steps
from fast import FastStep, keep_memory, load_kernels
from plain import PlainStep
from runs import build_model


def time_steps() -> None:
    """Milliseconds of a step of 16 windows of 256: medians of seven steps after a warm-up of three."""
    library = load_kernels()
    if library is None:
        return
    keep_memory()
    torch.manual_seed(0)
    model = build_model(tomllib.loads((Path(__file__).parent / "config.toml").read_text(encoding="utf-8")))
    inputs, targets = torch.randint(0, model.shape.vocab_size, (2, 16, 256))
    steps = {"torch.compile": PlainStep(model, compile=True), "fast.py": FastStep(model, library)}
    times: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(10):
        for name, step in steps.items():
            began = time.monotonic()
            step.begin()
            step(inputs, targets, targets.numel())
            times[name].append(1000 * (time.monotonic() - began))
    for name, all_times in times.items():
        warm = all_times[3:]
        print(f"{name}: {statistics.median(warm):.0f} ms ({min(warm):.0f} to {max(warm):.0f})")


def time_matmuls() -> None:
    """Billions of operations per second of gate and up, the largest matmul: medians of 20."""
    tokens, width, outputs = 8192, 384, 2304
    codes, weights = (torch.randint(-1, 2, (rows, width), dtype=torch.int8) for rows in (tokens, outputs))
    products = {"int8": lambda: torch._int_mm(codes, weights.t())}
    for dtype in (torch.float32, torch.bfloat16):
        a, b = codes.to(dtype), weights.to(dtype)
        products[str(dtype).removeprefix("torch.")] = lambda a=a, b=b: a @ b.t()
    for name, multiply in products.items():
        times = []
        for _ in range(25):
            began = time.monotonic()
            multiply()
            times.append(time.monotonic() - began)
        print(f"matmul in {name}: {2e-9 * tokens * width * outputs / statistics.median(times[5:]):.0f} GFLOP/s")


if __name__ == "__main__":
    print(compare_steps())
    if "--time" in sys.argv:
        time_matmuls()
        time_steps()
