"""Loss and gradients by PyTorch's autograd: the reference for fast.py."""

import torch
import torch.nn.functional as F
from torch import Tensor

from model import BitNet


class PlainStep:
    """Loss and gradients by PyTorch's autograd."""

    def __init__(self, model: BitNet, compile: bool, dtype: torch.dtype = torch.bfloat16):
        self.model, self.dtype = model, dtype
        self.loss = torch.compile(self.plain_loss) if compile else self.plain_loss

    def begin(self) -> None:
        """Call it after every change of the parameters. Zeroes gradients."""
        self.model.zero_grad()

    def __call__(self, inputs: Tensor, targets: Tensor, learned: int) -> float:
        """
        Adds the gradient of the mean of −ln p.

        :param inputs: ids [B, T].
        :param targets: ids [B, T], −100 for ids that are not learned.
        :param learned: the number of targets of the whole update, in all its parts.
        :returns: the sum of −ln p over the learned targets.
        """
        loss = self.loss(inputs, targets)
        (loss / learned).backward()
        return loss.item()

    def plain_loss(self, inputs: Tensor, targets: Tensor) -> Tensor:
        logits = self.model(inputs, self.dtype)
        return F.cross_entropy(logits.float().flatten(0, 1), targets.flatten(), ignore_index=-100, reduction="sum")
