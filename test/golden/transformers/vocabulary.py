"""A byte-level tokenizer without merges, split as Qwen's: every text is its bytes."""

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors

TOKENS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|bos|>"]
SPECIALS = {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>", "bos_token": "<|bos|>"}
QWEN_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
VOCAB_SIZE = 260


def make_tokenizer(template: str | None) -> Tokenizer:
    """`template` is what the post-processor makes of a text A, such as "A <|endoftext|>"."""
    vocab = {letter: index for index, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(QWEN_SPLIT), behavior="isolated", invert=False),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in TOKENS])
    if template is not None:
        specials = [(token, tokenizer.token_to_id(token)) for token in TOKENS if token in template]
        tokenizer.post_processor = processors.TemplateProcessing(
            single=template.replace("A", "$A"), pair=f"{template} B".replace("A", "$A").replace("B", "$B"), special_tokens=specials
        )
    return tokenizer
