"""How different stories are: repeated sequences of eight words, and different sentences."""

import re

import lexicon
from chat import Message
from story import repeats, sentences_of

SEQUENCE = 8
# Shorter answers are no stories.
STORY_WORDS = 100


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
        doubled += repeats(text)
        sentences.update(parts)
    return {
        "stories": len(texts),
        "words": round(sum(len(text.split()) for text in texts) / len(texts), 1),
        "repeated": round(repeated / total, 4),
        "sentences": count,
        "different sentences": len(sentences),
        "in a story": round(doubled / len(texts), 4),
    }


def requested_things(conversations: list[list[Message]]) -> dict[str, float | int]:
    """The share of requests for a story that name a thing of things.txt."""
    things = "|".join(row["thing"] for row in lexicon.table("things"))
    names_thing = re.compile(rf"\b(?:{things})\b", re.IGNORECASE)
    requests = [
        request["content"]
        for conversation in conversations
        for request, answer in zip(conversation, conversation[1:])
        if answer["role"] == "assistant" and len(answer["content"].split()) >= STORY_WORDS
    ]
    named = sum(names_thing.search(request) is not None for request in requests)
    return {"requests": len(requests), "requests with a thing": round(named / len(requests), 4)}
