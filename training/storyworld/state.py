"""The facts of a story: places, belongings, knowledge and feelings of its characters."""

from cast import Character, Entity

Fact = tuple[str, ...]
# Relations with one value: a new place replaces the old one.
SINGLE = {"at", "feels"}


class Contradiction(Exception):
    """A plot contradicts the facts of its story."""


class State:
    def __init__(self, cast: dict[str, Entity], setting: dict[str, str]):
        self.cast = cast
        self.setting = setting
        self.facts: set[Fact] = set()

    def add(self, fact: Fact) -> None:
        subject, relation, *_ = fact
        if relation in SINGLE:
            self.facts = {old for old in self.facts if old[:2] != (subject, relation)}
        if relation == "has":
            # A thing has one owner.
            self.facts = {old for old in self.facts if old[1:] != fact[1:]}
        self.facts.add(fact)

    def remove(self, fact: Fact) -> None:
        if fact not in self.facts:
            raise Contradiction(f"{' '.join(fact)} ends, but it was not so")
        self.facts.discard(fact)

    def holds(self, fact: Fact) -> bool:
        """
        Facts of the state, of the setting (`weather windy`) and of a character (`A can fly`, `A group wild`).
        """
        if fact[0] == "not":
            return not self.holds(fact[1:])
        subject, relation, *values = fact
        if subject in self.setting:
            return self.setting[subject] in fact[1:]
        entity = self.cast.get(subject)
        if relation == "can":
            return any(talent in entity.row.get("talents", "").split() for talent in values)
        if relation == "named":
            return isinstance(entity, Character) and entity.name is not None
        if relation == "trait":
            return (entity.trait or "none") in values
        if relation == "is":
            return entity.noun in values
        if entity is not None and relation in entity.row:
            return bool(set(entity.row[relation].replace(",", " ").split()) & set(values))
        return fact in self.facts
