"""Compares the loss and gradients of fast.py with those of autograd (plain.py), on a small model."""

import torch
from torch import Tensor

from fast import REAL, FastStep, load_kernels
from model import BitNet, Shape
from plain import PlainStep

# A step rounds gradients to int8 by chance. These roundings cancel in the mean of steps, so a wrong factor
# cannot hide in them. The maxima seen were 4.7 % and 1.2 % in float32, and 7.0 % and 5.5 % in bfloat16, whose
# roundings remain. A missing term gives more than 10 %.
STEPS = 16
MAX_DIFFERENCE, MAX_MEAN_DIFFERENCE = {torch.float32: (0.08, 0.02), torch.bfloat16: (0.1, 0.07)}[REAL]


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
    # Documents of different lengths, and three weights.
    starts = torch.zeros(3, 48, dtype=torch.int32)
    starts[0, 20:], starts[1, 31:], starts[2, 5:], starts[2, 30:] = 20, 31, 5, 30
    weights = torch.randint(1, 4, (3, 48)).float()
    learned = float(weights[targets >= 0].sum())

    def gradients(step: PlainStep | FastStep) -> tuple[float, dict[str, Tensor]]:
        step.begin()
        # In two parts, since gradients must add up.
        parts = (slice(0, 1), slice(1, 3))
        loss = sum(step(inputs[part], targets[part], learned, starts[part], weights[part]) for part in parts)
        return loss, {name: parameter.grad.clone() for name, parameter in model.named_parameters()}

    loss, expected = gradients(PlainStep(model, compile=False, dtype=REAL))
    step = FastStep(model, library)
    fast_loss, one = gradients(step)
    total = dict(one)
    for _ in range(STEPS - 1):
        total = {name: total[name] + gradient for name, gradient in gradients(step)[1].items()}
    mean = {name: gradient / STEPS for name, gradient in total.items()}
    difference, name = largest_difference(one, expected)
    mean_difference, mean_name = largest_difference(mean, expected)
    report = (
        f"fast.py against autograd: losses {fast_loss:.3f} and {loss:.3f}, gradients within {difference:.2%} ({name}),"
        f" in the mean of {STEPS} steps within {mean_difference:.2%} ({mean_name})"
    )
    if abs(fast_loss / loss - 1) > 0.001 or not difference < MAX_DIFFERENCE or not mean_difference < MAX_MEAN_DIFFERENCE:
        raise SystemExit(f"{report}: they should be the same, but for roundings")
    return report


def largest_difference(gradients: dict[str, Tensor], expected: dict[str, Tensor]) -> tuple[float, str]:
    """The largest relative difference of a parameter's gradients, and the parameter."""
    return max((float((gradients[name] - plain).norm() / plain.norm()), name) for name, plain in expected.items())
