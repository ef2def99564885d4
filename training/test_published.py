"""Tests of published.py: `python3 training/test_published.py`. They read the storyteller of the package."""

import environment

environment.ensure()  # Before the first import of a package that may be missing.

import json
import tomllib
import unittest
from pathlib import Path

import numpy as np
import torch

from export import ROOT
from model import BitLinear, ternarize
from published import Published, draw_masters, own_name, read_published
from runs import build_model

HERE = Path(__file__).parent


class PublishedFiles(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.config = tomllib.loads((HERE / "config.toml").read_text(encoding="utf-8"))
        cls.published = read_published(ROOT / "models" / "storyteller.gguf")

    def test_masters_round_to_the_weights_of_the_file(self) -> None:
        model = build_model(self.config)
        self.published.copy_to(model, seed=1)
        linear = {f"{name}.weight" for name, module in model.named_modules() if isinstance(module, BitLinear)}
        parameters = dict(model.named_parameters())
        for name, value in self.published.tensors.items():
            own = own_name(name)
            if own in linear:
                codes, scale = ternarize(parameters[own])
                torch.testing.assert_close(codes * scale, torch.tensor(value))
            else:
                self.assertTrue(torch.equal(parameters[own], torch.tensor(value, dtype=torch.float32)))

    def test_masters_lie_between_the_borders(self) -> None:
        generator = torch.Generator().manual_seed(1)
        codes = torch.randint(-1, 2, (64, 512), generator=generator).float()
        masters = draw_masters(codes * 0.3, generator)
        self.assertAlmostEqual(masters.abs().mean().item(), 0.3, places=6)
        # They are spread: a small change of the masters changes a few codes.
        moved, _ = ternarize(masters + 0.01)
        changed = (moved != codes).float().mean().item()
        self.assertTrue(0 < changed < 0.1, changed)

    def test_the_tokenizer_is_the_file_s(self) -> None:
        tokenizer = self.published.tokenizer()
        self.assertEqual(tokenizer.get_vocab_size(), len(self.published.metadata["tokenizer.ggml.tokens"]))
        # The trainer's own tokens of a text, written when the model was.
        golden = json.loads((ROOT / "test" / "golden" / "trainer" / "golden.json").read_text(encoding="utf-8"))
        self.assertEqual(tokenizer.encode(golden["text"]).ids, golden["ids"])

    def test_refuses_another_shape(self) -> None:
        config = self.config | {"model": self.config["model"] | {"layers": 6}}
        self.assertRaisesRegex(SystemExit, "no tensor of the model", self.published.copy_to, build_model(config), 1)
        config = self.config | {"model": self.config["model"] | {"layers": 8}}
        self.assertRaisesRegex(SystemExit, "tensors are missing", self.published.copy_to, build_model(config), 1)

    def test_refuses_what_it_would_compute_otherwise(self) -> None:
        for key, value, reason in (("heads", 12, "head_count"), ("rope_base", 10_000.0, "freq_base"), ("norm_epsilon", 1e-6, "epsilon")):
            model = build_model(self.config | {"model": self.config["model"] | {key: value}})
            self.assertRaisesRegex(SystemExit, reason, self.published.copy_to, model, 1)

    def test_refuses_weights_that_are_not_ternary_and_unknown_tensors(self) -> None:
        for name, value, reason in (
            ("blk.0.attn_q.weight", np.linspace(-1, 1, 384 * 384, dtype=np.float32).reshape(384, 384), "not ternary"),
            ("output.weight", np.zeros((4096, 384), dtype=np.float32), "no tensor of the model"),
        ):
            changed = Published(self.published.metadata, self.published.tensors | {name: value})
            self.assertRaisesRegex(SystemExit, reason, changed.copy_to, build_model(self.config), 1)


if __name__ == "__main__":
    unittest.main()
