"""From text files to tokens: cleaning, whole held-out books, a byte-level BPE, and documents for training."""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

HERE = Path(__file__).parent

# In the order of their ids, which are the last ids of the vocabulary.
BOS, EOS, USER, ASSISTANT = "<|begin_of_text|>", "<|end_of_text|>", "<|user|>", "<|assistant|>"
SPECIAL = [BOS, EOS, USER, ASSISTANT, "<|reserved_0|>", "<|reserved_1|>", "<|reserved_2|>", "<|pad|>"]
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}{{ '<|assistant|>' + message['content'] | trim + eos_token }}"
    "{% else %}{{ '<|user|>' + message['content'] | trim }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
# The splitter of Llama 3. Every GGUF engine knows it as "llama-bpe".
SPLITTER = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


# Typical beginnings of tales. In a book of tales, such a paragraph begins a new tale, with or without a
# title.
OPENING = re.compile(
    r"(?:Once upon a time|Once there|There (?:was|were),? once|There (?:once )?lived|There once|Long,? long ago|Long ago"
    r"|Many(?:, many)? years ago|A long time ago|Far(?:, far)? away|In a certain)\b"
)


# Messages of the user and the assistant in turn, with "role" and "content".
Conversation = list[dict[str, str]]


@dataclass
class Story:
    """
    A chapter or a tale: paragraphs, and its title if the book prints one. A ready story needs no cleaning, no
    title and no questions.
    """

    paragraphs: list[str] = field(default_factory=list)
    title: str | None = None
    tale: bool = False
    ready: bool = False

    @property
    def text(self) -> str:
        body = "\n".join(self.paragraphs)
        return f"{self.title}\n\n{body}" if self.title else body


@dataclass
class Corpus:
    train: list[Story]
    validation: dict[str, list[Story]]
    conversations: list[Conversation] = field(default_factory=list)


def read_corpus(settings: dict, folder: Path) -> Corpus:
    """
    :param settings: [data] of config.toml.
    :param folder: the folder of the corpus and its sources.
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
        if source.get("ready"):
            stories = ready_stories(book)
        else:
            stories = split_book(book, banned, tale=tales.search(title) is not None)
        if held_out:
            corpus.validation[title] = stories
        else:
            corpus.train += stories
    if not corpus.train or len(corpus.validation) < len(settings["validation"]):
        raise SystemExit(f"no book is left to train on, or not all of {settings['validation']} are among the sources")
    corpus.conversations = read_conversations(folder / settings["conversations"])
    return corpus


def read_conversations(path: Path) -> list[Conversation]:
    """One conversation per line. None if the file is missing."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def ready_stories(book: str) -> list[Story]:
    """Stories between blank lines, as they are. A first line that begins with `# ` is a title."""
    stories = []
    for chapter in re.split(r"\n{2,}", book):
        first, *rest = chapter.split("\n")
        titled = first.startswith("# ")
        title = first.removeprefix("# ") if titled else None
        stories.append(Story(rest if titled else [first, *rest], title, tale=True, ready=True))
    return stories


def split_book(book: str, banned: re.Pattern, tale: bool) -> list[Story]:
    """
    Cuts a book into chapters at blank lines and at headings. Drops lists of contents and banned paragraphs.
    """
    stories = []
    for chapter in re.split(r"\n{2,}", book):
        story = Story(tale=tale)
        for line in chapter.split("\n"):
            line = clean(line)
            if not line or is_contents(line) or is_note(line) or banned.search(line) or (tale and is_credit(line)):
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
    """
    Cleans one paragraph: no notes, ordinary capitals at its start, double quotes around speech, equal dashes.
    """
    line = re.sub(r"\s*\[[^\]]*\]?|[|*^`#]|\((?=\d+\))\d+\)", "", line)
    line = re.sub(r"-{2,}", "--", line)
    line = re.sub(r"\s*(?:\. ){2,}\.?", "... ", line)
    # "ONCE upon a time": printers set the first word of a chapter in capitals.
    line = re.sub(r"^([\"']?)([A-Z])([A-Z']+)\b(?= [a-z])", lambda m: m[1] + m[2] + m[3].lower(), line)
    if '"' not in line:
        # A capital begins speech. A small letter continues it after "said he,".
        line = re.sub(r"(?:(?:(?<=^)|(?<=[\s(-]))'(?=[A-Z])|(?<=[,;:] )'(?=[a-z]))(.+?[,.!?-])'(?=[\s.,;)-]|$)", r'"\1"', line)
    return re.sub(r"\s+", " ", line).strip()


