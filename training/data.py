"""From text files to tokens: cleaning, whole books held out, a byte-level BPE, and documents to learn from."""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

HERE = Path(__file__).parent

# In the order of their ids, which are the last of the vocabulary.
BOS, EOS, USER, ASSISTANT = "<|begin_of_text|>", "<|end_of_text|>", "<|user|>", "<|assistant|>"
SPECIAL = [BOS, EOS, USER, ASSISTANT, "<|reserved_0|>", "<|reserved_1|>", "<|reserved_2|>", "<|pad|>"]
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}{{ '<|assistant|>' + message['content'] | trim + eos_token }}"
    "{% else %}{{ '<|user|>' + message['content'] | trim }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
# The splitter of Llama 3, which every GGUF engine knows as "llama-bpe".
SPLITTER = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


# How tales begin. In a book of tales a paragraph like this begins another one, printed title or not.
OPENING = re.compile(
    r"(?:Once upon a time|Once there|There (?:was|were),? once|There (?:once )?lived|There once|Long,? long ago|Long ago"
    r"|Many(?:, many)? years ago|A long time ago|Far(?:, far)? away|In a certain)\b"
)


@dataclass
class Story:
    """A chapter or a tale: paragraphs, and its title where the book prints one."""

    paragraphs: list[str] = field(default_factory=list)
    title: str | None = None
    tale: bool = False

    @property
    def text(self) -> str:
        body = "\n".join(self.paragraphs)
        return f"{self.title}\n\n{body}" if self.title else body


@dataclass
class Corpus:
    train: list[Story]
    validation: dict[str, list[Story]]


def read_corpus(settings: dict, folder: Path) -> Corpus:
    """
    :param settings: [data] of config.toml.
    :param folder: where the corpus and its sources are.
    """
    missing = [name for name in (settings["corpus"], settings["sources"]) if not (folder / name).exists()]
    if missing:
        raise SystemExit(f"there is no {' and no '.join(missing)} in {folder} (--corpus; README.md says what they hold)")
    text = (folder / settings["corpus"]).read_text(encoding="utf-8")
    sources = json.loads((folder / settings["sources"]).read_text(encoding="utf-8"))
    books = re.split(r"\n{3,}", text.strip("\n"))
    if len(books) != len(sources):
        raise SystemExit(f"{settings['corpus']} has {len(books)} books and {settings['sources']} names {len(sources)}")
    banned = re.compile(settings["banned"], re.IGNORECASE)
    tales = re.compile(settings["tales"])
    corpus = Corpus([], {})
    for number, (book, source) in enumerate(zip(books, sources)):
        if number in settings["skip"]:
            continue
        title = source["title"]
        held_out = title in settings["validation"]
        stories = split_book(book, banned, tale=tales.search(title) is not None)
        if held_out:
            corpus.validation[title] = stories
        else:
            corpus.train += stories
    if not corpus.train or len(corpus.validation) < len(settings["validation"]):
        raise SystemExit(f"no book is left to train on, or not all of {settings['validation']} are among the sources")
    return corpus


def split_book(book: str, banned: re.Pattern, tale: bool) -> list[Story]:
    """Cuts a book into chapters at blank lines and at headings, and drops lists of contents and what is banned."""
    stories = []
    for chapter in re.split(r"\n{2,}", book):
        story = Story(tale=tale)
        for line in chapter.split("\n"):
            line = clean(line)
            if not line or is_contents(line) or banned.search(line):
                continue
            heading = heading_of(line)
            if heading is not None:
                stories.append(story)
                story = Story(title=heading, tale=tale)
                continue
            if tale and OPENING.match(line) and story.paragraphs:
                stories.append(story)
                story = Story(tale=tale)
            story.paragraphs.append(line)
        stories.append(story)
    return [story for story in stories if sum(map(len, story.paragraphs)) >= 200]


