"""Compares the loss and gradients of fast.py with those of autograd (plain.py), on a small model."""

import torch

from fast import FastStep, load_kernels
from model import BitNet, Shape
from plain import PlainStep

# Both round to bfloat16, but at different steps. That flips some int8 roundings: the maximum seen was 5 %. A
# wrong factor or a missing term gives more than 10 %.
MAX_DIFFERENCE = 0.08


def compare_steps() -> str:
    """Reports the differences; ends the program if they are too large."""
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
        # In two parts, since gradients must add up.
        losses.append(sum(step(inputs[part], targets[part], learned) for part in (slice(0, 1), slice(1, 3))))
        gradients.append({name: parameter.grad.clone() for name, parameter in model.named_parameters()})
    worst = {name: float((gradients[1][name] - plain).norm() / plain.norm()) for name, plain in gradients[0].items()}
    name = max(worst, key=worst.get)
    report = f"fast.py against autograd: losses {losses[0]:.3f} and {losses[1]:.3f}, gradients within {worst[name]:.2%} ({name})"
    if abs(losses[1] / losses[0] - 1) > 0.001 or not worst[name] < MAX_DIFFERENCE:
        raise SystemExit(f"{report}: they should be the same to bfloat16's roundings")
    return report
