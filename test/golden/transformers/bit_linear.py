"""BitNet-embedding's linear layer, which transformers does not have, by its definition (the guides to Microsoft's
converter): x -> RMSNorm with weights of its own -> 8-bit integers for each token -> a matrix of -d, 0 and d."""

import re

import torch


class BitLinear(torch.nn.Module):
    def __init__(self, weight: torch.Tensor, norm: torch.Tensor, epsilon: float) -> None:
        super().__init__()
        masters = weight.double()
        d = masters.abs().mean().clamp(min=1e-5)
        self.weight = torch.nn.Buffer((masters / d).round().clamp(-1, 1) * d)
        self.norm = torch.nn.Buffer(norm.double())
        self.epsilon = epsilon

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x * (x.pow(2).mean(-1, keepdim=True) + self.epsilon).rsqrt() * self.norm
        scale = 127 / x.abs().amax(-1, keepdim=True).clamp(min=1e-5)
        return (x * scale).round().clamp(-128, 127) / scale @ self.weight.T


def with_bit_linears(model: torch.nn.Module, stored: dict[str, torch.Tensor], epsilon: float) -> torch.nn.Module:
    """The model with the stored weights, and such a layer in place of every projection."""
    for name, weight in stored.items():
        if re.search(r"_proj\.weight$", name):
            layer = name.removesuffix(".weight")
            model.set_submodule(layer, BitLinear(weight, stored[f"{layer}.norm.weight"], epsilon))
    others = {name: values for name, values in stored.items() if "_proj." not in name}
    missing, unexpected = model.load_state_dict(others, strict=False)
    if unexpected or any(not re.search(r"_proj\.(weight|norm)$", name) for name in missing):
        raise ValueError(f"missing {missing}, unexpected {unexpected}")
    return model
