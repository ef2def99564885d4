"""
Muon: momentum, and updates made orthogonal by Newton-Schulz steps (Keller Jordan, 2024). It computes as
torch.optim.Muon with `adjust_lr_fn="match_rms_adamw"` and Nesterov momentum, but in the type that the device
multiplies fastest. PyTorch's always uses bfloat16, which is slow on a CPU without AMX.
"""

import torch
from torch import Tensor

STEPS = 5
COEFFICIENTS = (3.4445, -4.775, 2.0315)


def orthogonalize(matrices: Tensor) -> Tensor:
    """
    [count, rows, columns] → nearly orthogonal matrices with the same singular vectors. Singular values are
    0.7 to 1.2.
    """
    a, b, c = COEFFICIENTS
    flat = matrices.shape[1] <= matrices.shape[2]
    x = matrices if flat else matrices.transpose(1, 2)
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)
    for _ in range(STEPS):
        gram = x @ x.transpose(1, 2)
        x = a * x + torch.baddbmm(gram, gram, gram, beta=b, alpha=c) @ x
    return x if flat else x.transpose(1, 2)


class Muon(torch.optim.Optimizer):
    """
    :param parameters: matrices.
    :param lr: the rate. The root mean square of an update is about 0.2 · lr, as AdamW's.
    :param dtype: the type of the Newton-Schulz steps.
    """

    def __init__(self, parameters: list[Tensor], lr: float, momentum: float, dtype: torch.dtype):
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": 0.0})
        self.dtype = dtype

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            by_shape: dict[torch.Size, list[Tensor]] = {}
            for parameter in group["params"]:
                by_shape.setdefault(parameter.shape, []).append(parameter)
            for shape, parameters in by_shape.items():
                # One batched matmul for all matrices of a shape.
                updates = orthogonalize(torch.stack([self.momentum(p, group["momentum"]) for p in parameters]).to(self.dtype))
                rate = group["lr"] * 0.2 * max(shape) ** 0.5
                for parameter, update in zip(parameters, updates, strict=True):
                    parameter.mul_(1 - group["lr"] * group["weight_decay"]).add_(update.to(parameter.dtype), alpha=-rate)

    def momentum(self, parameter: Tensor, momentum: float) -> Tensor:
        state = self.state[parameter]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(parameter)
        buffer = state["momentum"].lerp_(parameter.grad, 1 - momentum)
        return parameter.grad.lerp(buffer, momentum)
