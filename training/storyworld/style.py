"""The style of a story: contractions in speech or none, and a choice between words of the same meaning."""

import re
from functools import cache

from chance import Chance
from lexicon import table

# In speech. A form at the end of a clause stays: "Here I am."
CONTRACTIONS = (
    (r"\b(do|does|did|is|was|were|would|could|have|has|had|must|should) not\b(?! only)", r"\1n't"),
    (r"\b(C|c)annot\b", r"\1an't"),
    (r"\b(W|w)ill not\b", r"\1on't"),
    (r"\bI am(?= \w)", "I'm"),
    (r"\b([Ww]e|[Yy]ou|[Tt]hey) are(?= \w)", r"\1're"),
    (r"\b(I|[Ww]e|[Yy]ou|[Tt]hey) will(?= \w)", r"\1'll"),
    (r"\b(I|[Ww]e|[Yy]ou) have(?= (?:never|been|lost|found|seen|made|come|had|looked|saved|invited|tried|wanted|always|forgotten)\b)", r"\1've"),
    (r"\b([Ii]t|[Tt]hat|[Tt]here) is(?= (?!it\b)\w)", r"\1's"),
    (r"\b([Ww]here|[Ww]ho|[Ww]hat) is(?= (?!it\b)\w+ \w)", r"\1's"),
    (r"\b([Ll])et us\b", r"\1et's"),
)  # fmt: skip
PATTERNS = tuple((re.compile(pattern), replacement) for pattern, replacement in CONTRACTIONS)
SPEECH = re.compile(r'"[^"]*"')


@cache
def words() -> re.Pattern:
    """All words that have a synonym."""
    return re.compile(rf"\b(?:{'|'.join(re.escape(row['word']) for row in table('synonyms'))})\b", re.IGNORECASE)


class Style:
    def __init__(self, chance: Chance):
        self.contracts = chance.happens(0.6)
        rows = [row for row in table("synonyms") if chance.happens(0.5)]
        self.synonyms = {row["word"]: row["synonym"] for row in rows}

    def applied(self, text: str) -> str:
        text = words().sub(self.synonym, text)
        return SPEECH.sub(lambda match: contracted(match[0]), text) if self.contracts else text

    def synonym(self, match: re.Match) -> str:
        """The other word, with the capital of the first one."""
        word = match[0]
        found = self.synonyms.get(word) or self.synonyms.get(word.lower())
        if found is None:
            return word
        return found[0].upper() + found[1:] if word[0].isupper() else found


def contracted(speech: str) -> str:
    for pattern, replacement in PATTERNS:
        speech = pattern.sub(replacement, speech)
    return speech
