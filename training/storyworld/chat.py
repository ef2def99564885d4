"""Conversations: requests for stories, questions with right answers, small talk, other questions."""

from collections.abc import Callable
from dataclasses import dataclass

import lexicon
from cast import Character, Entity
from chance import Chance
from lexicon import TABLES, lines_of
from story import Story
from writer import tidy

Message = dict[str, str]
# Tells the story of a seed.
Tell = Callable[[str], Story]


def sentences() -> dict[str, list[str]]:
    """The tables of chat.txt."""
    found: dict[str, list[str]] = {}
    for line in lines_of(TABLES / "chat.txt"):
        if line.startswith("[["):
            found[name := line[2:-2]] = []
        elif line:
            found[name].append(line)
    return found


SENTENCES = sentences()
# The share of conversations that begin with each of these.
BEGINNINGS = {"story": 0.74, "greeting": 0.09, "small": 0.1, "tiny": 0.07}
PLURALS = {"mouse": "mice", "wolf": "wolves", "fairy": "fairies", "puppy": "puppies", "fox": "foxes", "goose": "geese"}


@dataclass
class Conversation:
    chance: Chance
    tell: Tell
    seed: str

    def messages(self) -> list[Message]:
        self.said: list[Message] = []
        story = self.tell(self.seed)
        kind = self.weighted(BEGINNINGS)
        if kind == "tiny":
            gist = " ".join(story.gist)
            self.say("user", "ask short", about=self.about(story, gist))
            self.reply(gist)
            self.small_talk(0.3, story)
            return self.said
        if kind == "greeting":
            if self.greet(story):
                return self.said
        elif kind == "small":
            for _ in range(1 + int(self.chance.random() * 3)):
                self.other(story)
            if self.chance.happens(0.6):
                return self.said
        self.request(story)
        self.follow_up(story)
        return self.said

    def weighted(self, shares: dict[str, float]) -> str:
        draw = self.chance.random()
        for name, share in shares.items():
            draw -= share
            if draw < 0:
                return name
        return name

    def say(self, role: str, table: str, **values: str) -> None:
        text = self.chance.pick(SENTENCES[table])
        for name, value in values.items():
            text = text.replace("{" + name + "}", value).replace("{" + name.capitalize() + "}", value[:1].upper() + value[1:])
        self.said.append({"role": role, "content": tidy(text)})

    def reply(self, text: str) -> None:
        self.said.append({"role": "assistant", "content": text})

    # Requests

    def request(self, story: Story) -> None:
        """Asks for this story in one of many ways, and tells it."""
        text = story.text
        draw = self.chance.random()
        main = story.cast["A"]
        first, _, rest = text.partition(". ")
        if draw < 0.68:
            self.say("user", "ask about", about=self.about(story))
        elif draw < 0.77:
            self.say("user", "ask about", about=lower(self.chance.pick(story.about)) if story.about else self.about(story))
        elif draw < 0.84:
            title = story.title if self.chance.happens(0.6) else story.title.capitalize()
            self.say("user", "ask title", title=title)
        elif draw < 0.87 and isinstance(main, Character) and main.name:
            self.say("user", "ask named", about=f"a {main.noun}", name=main.name)
        elif draw < 0.93 and '"' not in first and rest:
            self.say("user", "ask start", start=first + ".")
            text = rest
        else:
            self.say("user", "ask any")
        self.reply(text)

    def about(self, story: Story, text: str = "") -> str:
        """
        One, two or three of the characters and things of a story, as it describes them.

        :param text: a short version of the story, if that is the answer.
        """
        text = text or story.text
        cast = [entity for entity in story.cast.values() if entity.noun in text]
        people = [entity for entity in cast if isinstance(entity, Character)]
        things = [entity for entity in cast if "adjectives" in entity.row]
        chosen: list[Entity] = people[: 1 + int(self.chance.random() < 0.8)]
        if things and self.chance.happens(0.85):
            chosen = [*chosen[: 1 + int(self.chance.random() < 0.2)], things[0]]
        if self.chance.happens(0.15):
            chosen = chosen[::-1]
        article = "the" if self.chance.happens(0.12) else "a"
        phrases = [f"{article} {self.described(entity, text)}" for entity in chosen]
        return tidy(phrases[0] if len(phrases) == 1 else f"{', '.join(phrases[:-1])} and {phrases[-1]}")

    def described(self, entity: Entity, text: str) -> str:
        full = entity.described
        return full if full in text and self.chance.happens(0.55) else entity.noun

    # Questions about a story

    def follow_up(self, story: Story) -> None:
        kinds = ["next", "shorter", "ending", "own", "own", "own", "facts", "unknown", "lesson"]
        for kind in self.chance.shuffled(kinds)[: self.chance.pick((0, 0, 1, 1, 2, 3, 4))]:
            self.ask(kind, story)
        if self.chance.happens(0.25):
            self.say("user", "thanks")
            self.say("assistant", "thanks reply")
        if self.chance.happens(0.05):
            self.say("user", "bye")
            self.say("assistant", "bye reply")
        elif self.chance.happens(0.05):
            self.say("user", "ask more")
            self.reply(self.tell(self.seed + " more").text)
        elif self.chance.happens(0.12):
            self.other(story)

    def ask(self, kind: str, story: Story) -> None:
        main = story.cast["A"]
        name = main.name if isinstance(main, Character) and main.name else f"the {main.noun}"
        if kind == "own" and story.questions:
            question, answer = self.chance.pick(story.questions)
            if {"role": "user", "content": question} not in self.said:
                self.said.append({"role": "user", "content": question})
                self.reply(answer)
        elif kind == "facts":
            self.ask_fact(story)
        elif kind == "unknown":
            self.say("user", "unknown", name=name)
            self.say("assistant", "unknown reply")
        elif kind == "lesson" and story.lessons:
            self.say("user", "lesson", name=name)
            self.say("assistant", "lesson reply", lesson=story.lessons[0])
        elif kind in ("next", "shorter", "ending"):
            self.say("user", kind)
            self.reply({"next": story.later, "shorter": " ".join(story.gist), "ending": story.ending}[kind])

    def ask_fact(self, story: Story) -> None:
        people = [entity for entity in story.cast.values() if isinstance(entity, Character)]
        named = [person for person in people if person.name and person.name in story.text]
        if not named or self.chance.happens(0.3):
            self.say("user", "who")
            self.say("assistant", "who reply", about=" and ".join(f"a {person.noun}" for person in people[:2]))
            return
        person = self.chance.pick(named)
        if self.chance.happens(0.5):
            self.say("user", "what kind", name=person.name)
            self.say("assistant", "what kind reply", name=person.name, kind=f"a {person.noun}")
        else:
            self.say("user", "what name", kind=person.noun)
            self.say("assistant", "what name reply", name=person.name, kind=person.noun)

    # Small talk

    def greet(self, story: Story) -> bool:
        """Returns whether this contained the story."""
        self.say("user", "hello")
        main = story.cast["A"]
        offer = f"a {main.noun}"
        self.say("assistant", "hello reply", about=offer)
        if offer.removeprefix("a ") in self.said[-1]["content"] and self.chance.happens(0.6):
            self.say("user", "yes")
            self.reply(story.text)
            self.follow_up(story)
            return True
        if self.chance.happens(0.15):
            self.small_talk(1, story)
        return False

    def small_talk(self, probability: float, story: Story) -> None:
        if self.chance.happens(probability):
            table = self.chance.pick(("how are you", "who are you", "thanks"))
            self.say("user", table)
            self.say("assistant", f"{table} reply", about=self.about(story))

    def other(self, story: Story) -> None:
        """A question that a storyteller cannot answer, or one about itself."""
        draw = self.chance.random()
        if draw < 0.35:
            table = self.chance.pick(("how are you", "who are you", "who are you", "ask help"))
            self.say("user", table)
            self.say("assistant", f"{table} reply", about=self.offer())
            return
        noun = self.chance.pick(lexicon.table("kinds"))["kind"]
        values = {
            "country": self.chance.pick(SENTENCES["country"]),
            "word": self.chance.pick(SENTENCES["word"]),
            "food": self.chance.pick(lexicon.table("foods"))["food"],
            "kinds": PLURALS.get(noun, f"{noun}s"),
            "kind": noun,
            "number": str(1 + int(self.chance.random() * 99)),
        }
        self.say("user", "other", **values)
        self.say("assistant", "other reply", about=self.offer())

    def offer(self) -> str:
        """ "a fox and a bird"."""
        kinds = lexicon.table("kinds")
        first, second = self.chance.shuffled(range(len(kinds)))[:2]
        return tidy(f"a {kinds[first]['kind']} and a {kinds[second]['kind']}")


def lower(text: str) -> str:
    """With a small first letter: such texts begin with no name."""
    return text[0].lower() + text[1:]
