"""Reads plots and scenes: programs of text, choices, scenes and facts."""

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import lexicon
from template import Template, parse

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Text:
    template: Template
    maybe: bool = False


@dataclass(frozen=True)
class Paragraph:
    pass


@dataclass(frozen=True)
class Call:
    scene: str
    arguments: tuple[str, ...]


@dataclass(frozen=True)
class Effect:
    """`+ A has X` becomes true, `- A has X` ends, `? A has X` must be true."""

    sign: str
    fact: tuple[str, ...]


@dataclass(frozen=True)
class Branch:
    """One of several programs. A program is not chosen if it begins with an untrue `?`."""

    programs: tuple["Program", ...]


Step = Text | Paragraph | Call | Effect | Branch
Program = tuple[Step, ...]


@dataclass(frozen=True)
class Scene:
    parameters: tuple[str, ...]
    program: Program


@dataclass
class Plot:
    """`headers` are its title, roles, setting and lesson. `gist` tells it in some sentences."""

    name: str
    headers: dict[str, str] = field(default_factory=dict)
    program: Program = ()
    gist: list[Template] = field(default_factory=list)
    # Questions and answers.
    questions: list[tuple[Template, Template]] = field(default_factory=list)
    ending: Template = ()

    def alternatives(self, header: str) -> tuple[Template, ...]:
        return lexicon.options(self.headers[header]) if header in self.headers else ()


def parse_program(lines: list[str]) -> Program:
    steps: list[Step] = []
    at = 0
    while at < len(lines):
        line = lines[at].strip()
        at += 1
        if line == "":
            steps.append(Paragraph())
        elif line == "(":
            parts, at = branch_lines(lines, at)
            steps.append(Branch(tuple(parse_program(part) for part in parts)))
        elif line.startswith("| "):
            options = [line[2:]]
            while at < len(lines) and lines[at].startswith("| "):
                options.append(lines[at].strip()[2:])
                at += 1
            steps.append(Branch(tuple((Text(parse(option)),) for option in options)))
        elif line[0] in "+-?" and line[1] == " ":
            steps += [Effect(line[0], tuple(fact.split())) for fact in line[2:].split(",")]
        elif line[0] == "@":
            scene, *arguments = line[1:].split()
            steps.append(Call(scene, tuple(arguments)))
        elif line.startswith("~ "):
            steps.append(Text(parse(line[2:]), maybe=True))
        else:
            steps.append(Text(parse(line)))
    return tuple(steps)


def branch_lines(lines: list[str], at: int) -> tuple[list[list[str]], int]:
    """The lines of the parts of `(`, `)(`, `)`."""
    parts: list[list[str]] = [[]]
    depth = 0
    while True:
        line = lines[at].strip()
        at += 1
        if line == ")" and depth == 0:
            return parts, at
        if line == ")(" and depth == 0:
            parts.append([])
            continue
        depth += (line == "(") - (line == ")")
        parts[-1].append(line)


def sections(path: Path) -> list[tuple[str, list[str]]]:
    """The parts of a file that begin with `=== name`."""
    found: list[tuple[str, list[str]]] = []
    for line in lexicon.lines_of(path):
        if line.startswith("=== "):
            found.append((line[4:].strip(), []))
        elif found:
            found[-1][1].append(line)
    for _, lines in found:
        while lines and not lines[-1]:
            lines.pop()
    return found


@cache
def scenes() -> dict[str, list[Scene]]:
    """All variants of each scene of scenes/*.txt: `=== name PARAMETERS`."""
    found: dict[str, list[Scene]] = {}
    for path in sorted((HERE / "scenes").glob("*.txt")):
        for heading, lines in sections(path):
            name, *parameters = heading.split()
            found.setdefault(name, []).append(Scene(tuple(parameters), parse_program(lines)))
    return found


@cache
def plots() -> dict[str, Plot]:
    found: dict[str, Plot] = {}
    for path in sorted((HERE / "plots").glob("*.txt")):
        for name, lines in sections(path):
            if name in found:
                raise SystemExit(f"{path.name}: the plot {name} occurs twice")
            found[name] = parse_plot(name, lines)
    return found


def parse_plot(name: str, lines: list[str]) -> Plot:
    plot = Plot(name)
    end = lines.index("") if "" in lines else len(lines)
    for line in lines[:end]:
        header, _, value = line.partition(": ")
        plot.headers[header] = value
    body = []
    for line in lines[end + 1 :]:
        if line.startswith("G "):
            plot.gist.append(parse(line[2:]))
        elif line.startswith("Q "):
            question, _, answer = line[2:].partition(" = ")
            plot.questions.append((parse(question), parse(answer)))
        elif line.startswith("E "):
            plot.ending = parse(line[2:])
        else:
            body.append(line)
    while body and not body[-1]:
        body.pop()
    plot.program = parse_program(body)
    return plot
