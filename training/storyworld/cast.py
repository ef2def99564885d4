"""The cast of a story: characters, things, places and other rows of the tables, chosen for a plot's roles."""

from dataclasses import dataclass, field
from functools import cache

import lexicon
from chance import Chance
from lexicon import Row

PRONOUNS = {"he": ("he", "him", "his", "himself"), "she": ("she", "her", "her", "herself")}
SIZES = ("tiny", "small", "big", "huge")
SIZE_WORDS = {"tiny": ("tiny", "little"), "small": ("little", "small"), "big": ("tall", "big"), "huge": ("huge", "enormous")}
COLORS = ("golden", "silver", "white", "brown", "gray", "blue", "green", "red", "black")
MANNERS = ("young", "old", "quiet", "cheerful", "shy", "clever", "gentle", "merry", "curious", "friendly", "thoughtful")
# Trades and people have no colors. Too old or too young for some kinds.
TIMELESS = ("girl", "boy", "kitten", "puppy", "lamb", "grandmother", "grandfather", "prince", "princess")


@dataclass
class Entity:
    """Something in a story. `row` is its row of a table."""

    key: str
    noun: str
    row: Row
    adjective: str = ""
    known: bool = False
    chosen: dict[str, int] = field(default_factory=dict)

    @property
    def described(self) -> str:
        return f"{self.adjective} {self.noun}".strip()


@dataclass
class Character(Entity):
    name: str | None = None
    pronoun: str = "he"
    trait: str = ""

    @property
    def talents(self) -> list[str]:
        return self.row.get("talents", "").split()


class Caster:
    """Fills the roles of a plot. No two characters of a story are of one kind or have one name."""

    def __init__(self, chance: Chance, excluded: tuple[str, ...] = ()):
        self.chance = chance
        self.excluded = excluded
        self.cast: dict[str, Entity] = {}
        # In some stories nobody and nothing has an adjective, as in most requests.
        self.plain = chance.happens(0.4)

    def character(self, key: str, wishes: dict[str, list[str]], table: str = "kinds") -> Character:
        taken = {*self.excluded, *(entity.noun for entity in self.cast.values())}
        rows = [row for row in rows_for(table, wishes) if row_noun(row) not in taken]
        if table == "kinds" and "water" not in wishes.get("group", []):
            rows = [row for row in rows if row["group"] != "water"]
        row = self.chance.pick(rows)
        others = [entity for entity in self.cast.values() if isinstance(entity, Character)]
        pronoun = row.get("gender", "any")
        if pronoun == "any":
            # Different pronouns make clear sentences.
            different = "she" if others and others[0].pronoun == "he" else "he"
            pronoun = different if others and self.chance.happens(0.85) else self.chance.pick(("he", "she"))
        names = [name for name in lexicon.names()[pronoun] if name not in {other.name for other in others}]
        named = {"A": 0.93, "B": 0.6}.get(key, 0.5)
        person = Character(key, row_noun(row), row, name=self.chance.pick(names), pronoun=pronoun)
        if not self.chance.happens(named) and not wishes.get("named"):
            person.name = None
        person.trait = self.chance.pick(wishes["trait"]) if wishes.get("trait") else ""
        person.adjective = self.adjective(row, person.trait)
        return person

    def adjective(self, row: Row, trait: str) -> str:
        draw = self.chance.random()
        noun = row_noun(row)
        if self.plain and trait != "small":
            return ""
        if trait == "small":
            return self.chance.pick(("little", "small", "tiny"))
        if draw < 0.35 and row.get("group") in ("trade", "country", "sea", "royal", "elder"):
            return self.chance.pick(("tall", "young", "old", "")) if noun not in TIMELESS else ""
        if draw < 0.35:
            return self.chance.pick(SIZE_WORDS[row["size"]])
        if draw < 0.5 and row.get("group") in (None, "wild", "bird", "farm", "far", "water") or draw < 0.45 and noun in ("dragon", "robot", "unicorn"):
            return self.chance.pick(COLORS)
        if draw < 0.8 and not trait and noun not in TIMELESS and row.get("group"):
            return self.chance.pick(MANNERS)
        return ""

    def other(self, key: str, table: str, wishes: dict[str, list[str]]) -> Entity:
        used = {entity.noun for entity in self.cast.values()}
        rows = [row for row in rows_for(table, wishes) if row_noun(row) not in used]
        row = self.chance.pick(rows)
        adjectives = None if self.plain else row.get("adjectives")
        return Entity(key, row_noun(row), row, adjective=self.chance.pick(adjectives.split(",")) if adjectives else "")


def row_noun(row: Row) -> str:
    """The first column of every table is the noun."""
    return next(iter(row.values()))


def rows_for(table: str, wishes: dict[str, list[str]]) -> list[Row]:
    return fitting(table, tuple((column, tuple(words)) for column, words in wishes.items()))


@cache
def fitting(table: str, wishes: tuple[tuple[str, tuple[str, ...]], ...]) -> list[Row]:
    return [row for row in lexicon.table(table) if fits(row, {column: list(words) for column, words in wishes})]


def fits(row: Row, wishes: dict[str, list[str]]) -> bool:
    """
    Whether a row has one of the wanted words in each of the wanted columns. `!word` excludes. A word of two
    parts is written with `_`.
    """
    for column, words in wishes.items():
        if column in ("trait", "named"):
            continue
        noun = row_noun(row).replace(" ", "_")
        have = {noun} if column == "noun" else set(row.get(column, "").replace(",", " ").split())
        unwanted = {word[1:] for word in words if word[0] == "!"}
        wanted = {word for word in words if word[0] != "!"}
        if have & unwanted or (wanted and not have & wanted):
            return False
    return True
