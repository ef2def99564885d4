"""The checkpoints: every family of docs/MODELS.md that transformers implements, with each trait that its files have."""

from dataclasses import dataclass, field

from transformers import (
    BitNetConfig,
    BitNetForCausalLM,
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    Gemma3TextModel,
    LlamaConfig,
    LlamaForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3Model,
)
from transformers import PreTrainedConfig

from vocabulary import VOCAB_SIZE


@dataclass(frozen=True)
class Variant:
    name: str
    model: type
    config: PreTrainedConfig
    dtype: str = "BF16"
    quantization: dict | None = None
    # Length of each prompt, and the context that the engine is asked for.
    prompts: tuple[tuple[int, int | None], ...] = ((12, None),)
    norms_less_one: bool = False
    own_norm: str | None = None
    # Keys that config.json leaves to the class's defaults.
    omit: tuple[str, ...] = ()
    template: str | None = None
    files: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Embedding(Variant):
    pooling: str = ""
    texts: tuple[str, ...] = ()


SIZES = {
    "vocab_size": VOCAB_SIZE,
    "hidden_size": 128,
    "intermediate_size": 256,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "bos_token_id": 259,
    "eos_token_id": 258,
    "pad_token_id": 256,
}
SMALL = SIZES | {"hidden_size": 64, "intermediate_size": 96}
OFFLINE = {"linear_class": "autobitlinear", "quantization_mode": "offline"}
ONLINE = {"linear_class": "autobitlinear", "quantization_mode": "online"}
BITLINEAR = {"linear_class": "bitlinear", "quantization_mode": "offline", "modules_to_not_convert": None}
LONG = ((64, None),)


def bitnet(name: str, dtype: str, quantization: dict, omit=(), **config) -> Variant:
    return Variant(name, BitNetForCausalLM, BitNetConfig(**SIZES, **config), dtype, quantization, omit=omit)


def llama(name: str, dtype: str = "F32", sizes: dict = SMALL, prompts=LONG, quantization=None, omit=(), **config) -> Variant:
    made = LlamaConfig(**sizes, rms_norm_eps=1e-5, **config)
    return Variant(name, LlamaForCausalLM, made, dtype, quantization, prompts, omit=omit)


def qwen3(
    name: str, dtype: str, sizes: dict = SMALL, own_norm=None, prompts=((12, None),), quantization=None, omit=(), **config
) -> Variant:
    made = Qwen3Config(**sizes, head_dim=32, **config)
    return Variant(name, Qwen3ForCausalLM, made, dtype, quantization, prompts, own_norm=own_norm, omit=omit)


def gemma3(name: str, dtype: str, **config) -> Variant:
    made = Gemma3TextConfig(**SMALL | {"num_key_value_heads": 1} | config, head_dim=32)
    return Variant(name, Gemma3ForCausalLM, made, dtype, None, LONG, norms_less_one=True)


