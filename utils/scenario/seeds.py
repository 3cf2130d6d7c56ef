"""One plan per seed: `seeds: [1, 2, 3]` in a scenario, `--seeds 1,2,3` or `--seeds 1..3` for all of them."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence

from utils.scenario.errors import Problem, ScenarioError
from utils.scenario.plan import Plan

_LARGEST = 2**32 - 1
_MOST = 10_000
_RANGE = re.compile(r"(\d+)\.\.(\d+)")
_ACCEPTED = "accepted: whole numbers, as in 1,2,3 or 1..5"


def parse_seeds(text: str) -> list[int]:
    """The seeds that `--seeds` names; ScenarioError where it names none, or one twice."""
    seeds: list[int] = []
    for part in text.split(","):
        found = _RANGE.fullmatch(part.strip())
        if found and not 0 <= int(found[2]) - int(found[1]) < _MOST:
            raise ScenarioError(
                [Problem(f"--seeds {text}", 0, 0, f"got '{part.strip()}'; accepted: 1 to {_MOST:,} seeds, upwards")]
            )
        if found:
            seeds += range(int(found[1]), int(found[2]) + 1)
        elif part.strip().isdecimal():
            seeds.append(int(part))
        else:
            raise ScenarioError([Problem(f"--seeds {text}", 0, 0, f"got '{part.strip()}'; {_ACCEPTED}")])
    if max(seeds) > _LARGEST:
        raise ScenarioError([Problem(f"--seeds {text}", 0, 0, f"got {max(seeds)}; accepted: at most {_LARGEST}")])
    if (twice := next((seed for seed in seeds if seeds.count(seed) > 1), None)) is not None:
        raise ScenarioError([Problem(f"--seeds {text}", 0, 0, f"{twice} stands there twice")])
    return seeds


def for_each_seed(plans: Sequence[Plan], seeds: Sequence[int] | None) -> list[Plan]:
    """All plans with the first seed of each, then all with the second, ...: what a folder shows, it shows early.

    seeds: from the command line, stronger than what the scenarios say.
    """
    by_seed = [list(_seeded(plan, seeds)) for plan in plans]
    most = max(map(len, by_seed), default=0)
    return [of_plan[number] for number in range(most) for of_plan in by_seed if number < len(of_plan)]


def _seeded(plan: Plan, seeds: Sequence[int] | None) -> Iterator[Plan]:
    settings = {name: value for name, value in plan.settings.items() if name != "seeds"}
    chosen = seeds or plan.settings.get("seeds")
    for seed in chosen or [None]:
        own = settings if seed is None else {**settings, "seed": seed}
        yield dataclasses.replace(plan, settings=own)
