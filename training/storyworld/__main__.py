"""Prints stories. `python3 training/storyworld --plot NAME --seed 1`"""

import argparse

from chance import Chance
from plots import plots
from teller import tell

parser = argparse.ArgumentParser()
parser.add_argument("--plot")
parser.add_argument("--seed", default="1")
parser.add_argument("--count", type=int, default=1)
arguments = parser.parse_args()
found = plots()
for index in range(arguments.count):
    seed = f"{arguments.seed}.{index}"
    names = [name for name in found if (arguments.plot or "") in name]
    plot = found[Chance(seed).pick(names)]
    story = tell(plot, seed)
    print(f"## {story.title}  ({story.plot}, {story.words} words)\n\n{story.text}\n\nGIST {' '.join(story.gist)}\nEND {story.ending}")
    print("ABOUT", story.about, "\nQ", story.questions, "\nLATER", story.later, "\n")
