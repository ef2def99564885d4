"""The tables of the world: kinds, names, things, places and so on, from the text files in tables/."""

from functools import cache
from pathlib import Path

from template import Template, parse

TABLES = Path(__file__).parent / "tables"
Row = dict[str, str]


def lines_of(path: Path) -> list[str]:
    """The lines of a file without comments. Blank lines stay, since they separate paragraphs of plots."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line.rstrip() for line in lines if not line.startswith("#")]


@cache
def table(name: str) -> list[Row]:
    """The rows of a table with columns separated by `|`. The first row names the columns."""
    rows = [[cell.strip() for cell in line.split(" | ")] for line in lines_of(TABLES / f"{name}.txt") if line]
    columns, *body = rows
    for row in body:
        if len(row) != len(columns):
            raise SystemExit(f"{name}.txt: a row has {len(row)} cells instead of {len(columns)}: {row}")
    return [dict(zip(columns, row)) for row in body]


@cache
def names() -> dict[str, list[str]]:
    """Given names, by pronoun."""
    lists = (line.split(": ") for line in lines_of(TABLES / "names.txt") if line)
    return {pronoun: list(dict.fromkeys(words.split())) for pronoun, words in lists}


@cache
def phrases() -> dict[str, tuple[Template, ...]]:
    """The tables of phrases.txt: `[name]`, then one phrase per line."""
    found: dict[str, list[Template]] = {}
    for line in lines_of(TABLES / "phrases.txt"):
        if line.startswith("[[") and line.endswith("]]"):
            found[name := line[2:-2]] = []
        elif line:
            found[name].append(parse(line))
    return {name: tuple(options) for name, options in found.items()}


@cache
def options(cell: str) -> tuple[Template, ...]:
    """The alternatives of a cell, which are separated by `;`."""
    return tuple(parse(option.strip()) for option in cell.split(";"))
