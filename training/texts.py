"""A folder of text files as a corpus, for `train.py --text` and finetune.py."""

from pathlib import Path

from tokenizers import Tokenizer

from data import Corpus, Story, read_conversations

# A folder of files for validation, inside the folder of texts.
HELD_OUT = "held-out"


def read_texts(folder: Path) -> Corpus:
    """
    Every .txt file is one document, unchanged. The files in `held-out` are for validation. Without that
    folder, the last tenth of every file is.
    """
    if not folder.is_dir():
        raise SystemExit(f"there is no folder {folder}")
    paths = sorted(folder.rglob("*.txt"))
    held_out = [path for path in paths if path.relative_to(folder).parts[0] == HELD_OUT]
    texts = [read_text(path) for path in paths if path not in held_out]
    validation = [read_text(path) for path in held_out]
    if not texts:
        raise SystemExit(f"there are no .txt files in {folder} to train on")
    if not held_out:
        texts, validation = map(list, zip(*map(split_at_a_tenth, texts), strict=True))
    corpus = Corpus([document(text) for text in texts], {"Held out": [document(text) for text in validation]})
    corpus.conversations = read_conversations(folder / "conversations.jsonl")
    return corpus


def read_text(path: Path) -> str:
    """The text without a byte order mark and without space at both ends. Its line breaks become `\\n`."""
    try:
        text = path.read_text(encoding="utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise SystemExit(f"{path} is not UTF-8: {error}") from None
    if not text:
        raise SystemExit(f"{path} is empty")
    return text


def split_at_a_tenth(text: str) -> tuple[str, str]:
    """The text before and after the first line break or space in its last tenth."""
    from_here = len(text) * 9 // 10
    cut = next((at for mark in "\n " if (at := text.find(mark, from_here)) >= 0), from_here)
    return text[:cut].rstrip(), text[cut:].lstrip()


def document(text: str) -> Story:
    return Story(text.split("\n"), tale=True, ready=True)


def require_length(corpus: Corpus, tokenizer: Tokenizer, context: int) -> None:
    """Ends the program if the held-out text has less than two chunks, which perplexity needs."""
    for title, stories in corpus.validation.items():
        count = sum(len(tokenizer.encode(story.text).ids) for story in stories)
        if count < 2 * context:
            raise SystemExit(
                f"{title}: {count} tokens, and perplexity needs two chunks of {context}: add text or lower the context"
            )
