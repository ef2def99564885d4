"""A story with everything that is known about it: title, short version, questions and answers."""

import re
from dataclasses import dataclass

from cast import Character, Entity
from chance import Chance
from plots import Call, Plot
from teller import Teller
from template import Template
from writer import Writer

# Words of a title that have no capital.
SMALL = {"a", "an", "and", "the", "of", "in", "on", "to", "for", "with", "from", "at", "by", "who"}


@dataclass
class Story:
    plot: str
    title: str
    paragraphs: list[str]
    # Short versions of requests for it: "a fox who lost her kite".
    about: list[str]
    gist: list[str]
    ending: str
    questions: list[tuple[str, str]]
    cast: dict[str, Entity]
    facts: list[str]
    # The same characters, some time later.
    later: str
    # The lessons that the story names.
    lessons: list[str]

    @property
    def text(self) -> str:
        return "\n".join(self.paragraphs)

    @property
    def words(self) -> int:
        return len(self.text.split())


def finish(teller: Teller) -> Story:
    """Runs the plot and collects everything about its story."""
    teller.run(teller.plot.program, {})
    teller.writer.begin_paragraph()
    plot, cast = teller.plot, teller.cast
    facts = [f"{entity.key} {entity.described}" for entity in cast.values()]
    facts += [" ".join(fact) for fact in sorted(teller.state.facts)]
    lessons = teller.used.get("lesson", {}).values()
    return Story(
        plot=plot.name,
        title=title(teller),
        paragraphs=teller.writer.paragraphs,
        about=[sentence(teller, about, new=True).rstrip(".") for about in plot.alternatives("about")],
        gist=aside(teller, plot.gist),
        ending=sentence(teller, plot.ending),
        questions=[(sentence(teller, question), sentence(teller, answer)) for question, answer in plot.questions],
        cast=cast,
        facts=facts,
        later=epilogue(teller),
        lessons=[part for lesson in lessons for part in lesson if isinstance(part, str)],
    )


def title(teller: Teller) -> str:
    """The plot's own title, or "The Fox and the Golden Bird"."""
    own = teller.plot.alternatives("title")
    first, second = teller.cast["A"], teller.cast["B"]
    if own and teller.chance.happens(0.55):
        text = sentence(teller, teller.chance.pick(own))
    else:
        full = teller.chance.happens(0.5)
        text = " and ".join(f"the {who.described if full else who.noun}" for who in (first, second))
    words = text.rstrip(".").split()
    return " ".join(word if index and word.lower() in SMALL else word[0].upper() + word[1:] for index, word in enumerate(words))


def sentence(teller: Teller, template: Template, new: bool = False) -> str:
    return " ".join(aside(teller, [template], new))


def aside(teller: Teller, templates: list[Template], new: bool = False) -> list[str]:
    """Sentences outside the story. Nobody was mentioned before them; with `new`, nobody is known either."""
    saved, teller.writer = teller.writer, Writer(teller.chance, teller.characters, teller.style)
    known = {entity.key: entity.known for entity in teller.cast.values()}
    for entity in teller.cast.values():
        entity.known = not new
    for template in templates:
        teller.writer.begin_line()
        teller.expand(template, {})
    teller.writer.begin_paragraph()
    texts, teller.writer = teller.writer.paragraphs, saved
    for entity in teller.cast.values():
        entity.known = known[entity.key]
    return texts


def epilogue(teller: Teller) -> str:
    saved, teller.writer = teller.writer, Writer(teller.chance, teller.characters, teller.style)
    teller.call(Call("later", ("A", "B")), {})
    teller.writer.begin_paragraph()
    text, teller.writer = "\n".join(teller.writer.paragraphs), saved
    return text


def tell(plot: Plot, seed: str, words: tuple[int, int] = (120, 350)) -> Story:
    """
    The story of a plot and a seed. It is made again if it has another length, if it ends without its main
    character, or if it says a sentence twice.
    """
    for attempt in range(60):
        story = finish(Teller(plot, Chance(f"{plot.name} {seed} {attempt}"), brief=attempt > 0))
        if words[0] <= story.words <= words[1] and 4 <= len(story.paragraphs) <= 9 and names_main(story) and not repeats(story.text):
            return story
    raise SystemExit(f"{plot.name}: 60 stories in a row had the wrong length or end; the last, {story.words} words:\n{story.text}")


def sentences_of(text: str) -> list[str]:
    return [part.strip() for part in re.split(r'(?<=[.!?])"?\s+', text) if part.strip()]


def repeats(text: str) -> bool:
    """Whether a sentence of four words or more occurs twice."""
    long = [sentence for sentence in sentences_of(text) if len(sentence.split()) > 3]
    return len(set(long)) < len(long)


def names_main(story: Story) -> bool:
    main = story.cast["A"]
    last = story.paragraphs[-1]
    return main.noun in last or (isinstance(main, Character) and main.name is not None and main.name in last)
