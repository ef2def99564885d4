"""
The template language of plots, scenes and tables: `[one|another]` is a choice, `{A.form}` a reference to
something in the story, and `<table A>` a phrase of phrases.txt.
"""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Choice:
    options: tuple["Template", ...]


@dataclass(frozen=True)
class Reference:
    """`{A.form}`: the entity, the form, and arguments for a table's field."""

    entity: str
    form: str
    arguments: tuple[str, ...]


@dataclass(frozen=True)
class Phrase:
    """`<table A B>`: one of a table's phrases, where {1} is A and {2} is B."""

    table: str
    arguments: tuple[str, ...]


Part = str | Choice | Reference | Phrase
Template = tuple[Part, ...]

TOKEN = re.compile(r"\{[^{}]*\}|<[^<>]*>|[\[\]|]|[^\[\]|{}<>]+")


# `" said {A}` becomes "said Pip" or "he said".
TAG = re.compile(
    r'(?<=" )(<\w+>|said|asked|cried|whispered|sighed|called|laughed|shouted|answered|replied|thought|murmured|grumbled|begged'
    r"|wondered|growled|sobbed|explained|promised|agreed|added|admitted|sang) \{(\w+)\}"
)


def parse(text: str) -> Template:
    """The parts of a template. A mistake in it ends the program with the text."""
    text = TAG.sub(r"{\2.tag \1}", text)
    tokens = TOKEN.findall(text)
    if "".join(tokens) != text:
        raise SystemExit(f"a bracket is not closed in: {text}")
    template, rest = parse_parts(tokens, 0, text, depth=0)
    if rest != len(tokens):
        raise SystemExit(f"a bracket is closed without being open in: {text}")
    return template


def parse_parts(tokens: list[str], at: int, text: str, depth: int) -> tuple[Template, int]:
    parts: list[Part] = []
    while at < len(tokens) and not (depth > 0 and tokens[at] in "|]"):
        token = tokens[at]
        if token == "[":
            choice, at = parse_choice(tokens, at + 1, text, depth + 1)
            parts.append(choice)
            continue
        if token in "|]":
            raise SystemExit(f"{token} stands outside of brackets in: {text}")
        if token[0] == "{":
            name, *arguments = token[1:-1].split()
            entity, _, form = name.partition(".")
            parts.append(Reference(entity, form, tuple(arguments)))
        elif token[0] == "<":
            table, *arguments = token[1:-1].split()
            parts.append(Phrase(table, tuple(arguments)))
        else:
            parts.append(token)
        at += 1
    return tuple(parts), at


def parse_choice(tokens: list[str], at: int, text: str, depth: int) -> tuple[Choice, int]:
    options: list[Template] = []
    while True:
        option, at = parse_parts(tokens, at, text, depth)
        options.append(option)
        if at >= len(tokens):
            raise SystemExit(f"a bracket is not closed in: {text}")
        at += 1
        if tokens[at - 1] == "]":
            return Choice(tuple(options)), at
