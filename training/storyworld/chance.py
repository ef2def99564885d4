"""Choices from one seed. Only `random()` is used: its sequence is the same in every version of Python."""

import random
from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")


class Chance:
    def __init__(self, seed: str):
        self.random = random.Random(seed).random

    def pick(self, items: Sequence[Item]) -> Item:
        return items[int(self.random() * len(items))]

    def happens(self, probability: float) -> bool:
        return self.random() < probability

    def fresh(self, items: Sequence[Item], used: dict[int, Item]) -> Item:
        """An item that is not used yet, by its index. If all are used, any."""
        index = self.pick([index for index in range(len(items)) if index not in used] or range(len(items)))
        used[index] = items[index]
        return items[index]

    def shuffled(self, items: Sequence[Item]) -> list[Item]:
        return [items[index] for _, index in sorted((self.random(), index) for index in range(len(items)))]