def heading_of(line: str) -> str | None:
    """The title in a line, without its number. None for a line of text."""
    if not 3 <= len(line) <= 70 or re.search(r"[.,;:!?\"'-]$", line) or not re.match(r"[A-Z0-9]", line):
        return None
    title = re.sub(r"^(?:[0-9]+|[IVXL]+)\b[.:]?[ -]*", "", line)
    words = re.findall(r"[A-Za-z']{4,}", title)
    if not words or sum(word[0].isupper() for word in words) < 0.7 * len(words):
        return None
    return title.title().replace("'S", "'s") if title.isupper() else title


def is_contents(line: str) -> bool:
    """
    Finds lists of contents, which were joined to one line: many words, mostly capitalized, and no sentences.
    """
    words = re.findall(r"[A-Za-z']{4,}", line)
    capitals = sum(word[0].isupper() for word in words)
    return len(words) > 8 and capitals > 0.6 * len(words)


def is_note(line: str) -> bool:
    """Finds editors' notes on sources and similar tales."""
    return NOTE.search(line) is not None


NOTE = re.compile(
    r"^(?:Sources?|Parallels|Remarks|Manuscript|Variants?)\b[^a-z]{0,4}-|\b(?:l\. ?c|pp?|vol|seq|[Cc]f|ed|edit|viz)\.,? "
    r"|Folk-?[Ll]ore|Cosquin|Halliwell|Liebrecht|Baring-Gould|\bM[aä]e?h?rchen|\bJataka"
)


def is_credit(line: str) -> bool:
    """Finds the source below a tale: "By the Comte de Caylus.", "(From Ehstnische Marchen.)"."""
    words = re.findall(r"[A-Za-z']{4,}", line)
    capitals = sum(word[0].isupper() and word != "From" for word in words)
    return len(line) <= 90 and not line.startswith('"') and line.endswith((".", ",", ")")) and capitals > 0.6 * len(words)


def empty_tokenizer(vocabulary: dict[str, int] | None = None, merges: list[tuple[str, str]] | None = None) -> Tokenizer:
    """A byte-level BPE without special tokens, with this vocabulary and these merges or with none."""
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, ignore_merges=False))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLITTER), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def train_tokenizer(corpus: Corpus, vocab_size: int) -> Tokenizer:
    """Byte-level BPE: 256 bytes, merges, and the special tokens at the end."""
    tokenizer = empty_tokenizer()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size - len(SPECIAL),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts_of(corpus), trainer)
    tokenizer.add_special_tokens(SPECIAL)
    if tokenizer.get_vocab_size() != vocab_size:
        raise SystemExit(f"the text is too short for {vocab_size} tokens: {tokenizer.get_vocab_size()} were found")
    return tokenizer


def texts_of(corpus: Corpus) -> Iterator[str]:
    yield from (story.text for story in corpus.train)
    yield from (message["content"] for conversation in corpus.conversations for message in conversation)


@dataclass
class Document:
    """Ids, a mask of the ids to predict (not the user's), and whether a window may begin inside."""

    ids: np.ndarray
    learn: np.ndarray
    divisible: bool = True


def story_documents(tokenizer: Tokenizer, stories: list[Story], rng: np.random.Generator) -> list[Document]:
    """
    BOS, the story, EOS. Half of the tales without a title get one, "The King and the Bird", so that a title
    can be a prompt.
    """
    bos, eos = tokenizer.token_to_id(BOS), tokenizer.token_to_id(EOS)
    things = Things([story for story in stories if not story.ready])
    texts = []
    for story in stories:
        untitled = story.tale and not story.ready and not story.title
        found = things.of(story.text[:TITLE_CHARACTERS]) if untitled and rng.random() < 0.5 else []
        texts.append(f"{title_of(found, rng)}\n\n{story.text}" if found else story.text)
    documents = []
    for encoding in tokenizer.encode_batch_fast(texts):
        ids = np.array([bos, *encoding.ids, eos], dtype=np.int32)
        documents.append(Document(ids, np.ones(len(ids), dtype=bool)))
    return documents


