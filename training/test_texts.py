"""Tests of texts.py: `python3 training/test_texts.py`."""

import environment

environment.ensure()  # Before the first import of a package that may be missing.

import tempfile
import unittest
from pathlib import Path

import numpy as np
import torch

import data
from texts import read_text, read_texts, require_length

LINES = "\n".join(f"Line {number} of a text." for number in range(100))


class Texts(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def test_a_file_is_a_document_with_all_its_lines(self) -> None:
        for name in ("b.txt", "a.txt", "more/c.txt", "held-out/d.txt", "notes.md"):
            self.write(name, f"{name}\n\n{LINES}")
        corpus = read_texts(self.folder)
        names = ("a.txt", "b.txt", "more/c.txt")
        self.assertEqual([story.text for story in corpus.train], [f"{name}\n\n{LINES}" for name in names])
        self.assertEqual([story.text for story in corpus.validation["Held out"]], [f"held-out/d.txt\n\n{LINES}"])

    def test_the_last_tenth_is_held_out_without_a_folder_for_it(self) -> None:
        self.write("a.txt", LINES)
        corpus = read_texts(self.folder)
        [begin], [end] = corpus.train, corpus.validation["Held out"]
        self.assertEqual(f"{begin.text}\n{end.text}", LINES)
        self.assertAlmostEqual(len(end.text) / len(LINES), 0.1, delta=0.02)

    def test_line_breaks_and_byte_order_marks_are_no_text(self) -> None:
        self.assertEqual(read_text(self.write("a.txt", b"\xef\xbb\xbfOne\r\ntwo\r\n\r\n")), "One\ntwo")

    def test_refuses_files_that_it_cannot_use(self) -> None:
        for content, reason in ((b"caf\xe9", "not UTF-8"), (b" \n", "is empty")):
            self.write("a.txt", content)
            self.assertRaisesRegex(SystemExit, reason, read_texts, self.folder)
        (self.folder / "a.txt").unlink()
        self.assertRaisesRegex(SystemExit, "no .txt files", read_texts, self.folder)
        self.assertRaisesRegex(SystemExit, "no folder", read_texts, self.folder / "other")

    def test_held_out_text_must_have_two_chunks(self) -> None:
        self.write("a.txt", LINES)
        corpus = read_texts(self.folder)
        tokenizer = data.train_tokenizer(corpus, 280)
        count = sum(len(tokenizer.encode(story.text).ids) for story in corpus.validation["Held out"])
        require_length(corpus, tokenizer, count // 2)
        self.assertRaisesRegex(SystemExit, f"{count} tokens", require_length, corpus, tokenizer, count // 2 + 1)

    def test_documents_are_the_texts_between_bos_and_eos(self) -> None:
        self.write("a.txt", LINES)
        corpus = read_texts(self.folder)
        tokenizer = data.train_tokenizer(corpus, 280)
        [made] = data.story_documents(tokenizer, corpus.train, np.random.default_rng(0))
        self.assertEqual(made.ids[0], tokenizer.token_to_id(data.BOS))
        self.assertEqual(made.ids[-1], tokenizer.token_to_id(data.EOS))
        self.assertEqual(tokenizer.decode(made.ids[1:-1]), corpus.train[0].text)

    def test_attention_begins_at_the_last_bos(self) -> None:
        inputs = torch.tensor([[9, 1, 9, 2, 3], [9, 4, 5, 6, 7]])
        starts = data.document_starts(inputs, bos=9)
        self.assertEqual(starts.tolist(), [[0, 0, 2, 2, 2], [0, 0, 0, 0, 0]])
        self.assertEqual(starts.dtype, torch.int32)

    def test_rare_tokens_of_the_text_before_and_pronouns_weigh_more(self) -> None:
        text = LINES + " she" * 200
        corpus = data.Corpus([data.Story([f"{text} a kite, kite"]), *[data.Story([text])] * 10], {})
        tokenizer = data.train_tokenizer(corpus, 300)
        documents = data.story_documents(tokenizer, corpus.train, np.random.default_rng(0))
        emphasis = data.Emphasis.of(documents, tokenizer, 3.0)
        weigh = lambda text: emphasis.weights(np.array(tokenizer.encode(text).ids)).tolist()
        once = len(tokenizer.encode("kite").ids)
        self.assertEqual(weigh("kite"), [1.0] * once)
        self.assertEqual(weigh("kitekite")[once:], [3.0] * once)
        self.assertEqual(set(weigh(" she")), {3.0})
        self.assertEqual(set(weigh("Line Line")), {1.0})
        self.assertEqual(set(data.Emphasis.of(documents, tokenizer, 1.0).weights(documents[0].ids).tolist()), {1.0})


if __name__ == "__main__":
    unittest.main()