def clean(line: str) -> str:
    """One paragraph: without notes, with ordinary capitals at its start, double quotes around speech, and dashes of one length."""
    line = re.sub(r"\s*\[[^\]]*\]?|[|*^`#]|\((?=\d+\))\d+\)", "", line)
    line = re.sub(r"-{2,}", "--", line)
    line = re.sub(r"\s*(?:\. ){2,}\.?", "... ", line)
    # "ONCE upon a time": the first word of a chapter, as printers set it.
    line = re.sub(r"^([\"']?)([A-Z])([A-Z']+)\b(?= [a-z])", lambda m: m[1] + m[2] + m[3].lower(), line)
    if '"' not in line:
        # A capital begins speech; a small letter goes on with it after "said he,".
        line = re.sub(r"(?:(?:(?<=^)|(?<=[\s(-]))'(?=[A-Z])|(?<=[,;:] )'(?=[a-z]))(.+?[,.!?-])'(?=[\s.,;)-]|$)", r'"\1"', line)
    return re.sub(r"\s+", " ", line).strip()


def heading_of(line: str) -> str | None:
    """The title that a line is, without its number; None for a line of text."""
    if not 3 <= len(line) <= 70 or re.search(r"[.,;:!?\"'-]$", line) or not re.match(r"[A-Z0-9]", line):
        return None
    title = re.sub(r"^(?:[0-9]+|[IVXL]+)\b[.:]?[ -]*", "", line)
    words = re.findall(r"[A-Za-z']{4,}", title)
    if not words or sum(word[0].isupper() for word in words) < 0.7 * len(words):
        return None
    return title.title().replace("'S", "'s") if title.isupper() else title


def is_contents(line: str) -> bool:
    """Lists of contents were joined to one line: many words, nearly all with capitals, and no sentences."""
    words = re.findall(r"[A-Za-z']{4,}", line)
    capitals = sum(word[0].isupper() for word in words)
    return len(words) > 8 and capitals > 0.6 * len(words)


def train_tokenizer(stories: list[Story], vocab_size: int) -> Tokenizer:
    """Byte-level BPE: 256 bytes, merges, and at the end the special tokens."""
    tokenizer = Tokenizer(models.BPE(ignore_merges=False))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLITTER), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size - len(SPECIAL),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator((story.text for story in stories), trainer)
    tokenizer.add_special_tokens(SPECIAL)
    if tokenizer.get_vocab_size() != vocab_size:
        raise SystemExit(f"the text is too short for {vocab_size} tokens: {tokenizer.get_vocab_size()} were found")
    return tokenizer


@dataclass
class Document:
    """Ids, which of them are to be predicted (not what a person says), and whether a window may begin inside."""

    ids: np.ndarray
    learn: np.ndarray
    divisible: bool = True


def story_documents(tokenizer: Tokenizer, stories: list[Story]) -> list[Document]:
    """BOS, the story, EOS."""
    bos, eos = tokenizer.token_to_id(BOS), tokenizer.token_to_id(EOS)
    documents = []
    for encoding in tokenizer.encode_batch_fast([story.text for story in stories]):
        ids = np.array([bos, *encoding.ids, eos], dtype=np.uint16)
        documents.append(Document(ids, np.ones(len(ids), dtype=bool)))
    return documents


# How people ask. {about} is "a king and a golden bird", {title} a title, {start} a first sentence.
ABOUT = [
    "Tell me a story about {about}.",
    "Tell a story about {about}.",
    "Write a story about {about}.",
    "Can you tell me a tale of {about}?",
    "I would like a story with {about} in it.",
    "A story about {about}, please.",
    "{about}",
]
TITLE = [
    'Tell me the story of "{title}".',
    "Tell a story called {title}.",
    "Write a story with the title: {title}",
    "{title}",
]
START = ["Go on: {start}", "Continue this story: {start}", "Tell a story that begins: {start}"]


