"""Tests of the story world: `python3 training/storyworld/test_storyworld.py`."""

import re
import subprocess
import sys
import unittest
from pathlib import Path

from cast import Character
from chance import Chance
from chat import Conversation
from corpus import HELD_OUT, TRAINED, chapter, story_of
from plots import parse_plot, plots, scenes
from state import Contradiction, State
from story import repeats, tell
from template import parse
from writer import Writer, tidy

HERE = Path(__file__).parent
STORIES = [tell(plot, f"test {seed}") for plot in plots().values() for seed in range(3)]


def character(key: str, pronoun: str, name: str) -> Character:
    return Character(key, f"animal {key}", {"size": "small", "moves": "walk"}, name=name, pronoun=pronoun, known=True)


class Stories(unittest.TestCase):
    def test_number_of_plots_and_eight_are_held_out(self) -> None:
        self.assertEqual(len(plots()), 106)
        self.assertEqual(len(HELD_OUT), 8)
        self.assertEqual(set(TRAINED) | set(HELD_OUT), set(plots()))
        self.assertEqual({story_of(f"held {seed}").plot for seed in range(60)} & set(HELD_OUT), set())

    def test_form(self) -> None:
        for story in STORIES:
            with self.subTest(story=story.text):
                self.assertTrue(120 <= story.words <= 350)
                self.assertTrue(4 <= len(story.paragraphs) <= 9)
                self.assertIsNone(re.search(r"[\[\]{}<>|]|  |\b[Aa] [aeiAEI]", story.text))
                self.assertIsNone(re.search(r"[a-z][.!?] [a-z]", re.sub(r'"[^"]*"', '"', story.text)))
                for paragraph in story.paragraphs:
                    self.assertEqual(paragraph.count('"') % 2, 0)
                    self.assertRegex(paragraph, r'^["A-Z].*[.!?"]$')

    def test_what_surrounds_a_story(self) -> None:
        for story in STORIES:
            with self.subTest(plot=story.plot):
                self.assertTrue(story.title and story.ending and story.later and story.about)
                self.assertGreaterEqual(len(story.questions), 3)
                self.assertLess(len(" ".join(story.gist).split()), 100)
                for question, answer in story.questions:
                    self.assertTrue(question.endswith("?") and answer[-1] in '."')

    def test_no_sentence_occurs_twice(self) -> None:
        self.assertTrue(repeats("A fox came by. Pip ran. A fox came by."))
        self.assertEqual([story.text for story in STORIES if repeats(story.text)], [])

    def test_the_same_text_with_another_hash_seed(self) -> None:
        command = [sys.executable, str(HERE), "--seed", "7", "--count", "5", "--facts"]
        outputs = {subprocess.run(command, env={"PYTHONHASHSEED": seed}, capture_output=True, check=True).stdout for seed in "12"}
        self.assertEqual(len(outputs), 1)

    def test_titles_are_marked(self) -> None:
        chapters = [chapter(f"mark {seed}") for seed in range(20)]
        self.assertTrue(any(text.startswith("# ") for text in chapters))
        self.assertTrue(all(text.count("# ") <= 1 for text in chapters))


class Parts(unittest.TestCase):
    def test_contradictions_end_a_story(self) -> None:
        plot = parse_plot("wrong", ["title: wrong", "", "{A} had no hat.", "- A has hat"])
        with self.assertRaises(Contradiction):
            tell(plot, "1")

    def test_a_thing_has_one_owner(self) -> None:
        state = State({}, {"weather": "rainy"})
        state.add(("A", "has", "X"))
        state.add(("B", "has", "X"))
        self.assertFalse(state.holds(("A", "has", "X")))
        self.assertTrue(state.holds(("not", "A", "has", "X")))
        self.assertTrue(state.holds(("weather", "rainy", "windy")))

    def test_pronouns_only_where_they_are_clear(self) -> None:
        fox, owl = character("A", "she", "Ada"), character("B", "she", "Bea")
        writer = Writer(Chance("1"), [fox, owl])
        writer.mention(fox)
        self.assertTrue(writer.is_clear(fox))
        writer.mention(owl)
        self.assertFalse(writer.is_clear(fox))
        self.assertFalse(writer.is_clear(owl))
        writer.begin_paragraph()
        self.assertFalse(writer.is_clear(fox))

    def test_no_pronoun_for_someone_in_a_quotation(self) -> None:
        fox = character("A", "she", "Ada")
        writer = Writer(Chance("1"), [fox])
        writer.add('"')
        writer.mention(fox)
        self.assertFalse(writer.is_clear(fox))
        writer.add('Hello."')
        self.assertFalse(writer.is_clear(fox))

    def test_articles_and_questions(self) -> None:
        self.assertEqual(tidy("a owl and a unicorn, a hour and a one"), "an owl and a unicorn, an hour and a one")
        self.assertEqual(tidy('"Where is it," said Pip.'), '"Where is it?" asked Pip.')
        self.assertEqual(tidy('"It is here," asked Pip.'), '"It is here," said Pip.')

    def test_brackets_must_match(self) -> None:
        for text in ("[a|b", "a]b", "{A"):
            with self.assertRaises(SystemExit):
                parse(text)

    def test_every_called_scene_exists(self) -> None:
        self.assertIn("open", scenes())
        self.assertIn("later", scenes())


class Conversations(unittest.TestCase):
    def test_turns(self) -> None:
        for seed in range(200):
            messages = Conversation(Chance(f"chat {seed}"), story_of, f"turns {seed}").messages()
            roles = [message["role"] for message in messages]
            self.assertEqual(roles, ["user", "assistant"] * (len(roles) // 2))
            for message in messages:
                self.assertIsNone(re.search(r"[\[\]{}<>|]", message["content"]), message)

    def test_requested_things_occur(self) -> None:
        for seed in range(300):
            story = story_of(f"things {seed}")
            about = Conversation(Chance(f"about {seed}"), story_of, "").about(story)
            for phrase in re.split(r", | and ", about):
                noun = phrase.split(" ", 1)[1]
                self.assertIn(noun, story.text)


if __name__ == "__main__":
    unittest.main()
