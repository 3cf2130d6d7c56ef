"""How many of a dataset's items the film facts know: `python -m tests.bench.film_facts ITEM_FILE [INTER_FILE]`."""

from __future__ import annotations

import argparse
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from utils.data.kg import film_facts
from utils.data.kg.files import read_columns, read_names
from utils.data.kg.titles import RULES, Titled, match_titles

# As RecBole's MovieLens files call them.
COLUMNS = ("item_id", "movie_title", "release_year")


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("items", type=Path, help=f"a RecBole .item file with {', '.join(COLUMNS)}")
    parser.add_argument("interactions", type=Path, nargs="?", help="its .inter file, for the share of interactions")
    parser.add_argument("--sample", type=int, default=0, metavar="N", help="show N random matches")
    parser.add_argument("--missing", type=int, default=0, metavar="N", help="show the N most used items without a film")
    args = parser.parse_args(argv)
    columns = read_columns(args.items, COLUMNS, may_be_empty=COLUMNS[1:])
    items = [Titled(*row) for row in zip(*(column.to_pylist() for column in columns), strict=True)]
    known = film_facts.films(read_names(film_facts.files()[1]))
    matches = match_titles(items, known)
    uses: Counter[str] = Counter()
    if args.interactions:
        uses.update(read_columns(args.interactions, ("item_id",))[0].to_pylist())
    print(f"{len(matches):,} of {len(items):,} items have a film, {len(set(matches.values())):,} distinct films")
    if uses:
        covered = sum(uses[item] for item in matches)
        print(f"{covered / uses.total():.1%} of {uses.total():,} interactions")
    _show_rules(items, known)
    titles = {one.key: f"{one.title} ({one.year})" for one in (*items, *known)}
    for item in random.Random(0).sample(sorted(matches), min(args.sample, len(matches))):
        print(f"{titles[item]} -> {titles[matches[item]]}")
    missing = sorted((one for one in items if one.key not in matches), key=lambda one: -uses[one.key])
    for one in missing[: args.missing]:
        print(f"{uses[one.key]:>6} {titles[one.key]}")


def _show_rules(items: Sequence[Titled], known: Sequence[Titled]) -> None:
    """How many matches each rule adds to those before it."""
    before = 0
    for place, rule in enumerate(RULES, start=1):
        there = len(match_titles(items, known, RULES[:place]))
        names = f"{rule.wanted.__name__} = {rule.known.__name__}, {rule.years_apart} years apart"
        print(f"{there - before:>6} by rule {place}: {names}")
        before = there


if __name__ == "__main__":
    main()