variants = (
    # BitNet b1.58 2B4T as it is published, as its masters are, and in the first convention of scales.
    bitnet("bitnet-offline-tied", "BF16", OFFLINE, tie_word_embeddings=True),
    bitnet("bitnet-online-untied", "BF16", ONLINE, omit=("rope_parameters", "tie_word_embeddings")),
    bitnet("bitnet-bitlinear-untied", "F32", BITLINEAR),
    # Llama3-8B-1.58 with 3.1's frequencies; Falcon3-1.58bit with heads of 256.
    llama(
        "llama-bitlinear-llama3",
        "BF16",
        SIZES,
        quantization=BITLINEAR,
        rope_parameters={
            "rope_type": "llama3",
            "rope_theta": 500000.0,
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 64,
        },
    ),
    llama(
        "llama-falcon3",
        "BF16",
        SIZES | {"num_attention_heads": 2, "num_key_value_heads": 1},
        ((12, None),),
        BITLINEAR,
        head_dim=256,
        rope_parameters={"rope_type": "default", "rope_theta": 1000042.0},
    ),
    llama("llama-dense-tied", "F16", prompts=((12, None),), tie_word_embeddings=True),
    llama("llama-biases", attention_bias=True, mlp_bias=True, prompts=((12, None),), omit=("rope_parameters", "head_dim")),
    llama("llama-linear", rope_parameters={"rope_type": "linear", "rope_theta": 10000.0, "factor": 4.0}),
    llama(
        "llama-yarn",
        rope_parameters={
            "rope_type": "yarn",
            "rope_theta": 10000.0,
            "factor": 8.0,
            "original_max_position_embeddings": 32,
            "beta_fast": 16.0,
            "beta_slow": 2.0,
            "attention_factor": 1.3,
        },
    ),
    # Up to the original context with the short factors, beyond it with the long ones; `factor` is not the contexts' ratio.
    llama(
        "llama-longrope",
        prompts=((12, 32), (64, None)),
        rope_parameters={
            "rope_type": "longrope",
            "rope_theta": 10000.0,
            "original_max_position_embeddings": 32,
            "factor": 4.0,
            "short_factor": [1 + i / 16 for i in range(8)],
            "long_factor": [1 + i / 2 for i in range(8)],
        },
    ),
    Variant("qwen2-tied", Qwen2ForCausalLM, Qwen2Config(**SMALL, tie_word_embeddings=True)),
    # Ternary Bonsai, dense and stretched; packed; and norms before projections as transformers has them.
    qwen3("qwen3-dense-tied", "BF16", tie_word_embeddings=True),
    qwen3(
        "qwen3-yarn",
        "F16",
        prompts=LONG,
        rope_parameters={
            "rope_type": "yarn",
            "rope_theta": 1000000.0,
            "factor": 4.0,
            "original_max_position_embeddings": 64,
        },
    ),
    qwen3("qwen3-offline", "F16", SIZES, quantization=OFFLINE, omit=("rope_parameters", "tie_word_embeddings")),
    qwen3(
        "qwen3-online-norms", "BF16", SIZES, "rms_norm", quantization=ONLINE | {"use_rms_norm": True, "rms_norm_eps": 1e-6}
    ),
    # A window of 16, two bases; then the pattern and window that are not spelt out, with stretched global layers.
    gemma3(
        "gemma3-windows",
        "F32",
        num_hidden_layers=3,
        layer_types=["sliding_attention", "full_attention", "sliding_attention"],
        sliding_window=16,
        query_pre_attn_scalar=48,
        rope_parameters={
            "sliding_attention": {"rope_type": "default", "rope_theta": 500.0},
            "full_attention": {"rope_type": "default", "rope_theta": 1000000.0},
        },
    ),
    gemma3(
        "gemma3-pattern",
        "BF16",
        num_hidden_layers=7,
        sliding_window=24,
        rope_parameters={
            "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0},
            "full_attention": {"rope_type": "linear", "rope_theta": 1000000.0, "factor": 8.0},
        },
    ),
)

MODULES = [
    {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
    {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
    {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
]


def embedding(name: str, model: type, config: PreTrainedConfig, pooling: str, **more) -> Embedding:
    modes = ("cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken")
    pooled = {"word_embedding_dimension": 128, "include_prompt": True}
    files = {
        "modules.json": MODULES,
        "1_Pooling/config.json": pooled | {f"pooling_mode_{mode}": mode == pooling for mode in modes},
    }
    query = "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery: "
    texts = ("hello world", "Photosynthesis turns light into sugar. " * 3, "Ünï\n日本", f"{query}how do plants eat?")
    return Embedding(name, model, config, own_norm="norm", pooling=pooling, files=files, texts=texts, **more)


# Microsoft's BitNet-embedding-0.6B and -270M by the names that its converter reads, without a quantization_config.
embeddings = (
    embedding(
        "embedding-qwen3",
        Qwen3Model,
        Qwen3Config(**SIZES, head_dim=32, tie_word_embeddings=True),
        "lasttoken",
        template="A <|endoftext|>",
    ),
    embedding(
        "embedding-gemma3",
        Gemma3TextModel,
        Gemma3TextConfig(
            **SIZES | {"num_key_value_heads": 1},
            head_dim=32,
            layer_types=["sliding_attention", "full_attention"],
            sliding_window=32,
            query_pre_attn_scalar=32,
            rope_parameters={
                "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0},
                "full_attention": {"rope_type": "default", "rope_theta": 10000.0},
            },
        ),
        "mean_tokens",
        norms_less_one=True,
        template="<|bos|> A",
    ),
)
