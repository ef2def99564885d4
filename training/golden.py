"""
Writes golden data for the package's tests: `python3 training/golden.py FOLDER` makes `golden.json` from a
finished run. It contains the trainer's tokens and perplexity of the beginning of a held-out book, and its
tokens of a question.
"""

import environment

environment.ensure()  # Before the first import of a package that may be missing.

import json

import data
from evaluate import perplexity
from runs import named_run

CHARACTERS = 16_000
QUESTION = "Tell me a story about a fox and a golden bird."


def main() -> None:
    run = named_run("Write golden data for the engine's tests.")
    out, tokenizer = run.out, run.tokenizer
    # Stories of known plots, if the run has them. Rounding changes the perplexity of unknown ones much more.
    books = sorted(out.glob("validation-*.txt"))
    book = next((each for each in books if each.stem.endswith("seeds")), books[0]).read_text(encoding="utf-8")
    text = book[: book.index("\n", CHARACTERS) + 1]
    found = perplexity(run.model, tokenizer, text)
    chat = [tokenizer.token_to_id(token) for token in (data.BOS, data.USER)]
    golden = {
        "text": text,
        "ids": tokenizer.encode(text).ids,
        "perplexity": found.value,
        "scored": found.tokens,
        "question": QUESTION,
        "questionIds": [*chat, *tokenizer.encode(QUESTION).ids, tokenizer.token_to_id(data.ASSISTANT)],
    }
    (out / "golden.json").write_text(json.dumps(golden) + "\n", encoding="utf-8")
    print(f"{out / 'golden.json'}: {found}")


if __name__ == "__main__":
    main()
