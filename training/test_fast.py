"""
Compares fast.py's loss and gradients with those of model.py by autograd, on a small model: `python3 training/test_fast.py`.
`train.py --smoke` does it first. With `--time`, also how long both take for the model of config.toml, in turns.
"""

import environment

environment.ensure()  # Before the first import of what may not be there.

import statistics
import sys
import time
import tomllib

import torch

from fast import FastStep, keep_memory, load_kernels
from model import BitNet, Shape
from runs import build_model
from train import HERE, PlainStep

# Both round to bfloat16, at other places, which flips some int8 roundings: up to 5 % seen. A wrong factor or a missing term shows
# as more than 10 %.
MOST_DIFFERENCE = 0.08


def compare() -> str:
    """What was compared. Ends the program if they differ."""
    library = load_kernels()
    if library is None:
        return "no g++: PyTorch's autograd does it all"
    torch.manual_seed(0)
    shape = Shape(
        vocab_size=512, layers=2, width=256, feed_forward=384, heads=4, kv_heads=2, context=64, rope_base=5e5, norm_epsilon=1e-5
    )
    model = BitNet(shape)
    for norm in model.norms():
        norm.data.uniform_(0.5, 1.5)
    inputs, targets = torch.randint(0, shape.vocab_size, (2, 3, 48))
    targets[0, :7] = -100
    learned = int((targets >= 0).sum())

    losses, gradients = [], []
    for step in (PlainStep(model, compile=False), FastStep(model, library)):
        step.begin()
        # In two parts, which add up.
        losses.append(sum(step(inputs[part], targets[part], learned) for part in (slice(0, 1), slice(1, 3))))
        gradients.append({name: parameter.grad.clone() for name, parameter in model.named_parameters()})
    worst = {name: float((gradients[1][name] - plain).norm() / plain.norm()) for name, plain in gradients[0].items()}
    name = max(worst, key=worst.get)
    report = f"fast.py against autograd: losses {losses[0]:.3f} and {losses[1]:.3f}, gradients within {worst[name]:.2%} ({name})"
    if abs(losses[1] / losses[0] - 1) > 0.001 or not worst[name] < MOST_DIFFERENCE:
        raise SystemExit(f"{report}: they should be the same to bfloat16's roundings")
    return report


def time_steps() -> None:
    """Milliseconds of a step of 16 windows of 256, medians of seven after three to warm up."""
    library = load_kernels()
    if library is None:
        return
    keep_memory()
    torch.manual_seed(0)
    model = build_model(tomllib.loads((HERE / "config.toml").read_text(encoding="utf-8")))
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


if __name__ == "__main__":
    print(compare())
    if "--time" in sys.argv:
        time_steps()
