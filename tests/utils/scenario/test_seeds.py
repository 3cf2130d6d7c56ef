"""Several seeds make several plans, from the file or from the command line."""

from __future__ import annotations

from typing import Any

import pytest

from tests.workspace import TRAIN, Workspace
from utils.scenario import plan, source
from utils.scenario.errors import ScenarioError
from utils.scenario.plan import Plan
from utils.scenario.seeds import for_each_seed, parse_seeds


def _plan(tiny: Workspace, name: str = "a", **settings: Any) -> Plan:
    path = tiny.write(TRAIN, name, **settings)
    text = "\n".join(line for line in path.read_text().splitlines() if line != "seed: 7" or "seeds" not in settings)
    path.write_text(text)
    return plan.build(source.read(path.relative_to(tiny.folder)))


@pytest.mark.parametrize(
    ("text", "seeds"),
    [("1", [1]), ("1,2,3", [1, 2, 3]), ("1..3", [1, 2, 3]), ("5, 1..2", [5, 1, 2]), ("4294967295", [2**32 - 1])],
)
def test_seeds_are_listed_or_a_range(text: str, seeds: list[int]) -> None:
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "got ''; accepted: whole numbers, as in 1,2,3 or 1..5"),
        ("1,x", "got 'x'; accepted"),
        ("3..1", r"got '3\.\.1'; accepted: 1 to 10,000 seeds, upwards"),
        ("1..100000", "accepted: 1 to 10,000 seeds, upwards"),
        ("-1", "got '-1'; accepted"),
        ("4294967296", "accepted: at most 4294967295"),
        ("1,2,1", "1 stands there twice"),
        ("0,0", "0 stands there twice"),
    ],
)
def test_what_is_no_seed_is_refused(text: str, what: str) -> None:
    with pytest.raises(ScenarioError, match=what):
        parse_seeds(text)


def test_a_scenario_is_run_once_with_each_of_its_seeds(tiny: Workspace) -> None:
    plans = for_each_seed([_plan(tiny, seeds=[3, 1])], None)
    assert [each.settings["seed"] for each in plans] == [3, 1]
    assert all("seeds" not in each.settings for each in plans)


def test_the_first_seed_of_all_scenarios_comes_before_the_second_of_any(tiny: Workspace) -> None:
    plans = for_each_seed([_plan(tiny, "a", seeds=[1, 2]), _plan(tiny, "b"), _plan(tiny, "c", seeds=[1, 2])], None)
    assert [(each.path.stem, each.settings["seed"]) for each in plans] == [
        ("a", 1), ("b", 7), ("c", 1), ("a", 2), ("c", 2),
    ]  # fmt: skip


def test_the_command_line_is_stronger_than_the_file(tiny: Workspace) -> None:
    plans = for_each_seed([_plan(tiny, "a", seeds=[1, 2]), _plan(tiny, "b")], [9, 8])
    assert [each.settings["seed"] for each in plans] == [9, 9, 8, 8]


def test_seed_and_seeds_together_are_one_too_many(tiny: Workspace) -> None:
    path = tiny.write(TRAIN, seeds=[1, 2])
    with pytest.raises(ScenarioError, match="seeds: 'seed' is given as well; keep one of them"):
        plan.build(source.read(path))


def test_a_seed_that_stands_there_twice_is_refused(tiny: Workspace) -> None:
    with pytest.raises(ScenarioError, match="seeds: 1 stands there twice"):
        _plan(tiny, seeds=[1, 2, 1])
