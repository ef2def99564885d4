"""How different stories are: repeated sequences of eight words, and different sentences."""

import re

SEQUENCE = 8


def measure(texts: list[str]) -> dict[str, float | int]:
    """
    `repeated`: the share of sequences of eight words that occurred in an earlier story.
    `in a story`: the share of stories in which a sentence occurs twice.
    """
    seen: set[int] = set()
    sentences: set[str] = set()
    total = repeated = count = doubled = 0
    for text in texts:
        words = text.split()
        own = {hash(tuple(words[at : at + SEQUENCE])) for at in range(len(words) - SEQUENCE + 1)}
        total += len(own)
        repeated += len(own & seen)
        seen |= own
        parts = sentences_of(text)
        count += len(parts)
        long = [part for part in parts if len(part.split()) > 3]
        doubled += len(set(long)) < len(long)
        sentences.update(parts)
    return {
        "stories": len(texts),
        "words": round(sum(len(text.split()) for text in texts) / len(texts), 1),
        "repeated": round(repeated / total, 4),
        "sentences": count,
        "different sentences": len(sentences),
        "in a story": round(doubled / len(texts), 4),
    }


def sentences_of(text: str) -> list[str]:
    return [part.strip() for part in re.split(r'(?<=[.!?])"?\s+', text) if part.strip()]