# A title uses nouns from this many first characters of a tale.
TITLE_CHARACTERS = 1500


def title_of(things: list[str], rng: np.random.Generator) -> str:
    """ "The King and the Bird" or "The king and the bird"."""
    title = " and ".join(f"the {thing}" for thing in things[: 1 + int(rng.random() < 0.7)])
    if rng.random() < 0.5:
        return title[0].upper() + title[1:]
    return "The " + title[4:].title().replace(" And The ", " and the ")


# Forms of questions. {about} is "a king and a golden bird", {title} a title, {start} a first sentence.
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
    Instructions and answers from the books' own passages. The question contains a passage's subject, its
    title or its first sentence. The answer is the passage, to the end of a paragraph.

    :param passage: the approximate number of characters of an answer.

    A requested story should begin and end like a story. So the beginning of every tale occurs four times,
    each time with another question. Three times the tale's end follows it. Later passages and the beginnings
    of other chapters occur at a rate of one in ten, unless they begin with speech. Half of all scenes have a
    question about nouns of their first sentences. A model that memorizes the beginnings of all tales can
    ignore the question, but there are too many scenes to memorize.
    """
    things = Things(stories)
    bos, eos = tokenizer.token_to_id(BOS), tokenizer.token_to_id(EOS)
    user, assistant = tokenizer.token_to_id(USER), tokenizer.token_to_id(ASSISTANT)
    asked = []
    for story in stories:
        for index, paragraphs in enumerate(passages(story.paragraphs, passage)):
            if story.tale and index == 0:
                asked.append(ask(story, index, paragraphs, things, rng))
                asked += [ask(story, index, abridged(story.paragraphs, passage), things, rng) for _ in range(3)]
            elif rng.random() < 0.1 and (story.tale or index == 0) and not paragraphs[0].startswith('"'):
                asked.append(ask(story, index, paragraphs, things, rng))
        asked += [ask_for_scene(scene, things, rng) for scene in scenes(story.paragraphs) if rng.random() < 0.5]
    asked = [pair for pair in asked if pair is not None]
    questions = tokenizer.encode_batch_fast([question for question, _ in asked])
    answers = tokenizer.encode_batch_fast([answer for _, answer in asked])
    documents = []
    for question, answer in zip(questions, answers, strict=True):
        before = [bos, user, *question.ids, assistant]
        ids = np.array([*before, *answer.ids, eos], dtype=np.int32)
        documents.append(Document(ids, np.arange(len(ids)) >= len(before), divisible=False))
    return documents


def abridged(paragraphs: list[str], size: int) -> list[str]:
    """The beginning of a tale and its end, together about `size` characters."""
    if sum(map(len, paragraphs)) <= size * 1.3:
        return paragraphs
    begin, end = 0, len(paragraphs)
    taken = 0
    while begin < end - 1 and taken < 0.6 * size:
        taken += len(paragraphs[begin])
        begin += 1
    taken = 0
    while end > begin and (taken == 0 or taken + len(paragraphs[end - 1]) < 0.4 * size):
        end -= 1
        taken += len(paragraphs[end])
    return paragraphs[:begin] + paragraphs[end:]


def passages(paragraphs: list[str], size: int) -> list[list[str]]:
    """Paragraphs in groups of about `size` characters. A short last group joins the group before it."""
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
    story: Story, index: int, paragraphs: list[str], things: "Things", rng: np.random.Generator
) -> tuple[str, str] | None:
    """
    A question for a passage and its answer. None if the passage has no noun of nouns.txt as its subject.
    """
    answer = "\n".join(paragraphs)
    kind = rng.random()
    if index == 0 and story.title and kind < 0.4:
        return pick(TITLE, rng).format(title=story.title), answer
    if kind > 0.85:
        first, _, rest = paragraphs[0].partition(". ")
        if rest and 20 < len(first) < 160:
            return pick(START, rng).format(start=first + "."), "\n".join([rest, *paragraphs[1:]])
    found = things.of(answer)
    if not found:
        return None
    if kind < 0.1:
        return pick(TITLE, rng).format(title=title_of(found, rng)), answer
    return question_about(found[: 1 + int(rng.integers(0, 3))], answer, things, rng), answer


SCENE_CHARACTERS = 500


def scenes(paragraphs: list[str]) -> list[str]:
    """Consecutive passages of about SCENE_CHARACTERS that do not begin in speech."""
    found, scene = [], ""
    for paragraph in paragraphs:
        if scene or not paragraph.startswith('"'):
            scene = f"{scene}\n{paragraph}" if scene else paragraph
        if len(scene) >= SCENE_CHARACTERS:
            if len(scene) < 3 * SCENE_CHARACTERS:
                found.append(scene)
            scene = ""
    return found


def ask_for_scene(scene: str, things: "Things", rng: np.random.Generator) -> tuple[str, str] | None:
    """A question about one or two nouns of its first 160 characters."""
    nouns = list(dict.fromkeys(things.found(scene[:160])))
    if not nouns:
        return None
    chosen = [nouns[i] for i in sorted(rng.permutation(len(nouns))[: 1 + int(rng.random() < 0.7)])]
    return question_about(chosen, scene, things, rng), scene


def question_about(nouns: list[str], answer: str, things: "Things", rng: np.random.Generator) -> str:
    described = [things.described(noun, answer) if rng.random() < 0.5 else noun for noun in nouns]
    named = [f"{'an' if thing[0] in 'aeiou' else 'a'} {thing}" if rng.random() < 0.7 else f"the {thing}" for thing in described]
    about = named[0] if len(named) == 1 else f"{', '.join(named[:-1])} and {named[-1]}"
    question = pick(ABOUT, rng).format(about=about)
    return question[0].upper() + question[1:]


class Things:
    """The subjects of texts: their most frequent nouns of nouns.txt, weighted by rarity in all stories."""

    def __init__(self, stories: list[Story]):
        self.nouns = set((HERE / "nouns.txt").read_text(encoding="utf-8").split())
        counts: dict[str, int] = {}
        for story in stories:
            for noun in self.found(story.text):
                counts[noun] = counts.get(noun, 0) + 1
        total = sum(counts.values())
        self.rarity = {noun: math.log(total / count) for noun, count in counts.items()}

    def found(self, text: str) -> list[str]:
        words = re.findall(r"[a-z]+", text.lower())
        return [noun for word in words if (noun := word if word in self.nouns else word.removesuffix("s")) in self.nouns]

    def of(self, text: str) -> list[str]:
        """The main subjects first. A noun that occurs only once, or late, is not a subject."""
        early = set(self.found(text[:400]))
        counts: dict[str, int] = {}
        for noun in self.found(text):
            counts[noun] = counts.get(noun, 0) + 1
        main = [noun for noun, count in counts.items() if count > 1 and noun in early]
        return sorted(main, key=lambda noun: -counts[noun] * self.rarity.get(noun, 1.0))

    def described(self, noun: str, text: str) -> str:
        """"golden bird", if the text has the adjective."""
        match = re.search(rf"\b({ADJECTIVES}) {noun}\b", text)
        return f"{match[1]} {noun}" if match else noun


ADJECTIVES = (
    "golden|silver|little|old|poor|young|beautiful|wicked|great|big|white|black|red|blue|green|grey|brown|enchanted|magic|clever|"
    "brave|foolish|proud|lazy|kind|good|bad|wise|rich|hungry|strange|dark|deep|wild|lonely|happy|sad|tiny|huge|pretty|cruel|faithful"
)


def pick(choices: list[str], rng: np.random.Generator) -> str:
    return choices[int(rng.integers(len(choices)))]


def windows(documents: list[Document], size: int, bos: int, rng: np.random.Generator, emphasis: "Emphasis"):
    """
    Endless windows (inputs [size], targets [size], weights [size]) from concatenated documents, in a new
    order in every pass. Each window begins with BOS at any cut, since engines that measure perplexity add it.
    Targets that are not learned are −100.

    The windows of a pass come in random order. An update of 32 windows of one story would learn that story.
    """
    while True:
        order = rng.permutation(len(documents))
        ids = np.concatenate([documents[i].ids for i in order]).astype(np.int64)
        learn = np.concatenate([documents[i].learn for i in order])
        targets = np.where(learn, ids, -100)
        weights = np.concatenate([emphasis.weights(documents[i].ids) for i in order])
        if len(ids) < 2 * size:
            raise SystemExit(f"the text has {len(ids)} tokens, too few for windows of {size}")
        for start in rng.permutation(beginnings([documents[i] for i in order], size, first=int(rng.integers(0, size)))):
            inputs = ids[start : start + size].copy()
            inputs[0] = bos
            after = slice(start + 1, start + size + 1)
            yield inputs, targets[after], weights[after]


def document_starts(inputs: torch.Tensor, bos: int) -> torch.Tensor:
    """
    For each position of inputs [windows, length], the position of its document's BOS, as int32. With it,
    attention sees one document at a time. The characters of other documents in the window are noise.
    """
    positions = torch.arange(inputs.shape[1], dtype=torch.int32, device=inputs.device)
    return torch.where(inputs == bos, positions, 0).cummax(1).values.contiguous()


# A token of fewer documents than this share is rare: names, kinds, things and places.
RARE = 0.1
PRONOUNS = ["he", "she", "him", "her", "his", "hers"]


def rare_tokens(documents: list[Document], tokenizer: Tokenizer) -> np.ndarray:
    """Whether each token of the vocabulary is rare."""
    counts = np.zeros(tokenizer.get_vocab_size(), dtype=np.int64)
    for document in documents:
        counts[np.unique(document.ids)] += 1
    return counts < RARE * len(documents)


def pronoun_tokens(tokenizer: Tokenizer) -> np.ndarray:
    """Whether each token of the vocabulary is one of PRONOUNS."""
    found = np.zeros(tokenizer.get_vocab_size(), dtype=bool)
    for word in PRONOUNS:
        for token in (word, f"Ġ{word}", word.title(), f"Ġ{word.title()}"):
            place = tokenizer.token_to_id(token)
            if place is not None:
                found[place] = True
    return found


@dataclass
class Emphasis:
    """
    The weights of targets: `weight` for pronouns and for rare tokens that their document or its request used
    before, 1 for all others. A story makes sense only if these are right, and the text before says what is
    right. A new name is a free choice.
    """

    weight: float
    rare: np.ndarray
    pronouns: np.ndarray

    @classmethod
    def of(cls, documents: list[Document], tokenizer: Tokenizer, weight: float) -> "Emphasis":
        return cls(weight, rare_tokens(documents, tokenizer), pronoun_tokens(tokenizer))

    def weights(self, ids: np.ndarray) -> np.ndarray:
        """The weight of each token of a document, as float32."""
        used = np.ones(len(ids), dtype=bool)
        used[np.unique(ids, return_index=True)[1]] = False
        return np.where(self.rare[ids] & used | self.pronouns[ids], self.weight, 1.0).astype(np.float32)


def beginnings(documents: list[Document], size: int, first: int) -> list[int]:
    """
    The first positions of windows in concatenated documents. Windows follow one another, but none begins in
    an answer or within a quarter of a window of a story's end. There the next document begins a window.
    Otherwise a model learns that a text may end a few words after BOS.
    """
    ends = np.cumsum([len(document.ids) for document in documents])
    starts, start = [], first
    while start + size < ends[-1]:
        place = int(np.searchsorted(ends, start, side="right"))
        document, end = documents[place], int(ends[place])
        inside = start > end - len(document.ids)
        if inside and (not document.divisible or end - start < size // 4):
            start = end
            continue
        starts.append(start)
        start += size
    return starts
