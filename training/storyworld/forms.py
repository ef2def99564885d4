"""Forms of a character: `{A}` for a subject, `{A.o}` for an object, `{A.p}` for "Pip's" or "his"."""

from collections.abc import Callable
from functools import cache

import lexicon
from cast import PRONOUNS, Character
from writer import Writer


@cache
def verbs(move: str) -> list[str]:
    return {row["move"]: row["verbs"].split(",") for row in lexicon.table("moves")}[move]


@cache
def others(group: str) -> str:
    return {row["group"]: row["others"] for row in lexicon.table("groups")}[group]


def noun_apart(writer: Writer, character: Character) -> str:
    noun = writer.noun(character)
    writer.mention(character)
    return noun


def called(writer: Writer, character: Character) -> str:
    writer.mention(character)
    return character.name or f"the {character.noun}"


def kind(writer: Writer, character: Character) -> str:
    writer.mention(character)
    return writer.described(character)


def introduction(writer: Writer, character: Character) -> str:
    text = writer.introduced(character)
    writer.mention(character)
    return text


def indefinite(writer: Writer, character: Character) -> str:
    """ "a golden bird", without a name."""
    writer.mention(character)
    return f"a {character.described}"


def address(writer: Writer, character: Character) -> str:
    small = character.row["size"] in ("tiny", "small")
    if character.name and character.known:
        return character.name
    return writer.chance.pick(("my friend", f"little {character.noun}" if small else f"dear {character.noun}"))


CHARACTER_FORMS: dict[str, Callable[[Writer, Character], str]] = {
    "": Writer.subject,
    "o": lambda writer, character: writer.reference(character, 1, 0.85),
    "p": lambda writer, character: writer.reference(character, 2, 0.85),
    "r": lambda writer, character: PRONOUNS[character.pronoun][3],
    "he": lambda writer, character: PRONOUNS[character.pronoun][0],
    "him": lambda writer, character: PRONOUNS[character.pronoun][1],
    "his": lambda writer, character: PRONOUNS[character.pronoun][2],
    "n": noun_apart,
    "the": kind,
    "a": indefinite,
    "intro": introduction,
    "voc": address,
    "kind": lambda writer, character: character.noun,
    "name": called,
    "trait": lambda writer, character: character.trait or "kind",
    "go": lambda writer, character: writer.chance.pick(verbs(character.row["moves"])),
    "folk": lambda writer, character: others(character.row.get("group", "wild")),
}
