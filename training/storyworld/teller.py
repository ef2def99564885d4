"""Runs a plot with a cast: its steps, its scenes and its sentences."""

import lexicon
from cast import Caster, Character, Entity
from chance import Chance
from forms import CHARACTER_FORMS
from plots import Branch, Call, Effect, Paragraph, Plot, Program, Text, scenes
from state import Contradiction, State
from template import Choice, Phrase, Reference, Template
from style import Style
from writer import Writer

SETTINGS = {
    "weather": ("sunny", "windy", "rainy", "foggy", "sunny", "cloudy"),
    "season": ("spring", "summer", "autumn"),
    "time": ("morning", "morning", "afternoon"),
}
Scope = dict[str, str]


class Teller:
    def __init__(self, plot: Plot, chance: Chance, brief: bool = False):
        self.plot = plot
        self.chance = chance
        # Without sentences that may be missing.
        self.brief = brief
        self.used: dict[str, dict] = {}
        # The last speaker.
        self.speaker: str | None = None
        # A snowman needs winter.
        warm = "set" in plot.headers and "winter" not in plot.headers["set"]
        caster = Caster(chance, ("snowman",) if warm else ())
        for role in plot.headers.get("cast", "").split(";"):
            self.cast_role(caster, role.split())
        for key in ("A", "B"):
            if key not in caster.cast:
                caster.cast[key] = caster.character(key, {})
        self.cast = caster.cast
        self.characters = [entity for entity in self.cast.values() if isinstance(entity, Character)]
        self.state = State(self.cast, self.setting())
        self.style = Style(chance)
        self.writer = Writer(chance, self.characters, self.style)

    def cast_role(self, caster: Caster, words: list[str]) -> None:
        """`A trait=proud` or `X things tags=keepsake noun=!kite`."""
        if not words:
            return
        key, *rest = words
        wishes = {column: value.split(",") for column, _, value in (word.partition("=") for word in rest if "=" in word)}
        for column, values in wishes.items():
            # `noun=S.experts`: the rows named in another entity's cell.
            wishes[column] = [word for value in values for word in self.resolved(caster, value)]
        tables = [word for word in rest if "=" not in word]
        if key in "ABC" and tables in ([], ["pets"]):
            caster.cast[key] = caster.character(key, wishes, *tables)
        else:
            caster.cast[key] = caster.other(key, tables[0], wishes)

    def resolved(self, caster: Caster, value: str) -> list[str]:
        entity, dot, column = value.partition(".")
        if not dot:
            return [value]
        sign = "!" if entity[0] == "!" else ""
        return [sign + word.replace(" ", "_") for word in caster.cast[entity.removeprefix("!")].row[column].split(",")]

    def setting(self) -> dict[str, str]:
        snow = any(entity.noun == "snowman" for entity in self.cast.values())
        setting = {name: self.chance.pick(values) for name, values in SETTINGS.items()}
        for wish in self.plot.headers.get("set", "").split(";"):
            if wish:
                name, *values = wish.replace(",", " ").split()
                setting[name] = self.chance.pick(values)
        return setting | ({"season": "winter", "weather": "snowy"} if snow else {})

    # Programs

    def run(self, program: Program, scope: Scope) -> None:
        for step in program:
            if isinstance(step, Text):
                if not step.maybe or not self.brief and self.chance.happens(0.5):
                    self.writer.begin_line()
                    self.expand(step.template, scope)
            elif isinstance(step, Paragraph):
                self.writer.begin_paragraph()
            elif isinstance(step, Effect):
                self.apply(step, scope)
            elif isinstance(step, Branch):
                possible = [program for program in step.programs if self.is_possible(program, scope)]
                if not possible:
                    raise Contradiction(f"{self.plot.name}: no branch is possible")
                self.run(self.chance.pick(possible), scope)
            else:
                self.call(step, scope)

    def call(self, call: Call, scope: Scope) -> None:
        name = call.scene
        if name == "detail" and self.brief and self.state.holds(("A", "trait", "none")):
            return
        if "{" in name:
            # `solve-{O}`: the scene for an entity's kind.
            stem, _, key = name.rstrip("}").partition("{")
            name = stem + self.cast[scope.get(key, key)].noun
        arguments = [scope.get(argument, argument) for argument in call.arguments]
        variants = [
            scene for scene in scenes()[name]
            if self.is_possible(scene.program, dict(zip(scene.parameters, arguments)))
        ]
        if not variants:
            raise Contradiction(f"{self.plot.name}: no variant of the scene {name} is possible")
        scene = self.chance.fresh(variants, self.used.setdefault(f"scene {name}", {}))
        self.run(scene.program, dict(zip(scene.parameters, arguments)))
        if name == "open" and self.chance.happens(0.7):
            self.writer.begin_paragraph()

    def is_possible(self, program: Program, scope: Scope) -> bool:
        """Whether the conditions at the head of a program are true."""
        for step in program:
            if not isinstance(step, Effect) or step.sign != "?":
                return True
            if not self.state.holds(self.fact(step, scope)):
                return False
        return True

    def fact(self, effect: Effect, scope: Scope) -> tuple[str, ...]:
        return tuple(scope.get(word, word) for word in effect.fact)

    def apply(self, effect: Effect, scope: Scope) -> None:
        fact = self.fact(effect, scope)
        if effect.sign == "+":
            self.state.add(fact)
        elif effect.sign == "-":
            self.state.remove(fact)
        elif not self.state.holds(fact):
            raise Contradiction(f"{self.plot.name}: it should be true that {' '.join(fact)}")

    # Templates

    def expand(self, template: Template, scope: Scope) -> None:
        """
        Choices inside quotations of one line belong together if they have as many options. So an answer fits
        its question.
        """
        linked: dict[int, int] = {}
        for part in template:
            if isinstance(part, str):
                self.writer.add(part)
            elif isinstance(part, Choice):
                count = len(part.options)
                index = int(self.chance.random() * count)
                if self.writer.quoted:
                    index = linked.setdefault(count, index)
                self.expand(part.options[index], scope)
            elif isinstance(part, Phrase):
                self.phrase(part, scope)
            else:
                self.refer(part, scope)

    def phrase(self, phrase: Phrase, scope: Scope) -> None:
        arguments = [scope.get(argument, argument) for argument in phrase.arguments]
        table = self.table(phrase.table, arguments)
        option = self.chance.fresh(lexicon.phrases()[table], self.used.setdefault(table, {}))
        self.expand(option, {str(index): argument for index, argument in enumerate(arguments, 1)})

    def table(self, name: str, arguments: list[str]) -> str:
        """The table itself, or the one for the setting or the first character: `sky.windy`, `trait.proud`."""
        tables = lexicon.phrases()
        if name in tables:
            return name
        keys = list(self.state.setting.values())
        if arguments and isinstance(entity := self.cast.get(arguments[0]), Entity):
            keys += [getattr(entity, "trait", ""), entity.row.get("group", "pet"), entity.row.get("moves", "")]
        for key in keys:
            if f"{name}.{key}" in tables:
                return f"{name}.{key}"
        raise SystemExit(f"{self.plot.name}: there is no table {name} for {keys}")

    def refer(self, reference: Reference, scope: Scope) -> None:
        key = scope.get(reference.entity, reference.entity)
        form = reference.form
        if key.startswith("!"):
            self.writer.mention_stranger(key[1:])
        elif "&" in key:
            self.both(key, scope)
        elif key in self.state.setting:
            self.writer.add(self.state.setting[key])
        elif key == "lesson":
            self.expand(self.lesson(), scope)
        elif key not in self.cast:
            raise SystemExit(f"{self.plot.name}: there is no {key} in the cast")
        elif form == "tag":
            self.tag(self.cast[key], reference.arguments[0])
        elif isinstance(self.cast[key], Character) and form in CHARACTER_FORMS:
            self.writer.add(CHARACTER_FORMS[form](self.writer, self.cast[key]))
        else:
            self.describe(self.cast[key], form, reference.arguments, scope)

    def lesson(self) -> Template:
        return self.chance.fresh(self.plot.alternatives("lesson"), self.used.setdefault("lesson", {}))

    def both(self, key: str, scope: Scope) -> None:
        people = [self.cast[scope.get(name, name)] for name in key.split("&")]
        friends = self.state.holds((people[0].key, "friend", people[1].key)) and all(person.known for person in people)
        if friends and self.chance.happens(0.25):
            self.writer.add("the two friends")
        else:
            self.writer.add(" and ".join(self.writer.noun(person) for person in people))
        for person in people:
            self.writer.mention(person)

    def tag(self, character: Character, verb: str) -> None:
        """The speaker: "said Pip", "Pip said", "he said", "answered Pip"."""
        if verb[0] == "<":
            verb = self.chance.pick(lexicon.phrases()[verb[1:-1]])[0]
        replies = self.speaker not in (None, character.key) and self.writer.text.endswith(',"')
        if verb == "said" and replies and self.chance.happens(0.25):
            verb = self.chance.pick(("answered", "replied"))
        self.speaker = character.key
        who = self.writer.subject(character)
        inverted = who not in ("he", "she") and self.chance.happens(0.7)
        self.writer.add(f"{verb} {who}" if inverted else f"{who} {verb}")

    def describe(self, entity: Entity, form: str, arguments: tuple[str, ...], scope: Scope) -> None:
        """Forms of things and places, and the cells of a row."""
        article = "the"
        if form == "a" and "a" in entity.row:
            # "a pot of soup"
            self.cell(entity, form, arguments, scope)
        elif form in ("", "a"):
            article = "a" if form == "a" or not entity.known and "adjectives" in entity.row else "the"
            full = article == "a" or self.chance.happens(0.3)
            self.writer.add(f"{article} {entity.described if full else entity.noun}")
            entity.known = True
        elif form == "n":
            self.writer.add(entity.noun)
        elif form == "an":
            entity.known = True
            self.writer.add(entity.described)
        elif form in ("in", "to"):
            self.writer.add(f"{entity.row[form]} the {entity.noun}")
        elif form == "adjective":
            self.writer.add(entity.adjective)
        else:
            self.cell(entity, form, arguments, scope)

    def cell(self, entity: Entity, form: str, arguments: tuple[str, ...], scope: Scope) -> None:
        """One alternative of a cell, the same in the whole story. `fail2` is another one than `fail`."""
        column = form.rstrip("2")
        choices = entity.row.get(column) or entity.row.get(column + "s")
        if choices is None:
            raise SystemExit(f"{self.plot.name}: {entity.noun} has no {column}")
        alternatives = lexicon.options(choices)
        index = entity.chosen.setdefault(column, int(self.chance.random() * len(alternatives)))
        option = alternatives[(index + form.endswith("2")) % len(alternatives)]
        inner = {str(number): scope.get(argument, argument) for number, argument in enumerate(arguments, 1)}
        self.expand(option, {**inner, "1": inner.get("1", entity.key)})
