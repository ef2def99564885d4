"""
Perplexity by the definition of llama-perplexity and `bitnet perplexity`, and the sparsity of activations.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer

import data
from model import BitNet


@dataclass
class Perplexity:
    value: float
    tokens: int

    def __str__(self) -> str:
        return f"perplexity {self.value:.3f} ({math.log(self.value):.4f} nats a token) over {self.tokens} tokens"


@torch.no_grad()
def perplexity(model: BitNet, tokenizer: Tokenizer, text: str, chunks: int | None = None) -> Perplexity:
    """
    Cuts the text into chunks of the model's context. The first token of each becomes BOS, and the second half
    is scored. The arithmetic is float32, and the embedding has the precision of the file.
    """
    bos = tokenizer.token_to_id(data.BOS)
    context = model.shape.context
    device = model.embed_tokens.weight.device
    ids = torch.tensor([bos, *tokenizer.encode(text).ids], device=device)
    count = min(len(ids) // context, chunks or len(ids))
    if count == 0:
        raise ValueError(f"the text has {len(ids)} tokens, and a chunk has {context}")
    rows = ids[: count * context].view(count, context).clone()
    rows[:, 0] = bos
    masters = model.embed_tokens.weight.data
    model.embed_tokens.weight.data = masters.half().float()
    total = tokens = 0
    # Rows context / 2 … context − 2 predict the tokens after them.
    for part in rows.split(8):
        logits = model(part)[:, context // 2 : -1]
        targets = part[:, context // 2 + 1 :]
        total += F.cross_entropy(logits.flatten(0, 1).double(), targets.flatten(), reduction="sum").item()
        tokens += targets.numel()
    model.embed_tokens.weight.data = masters
    return Perplexity(math.exp(total / tokens), tokens)