def chat_documents(tokenizer: Tokenizer, stories: list[Story], rng: np.random.Generator, passage: int) -> list[Document]:
    """
    Instructions and answers from the books' own passages: what a passage is about, its title or its first sentence, and the
    passage, to the end of a paragraph.

    :param passage: characters of an answer, about.

    A story that is asked for should begin as stories do: beginnings of tales are there three times, asked for in other
    words, and of what comes later four in ten.
    """
    nouns = set((HERE / "nouns.txt").read_text(encoding="utf-8").split())
    bos, eos = tokenizer.token_to_id(BOS), tokenizer.token_to_id(EOS)
    user, assistant = tokenizer.token_to_id(USER), tokenizer.token_to_id(ASSISTANT)
    documents = []
    for story in stories:
        for index, paragraphs in enumerate(passages(story.paragraphs, passage)):
            times = 3 if story.tale and index == 0 else int(rng.random() < 0.4)
            for _ in range(times):
                asked = ask(story, index, paragraphs, nouns, rng)
                if asked is None:
                    break
                question, answer = asked
                before = [bos, user, *tokenizer.encode(question).ids, assistant]
                after = [*tokenizer.encode(answer).ids, eos]
                ids = np.array(before + after, dtype=np.uint16)
                documents.append(Document(ids, np.arange(len(ids)) >= len(before), divisible=False))
    return documents


def passages(paragraphs: list[str], size: int) -> list[list[str]]:
    """Paragraphs in groups of about `size` characters; a last group that is short joins the one before it."""
    groups: list[list[str]] = [[]]
    for paragraph in paragraphs:
        if sum(map(len, groups[-1])) >= size:
            groups.append([])
        groups[-1].append(paragraph)
    if len(groups) > 1 and sum(map(len, groups[-1])) < size / 2:
        last = groups.pop()
        groups[-1] += last
    return groups


def ask(
    story: Story, index: int, paragraphs: list[str], nouns: set[str], rng: np.random.Generator
) -> tuple[str, str] | None:
    """A question for a passage and its answer; None if the passage is about nothing that has a name in nouns.txt."""
    answer = "\n".join(paragraphs)
    kind = rng.random()
    if index == 0 and story.title and kind < 0.5:
        return pick(TITLE, rng).format(title=story.title), answer
    if kind > 0.85:
        first, _, rest = paragraphs[0].partition(". ")
        if rest and 20 < len(first) < 160:
            return pick(START, rng).format(start=first + "."), "\n".join([rest, *paragraphs[1:]])
    things = main_things(answer, nouns)
    if not things:
        return None
    things = things[: 1 + int(rng.integers(0, 3))]
    named = [f"{'an' if thing[0] in 'aeiou' else 'a'} {thing}" if rng.random() < 0.7 else f"the {thing}" for thing in things]
    about = named[0] if len(named) == 1 else f"{', '.join(named[:-1])} and {named[-1]}"
    question = pick(ABOUT, rng).format(about=about)
    return question[0].upper() + question[1:], answer


def main_things(text: str, nouns: set[str]) -> list[str]:
    """The nouns that a passage has most often, those named early first among equals."""
    counts: dict[str, int] = {}
    for word in re.findall(r"[a-z]+", text.lower()):
        word = word if word in nouns else word.removesuffix("s")
        if word in nouns:
            counts[word] = counts.get(word, 0) + 1
    return sorted(counts, key=lambda word: -counts[word])


def pick(choices: list[str], rng: np.random.Generator) -> str:
    return choices[int(rng.integers(len(choices)))]


def windows(documents: list[Document], size: int, bos: int, rng: np.random.Generator):
    """
    Endless windows (inputs [size], targets [size]) from documents laid end to end, anew in every pass over them. As engines
    that measure perplexity do, each begins with BOS, wherever it was cut. Targets not to learn from are −100.

    A window that would begin in an answer, or within a quarter of its size of a story's end, begins with the next document:
    else a model learns that a text may end a few words after BOS.
    """
    while True:
        order = rng.permutation(len(documents))
        ids = np.concatenate([documents[i].ids for i in order]).astype(np.int64)
        learn = np.concatenate([documents[i].learn for i in order])
        targets = np.where(learn, ids, -100)
        ends = np.cumsum([len(documents[i].ids) for i in order])
        if len(ids) < 2 * size:
            raise SystemExit(f"the text has {len(ids)} tokens, too few for windows of {size}")
        start = int(rng.integers(0, size))
        while start + size < len(ids):
            place = int(np.searchsorted(ends, start, side="right"))
            document, end = documents[order[place]], int(ends[place])
            inside = start > end - len(document.ids)
            if inside and (not document.divisible or end - start < size // 4):
                start = end
                continue
            inputs = ids[start : start + size].copy()
            inputs[0] = bos
            yield inputs, targets[start + 1 : start + size + 1]
            start += size
