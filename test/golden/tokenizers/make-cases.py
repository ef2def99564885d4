"""Writes cases.json: small tokenizer.json files of our own, and the ids that Hugging Face's tokenizers gives with them.

Run with Python 3 and tokenizers==0.23.3: python make-cases.py
"""

import json
import pathlib

from tokenizers import Tokenizer

MARK = "\u2581"
QWEN = (
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*"
    "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
)


def letters():
    code = 0x100
    for byte in range(256):
        prints = 0x20 < byte < 0x7F or (byte > 0xA0 and byte != 0xAD)
        yield chr(byte if prints else code)
        code += not prints


def spell(text):
    table = list(letters())
    return "".join(table[byte] for byte in text.encode())


def added(id, content, **flags):
    token = {"id": id, "content": content, "single_word": False, "lstrip": False, "rstrip": False}
    return {**token, "normalized": False, "special": False, **flags}


def pieces():
    texts = [MARK, "a", "b", "w", "o", "r", "d", "x", "\n", "ab", MARK + "a", "wo", "wor", "word", MARK * 2, MARK + "ab"]
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *texts]
    vocab = {token: id for id, token in enumerate(tokens)}
    merges = [[token[:cut], token[cut:]] for token in texts for cut in range(1, len(token))]
    merges = [merge for merge in merges if all(part in vocab for part in merge)]
    model = {"type": "BPE", "unk_token": "<unk>", "fuse_unk": True, "byte_fallback": True, "vocab": vocab, "merges": merges}
    specials = [added(id, tokens[id], special=True) for id in range(3)]
    replace = {"type": "Replace", "pattern": {"String": " "}, "content": MARK}
    prepend = {"type": "Prepend", "prepend": MARK}
    return {"added_tokens": specials, "normalizer": {"type": "Sequence", "normalizers": [prepend, replace]}, "pre_tokenizer": None, "post_processor": None, "model": model}


def byte_level():
    words = ["he", "ll", "hell", "hello", " w", "wo", "word", "\u1ee5", "\u00e9", "or", "rd"]
    tokens = list(letters())
    merges = []
    for word in map(spell, words):
        while len(word) > 1:
            cut = next(cut for cut in range(len(word) - 1, 0, -1) if word[:cut] in tokens)
            rest = next((end for end in range(len(word), cut, -1) if word[cut:end] in tokens))
            merges.append([word[:cut], word[cut:rest]])
            tokens.append(word[:rest])
            if rest == len(word):
                break
    vocab = {token: id for id, token in enumerate(dict.fromkeys(tokens))}
    count = len(vocab)
    specials = [added(count + index, token, special=True) for index, token in enumerate(["<|end|>", "<|stop|>"])]
    split = {"type": "Split", "pattern": {"Regex": QWEN}, "behavior": "Isolated", "invert": False}
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}
    model = {"type": "BPE", "unk_token": None, "fuse_unk": False, "byte_fallback": False, "vocab": vocab, "merges": merges}
    return {"added_tokens": specials, "normalizer": {"type": "NFC"}, "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, level]}, "post_processor": None, "model": model}


def template(before, after):
    token = lambda item: {"SpecialToken": {"id": item[0], "type_id": 0}}
    text = {"Sequence": {"id": "A", "type_id": 0}}
    specials = {name: {"id": name, "ids": [id], "tokens": [name]} for name, id in [*before, *after]}
    return {"type": "TemplateProcessing", "single": [*map(token, before), text, *map(token, after)], "pair": [text, {"Sequence": {"id": "B", "type_id": 1}}], "special_tokens": specials}


def variants():
    base = pieces()
    yield "pieces: Prepend and Replace", "pieces", {}
    for scheme in ("first", "always", "never"):
        for split in (True, False):
            step = {"type": "Metaspace", "replacement": MARK, "prepend_scheme": scheme, "split": split}
            yield f"pieces: Metaspace {scheme}, split {split}", "pieces", {"normalizer": None, "pre_tokenizer": step}
    yield "pieces: Metaspace as older files have it", "pieces", {"normalizer": None, "pre_tokenizer": {"type": "Metaspace", "replacement": MARK, "add_prefix_space": True}}
    size = len(base["model"]["vocab"])
    extra = [
        added(size, "<x>", normalized=True), added(size + 1, "<r>", rstrip=True, special=True), added(size + 2, "<l>", lstrip=True),
        added(size + 3, "wordx", single_word=True), added(base["model"]["vocab"][MARK * 2], MARK * 2), added(999, "word"),
    ]
    yield "pieces: added tokens with flags", "pieces", {"added_tokens": base["added_tokens"] + extra[:4]}
    yield "pieces: added tokens of marks and of the vocabulary", "pieces", {"normalizer": base["normalizer"]["normalizers"][1], "added_tokens": base["added_tokens"] + extra[4:]}
    base = byte_level()
    size = len(base["model"]["vocab"]) + 2
    extra = [
        added(size, "<x>", normalized=True), added(size + 1, "<r>", rstrip=True, special=True), added(size + 2, "<l>", lstrip=True, rstrip=True),
        added(size + 3, "wordx", single_word=True),
    ]
    yield "bytes: NFC", "bytes", {}
    yield "bytes: without NFC", "bytes", {"normalizer": None}
    yield "bytes: an empty list of normalizers", "bytes", {"normalizer": {"type": "Sequence", "normalizers": []}}
    yield "bytes: added tokens with flags", "bytes", {"added_tokens": base["added_tokens"] + extra}
    names = [(token["content"], token["id"]) for token in base["added_tokens"]]
    yield "bytes: a template with another end than eos_token", "bytes", {"post_processor": template([], names[1:])}
    yield "bytes: a template with both ends", "bytes", {"post_processor": {"type": "Sequence", "processors": [{"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True}, template(names[:1], names[1:])]}}


TEXTS = [
    "", " ", "  ", "a", " a", "a ", "  ab", "a  b", "ab word", "\n", "a\n b", MARK, MARK * 2 + "a", "a" + MARK + " b",
    "<s>a", "<s> a", "a<s>b", "a <s> b", "</s><s>", "<unk>a", "<x>a <x>b<x>", "a <r>  b<r>\n", "a  <l>  b <l>",
    "wordx", " wordx ", "awordx", "wordxb", "(wordx)", "wordx,wordx", "wordx\u00e9", "wordx\u088f", "word words",
    "hello world 123", "u\u0323 \u1ee5 e\u0301<|end|>e\u0301", "e<|end|>\u0301", "<|end|><|stop|>", "hell's'LL",
    "\u088f.x", "\u0cdc.he", "\U00010940.or", "\u1c89.he", "\U000105c0he", "\U00010d40\U00010d411", "\U00011de0.x",
    "\U0002ebf0he", "\ua7ce.he", "\u0897he",
]


def main():
    bases = {"pieces": pieces(), "bytes": byte_level()}
    cases = []
    for name, base, change in variants():
        tokenizer = Tokenizer.from_str(json.dumps({"version": "1.0", "truncation": None, "padding": None, "decoder": None, **bases[base], **change}))
        plain = [tokenizer.encode(text, add_special_tokens=False).ids for text in TEXTS]
        cases.append({"name": name, "base": base, "change": change, "ids": plain, "around": tokenizer.encode("a").ids})
    path = pathlib.Path(__file__).with_name("cases.json")
    lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases)
    head = json.dumps({"bases": bases, "texts": TEXTS}, ensure_ascii=False)
    path.write_text(head[:-1] + ',"cases":[\n' + lines + "\n]}\n", encoding="utf-8")


main()
