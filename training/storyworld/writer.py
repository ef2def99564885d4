"""Joins the pieces of a story to sentences and paragraphs, and decides between names, nouns and pronouns."""

import re

from cast import PRONOUNS, Character
from chance import Chance
from style import SPEECH, Style

PIECE = re.compile(r'"|[.!?]+|[^".!?]+')
# Words in which a first vowel sounds like a consonant, and the other way round.
ARTICLE = re.compile(r"\b([Aa]) (?=(?!uni|use|one\b|once\b|eu)[aeiou]|hour|honest)", re.IGNORECASE)
# A question that was written with another mark, as one of several sentences.
QUESTION = re.compile(
    r'((?:^|(?<=")|(?<=[.!?] ))(?:Where (?!there)|Who|Why|And (?:what|how|where|who|why)|What (?:did|do|does|can|shall)|How (?:is|are|do|did|can|far|long|old)|Are|Is|Do (?:you|they|we)|Does|Did|Have (?:you|they)|Has|Will you|Shall|May I'
    r'|Can (?:I|you)|Could|Would you|Must)\b[^".!?]*?)[,.!](?="| [A-Z"])'
)
# "said" after a question.
ASKED = re.compile(r'(\?" (?!One )(?:(?:the )?[\w-]+(?: [\w-]+){0,2} )?)(?:said|answered|replied)\b')
SAID = re.compile(r'(," (?:(?:the )?[\w-]+(?: [\w-]+){0,2} )?)asked\b')


class Writer:
    def __init__(self, chance: Chance, characters: list[Character], style: Style | None = None):
        self.chance = chance
        self.style = style
        self.characters = characters
        self.paragraphs: list[str] = []
        self.text = ""
        self.quoted = False
        self.begin_paragraph()

    def begin_paragraph(self) -> None:
        if self.quoted:
            raise SystemExit(f"a quotation is not closed in: {self.text}")
        if self.text.strip():
            text = tidy(self.text)
            self.paragraphs.append(self.style.applied(text) if self.style else text)
        self.text = ""
        self.sentence = 0
        self.capital = True
        self.continues = False
        self.first: str | None = None
        # The sentence of a character's last mention in this paragraph, outside quotations.
        self.last: dict[str, int] = {}

    def begin_line(self) -> None:
        # A long paragraph is divided between two lines of a plot.
        if len(self.text) > 170 and len(self.paragraphs) < 6 and self.chance.happens(0.45 if len(self.text) < 260 else 0.8):
            self.begin_paragraph()
        if self.text:
            self.text += " "
            if not self.capital:
                self.end_sentence()

    def end_sentence(self) -> None:
        self.sentence += 1
        self.capital = True
        self.continues = False
        self.first = None

    def add(self, text: str) -> None:
        for piece in PIECE.findall(text):
            if piece == '"':
                self.quoted = not self.quoted
                self.text += piece
                # After `," said Pip, ` the speech goes on without a capital.
                self.capital = self.quoted and not self.continues
                # After `."` a sentence begins. After `?"` and `!"` the speaker can follow.
                self.continues = not self.quoted and self.text.endswith(',"')
                if not self.quoted and self.text.endswith('."'):
                    self.end_sentence()
            elif piece[0] in ".!?":
                self.text += piece
                if not self.quoted:
                    self.end_sentence()
                else:
                    self.capital = True
            else:
                self.text += self.capitalized(piece)

    def capitalized(self, piece: str) -> str:
        if not self.capital or not piece.strip():
            return piece
        # The speaker after `?"` is no new sentence.
        if not self.quoted and self.text.endswith(('!"', '?"')):
            self.capital = False
            return piece
        self.capital = False
        index = len(piece) - len(piece.lstrip())
        return piece[:index] + piece[index].upper() + piece[index + 1 :]

    # References

    def mention(self, character: Character) -> None:
        character.known = True
        if not self.quoted:
            self.last[character.key] = self.sentence
            self.first = self.first or character.key

    def mention_stranger(self, pronoun: str) -> None:
        """Someone without an own entity, such as "her mother"."""
        self.last[f"stranger {pronoun}"] = self.sentence
        self.first = self.first or "stranger"

    def is_clear(self, character: Character) -> bool:
        """Whether a pronoun can only mean this character."""
        last = self.last.get(character.key)
        if self.quoted or last is None or last < self.sentence - 1:
            return False
        since = self.sentence if last == self.sentence else self.sentence - 1
        rivals = [other.key for other in self.characters if other is not character and other.pronoun == character.pronoun]
        return all(self.last.get(rival, -1) < since for rival in [*rivals, f"stranger {character.pronoun}"])

    def noun(self, character: Character) -> str:
        if not character.known:
            return self.introduced(character)
        if character.name and self.chance.happens(0.8):
            return character.name
        return self.described(character)

    def described(self, character: Character) -> str:
        """ "the golden bird" or "the bird"."""
        full = character.adjective and self.chance.happens(0.3)
        return f"the {character.described if full else character.noun}"

    def introduced(self, character: Character) -> str:
        character.known = True
        named = f" {self.chance.pick(('named', 'named', 'called'))} {character.name}" if character.name else ""
        return f"a {character.described}{named}"

    def subject(self, character: Character) -> str:
        return self.reference(character, 0, 0.85)

    def reference(self, character: Character, case: int, habit: float) -> str:
        """
        A pronoun where it is clear, else a name or a noun.

        :param case: 0 subject, 1 object, 2 possessive.
        :param habit: the probability of a pronoun for someone of the sentence before.
        """
        here = self.last.get(character.key) == self.sentence
        owner = case == 2 and self.first == character.key and not self.quoted
        if owner or self.is_clear(character) and (here or self.chance.happens(habit)):
            self.mention(character)
            return PRONOUNS[character.pronoun][case]
        noun = self.noun(character)
        self.mention(character)
        return f"{noun}'s" if case == 2 else noun


def tidy(text: str) -> str:
    """Single spaces, and "an" before vowels."""
    text = re.sub(r" +", " ", text).strip()
    text = re.sub(r" ([,.;!?])", r"\1", text)
    text = SPEECH.sub(lambda speech: QUESTION.sub(r"\1?", speech[0]), text)
    text = ASKED.sub(r"\1asked", text)
    text = SAID.sub(r"\1said", text)
    return ARTICLE.sub(r"\1n ", text)
