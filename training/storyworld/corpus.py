"""Writes the corpus: stories, conversations, and the list of books that training/data.py reads."""

import hashlib
import json
import re
from collections import Counter
from functools import partial
from multiprocessing import Pool
from pathlib import Path

import lexicon
from chance import Chance
from chat import Conversation, Message
from plots import plots
from story import Story, tell

HELD_OUT = tuple(row["plot"] for row in lexicon.table("held_out"))
TRAINED = tuple(name for name in plots() if name not in HELD_OUT)
# A quarter of the plots have a thing. Conversations use these four times, so that many requests can name one.
THINGS = tuple(name for name in TRAINED if " things " in plots()[name].headers.get("cast", ""))
ASKED = TRAINED + 3 * THINGS
VALIDATION_STORIES = 400


def story_of(seed: str, names: tuple[str, ...] = TRAINED) -> Story:
    return tell(plots()[Chance(f"plot {seed}").pick(names)], seed)


def chapter(seed: str, names: tuple[str, ...] = TRAINED) -> str:
    """A story as data.py reads it. Half of them have a title, so that a title can be a prompt."""
    story, chance = story_of(seed, names), Chance(f"title {seed}")
    if not chance.happens(0.5):
        return story.text
    title = story.title if chance.happens(0.65) else story.title.capitalize()
    return f"# {title}\n{story.text}"


def conversation(seed: str) -> list[Message]:
    return Conversation(Chance(f"chat {seed}"), partial(story_of, names=ASKED), seed).messages()


def write_corpus(out: Path, seed: str, stories: int, conversations: int, processes: int) -> dict:
    """
    :param out: the folder for stories.txt, sources.json, conversations.jsonl, words.txt and manifest.json.
    :returns: the manifest.
    """
    out.mkdir(parents=True, exist_ok=True)
    with Pool(processes) as pool:
        books = {
            "Stories": pool.map(chapter, [f"{seed} story {index}" for index in range(stories)], 500),
            "Held-out plots": pool.map(
                partial(chapter, names=HELD_OUT), [f"{seed} held {index}" for index in range(VALIDATION_STORIES)], 50
            ),
            "Held-out seeds": pool.map(chapter, [f"{seed} validation {index}" for index in range(VALIDATION_STORIES)], 50),
        }
        chats = pool.map(conversation, [f"{seed} chat {index}" for index in range(conversations)], 500)
    files = {
        "stories.txt": "\n\n\n".join("\n\n".join(chapters) for chapters in books.values()) + "\n",
        "sources.json": json.dumps([{"title": title, "ready": True} for title in books], indent=2) + "\n",
        "conversations.jsonl": "".join(json.dumps(chat, ensure_ascii=False) + "\n" for chat in chats),
    }
    words = count_words([*(text for chapters in books.values() for text in chapters), *answers(chats)])
    files["words.txt"] = "".join(f"{word}\n" for word in sorted(words))
    for name, text in files.items():
        (out / name).write_text(text, encoding="utf-8")
    manifest = {
        "seed": seed,
        "plots": len(TRAINED),
        "held out plots": list(HELD_OUT),
        "stories": {title: len(chapters) for title, chapters in books.items()},
        "conversations": len(chats),
        "messages": sum(map(len, chats)),
        "words": sum(words.values()),
        "different words": len(words),
        "sha256": {name: hashlib.sha256(text.encode()).hexdigest() for name, text in files.items()},
    }
    (out / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    return manifest


def answers(chats: list[list[Message]]) -> list[str]:
    return [message["content"] for chat in chats for message in chat if message["role"] == "assistant"]


def count_words(texts: list[str]) -> Counter[str]:
    """Words in small letters, with their numbers."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(re.findall(r"[a-z]+(?:'[a-z]+)?", text.lower()))
    return counts
