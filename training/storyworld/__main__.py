"""
A world of simple stories. `python3 training/storyworld --count 3` prints stories, and
`python3 training/storyworld --out FOLDER` writes a corpus for training/train.py.
"""

import argparse
import json
from pathlib import Path

from chance import Chance
from corpus import conversation, story_of, write_corpus
from measure import measure, requested_things
from plots import plots
from story import tell


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", default="1", help="everything follows from it (default: 1)")
    parser.add_argument("--count", type=int, default=1, help="stories to print or to measure (default: 1)")
    parser.add_argument("--plot", help="only plots whose name contains this")
    parser.add_argument("--facts", action="store_true", help="print the facts, questions and answers of a story, too")
    parser.add_argument("--chat", action="store_true", help="print conversations")
    parser.add_argument("--measure", action="store_true", help="print how different `count` stories are, and what requests name")
    parser.add_argument("--out", type=Path, help="folder to write a corpus to")
    parser.add_argument("--stories", type=int, default=50_000, help="stories of the corpus (default: 50000)")
    parser.add_argument("--conversations", type=int, default=50_000, help="conversations of the corpus (default: 50000)")
    parser.add_argument("--processes", type=int, default=1, help="processes that write the corpus (default: 1)")
    arguments = parser.parse_args()
    seeds = [f"{arguments.seed}.{index}" for index in range(arguments.count)]
    if arguments.out:
        manifest = write_corpus(
            arguments.out, arguments.seed, arguments.stories, arguments.conversations, arguments.processes
        )
        print(json.dumps(manifest, indent=2))
    elif arguments.measure:
        chats = [conversation(seed) for seed in seeds]
        print(json.dumps(measure([story_of(seed).text for seed in seeds]) | requested_things(chats), indent=2))
    elif arguments.chat:
        for seed in seeds:
            print("\n".join(f"{message['role']}: {message['content']}" for message in conversation(seed)), end="\n\n")
    else:
        for seed in seeds:
            print_story(seed, arguments.plot or "", arguments.facts)


def print_story(seed: str, part: str, facts: bool) -> None:
    names = [name for name in plots() if part in name]
    if not names:
        raise SystemExit(f"no plot has {part} in its name; the plots are: {', '.join(plots())}")
    story = tell(plots()[Chance(f"plot {seed}").pick(names)], seed)
    print(f"{story.title}\n\n{story.text}\n")
    if facts:
        print(f"{story.plot}, {story.words} words\n{'; '.join(story.facts)}\n{' '.join(story.gist)}\n{story.ending}")
        print("\n".join(f"{question} {answer}" for question, answer in story.questions))
        print(f"{' / '.join(story.about)}\n{story.later}\n")


if __name__ == "__main__":
    main()
