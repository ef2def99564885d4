"""Loss and gradients by PyTorch's autograd: the reference for fast.py."""

import torch
import torch.nn.functional as F
from torch import Tensor

from model import BitNet


class PlainStep:
    """Loss and gradients by PyTorch's autograd."""

    def __init__(self, model: BitNet, compile: bool, dtype: torch.dtype = torch.bfloat16):
        self.model, self.dtype = model, dtype
        self.losses = torch.compile(self.plain_losses) if compile else self.plain_losses

    def begin(self) -> None:
        """Call it after every change of the parameters. Zeroes gradients."""
        self.model.zero_grad()

    def __call__(
        self, inputs: Tensor, targets: Tensor, learned: float, starts: Tensor | None = None, weights: Tensor | None = None
    ) -> float:
        """
        Adds the gradient of the weighted mean of −ln p.

        :param inputs: ids [B, T].
        :param targets: ids [B, T], −100 for ids that are not learned.
        :param learned: the sum of the weights of all learned targets of the whole update, in all its parts.
        :param starts: int32 [B, T], the first position that each position may see. None: all before it.
        :param weights: float32 [B, T], the weight of each target. None: 1.
        :returns: the sum of −ln p over the learned targets, without weights.
        """
        losses = self.losses(inputs, targets, starts)
        weighted = losses if weights is None else losses * weights.flatten()
        (weighted.sum() / learned).backward()
        return losses.sum().item()

    def plain_losses(self, inputs: Tensor, targets: Tensor, starts: Tensor | None) -> Tensor:
        logits = self.model(inputs, self.dtype, starts)
        return F.cross_entropy(logits.float().flatten(0, 1), targets.flatten(), ignore_index=-100, reduction="none")
