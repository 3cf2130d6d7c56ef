"""What is wrong with a search before a trial runs: names, ranges, and every value at the ends of what it may try."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from utils.journal.outcome import WITHOUT_EFFECT
from utils.recbole_port import known_settings
from utils.registry import did_you_mean
from utils.scenario.errors import Problem, ScenarioError
from utils.scenario.plan import Plan
from utils.scenario.settings_schema import BridgeSettings
from utils.search.apply import named_steps, plan_of, unknown_target, with_values
from utils.search.space import NO_GRID, Dimension, Space

# They say on what, or by what, trials are judged; a search over them would compare nothing.
_JUDGES = frozenset(
    [
        "model", "dataset", "seed", "eval_args", "valid_metric", "metrics", "topk", "filter_seen", "repeatable",
        "benchmark_filename", "threshold", "load_col", "unload_col", "rm_dup_inter", "val_interval",
        "user_inter_num_interval", "item_inter_num_interval", "filter_inter_by_user_or_item", "add_train_split",
        "add_train_shuffle", "reproducibility", "eval_step", "control",
    ]
)  # fmt: skip
_NOT_TO_BE_TRIED = _JUDGES | WITHOUT_EFFECT


def check_search(plan: Plan) -> Iterator[Problem]:
    """Every problem of the `search:` of a plan that is right otherwise."""
    search = plan.settings["search"]
    if not any(step.command.name == "train" for step in plan.steps):
        yield plan.source.problem(("search",), "search: the scenario has no 'train', so there is nothing to choose by")
        return
    space = Space.of(search["space"])
    problems = [problem for dimension in space.dimensions for problem in _dimension(plan, dimension)]
    yield from problems
    if search.get("method") != "grid" or problems:
        return
    without = [dimension.name for dimension in space.dimensions if not _has_points(dimension)]
    for name in without:
        yield plan.source.problem(("search", "space", name), f"search.space.{name}: {NO_GRID}")
    if not without and search.get("trials") and search["trials"] > len(space.grid()):
        yield plan.source.problem(
            ("search", "trials"), f"search.trials: got {search['trials']}; the grid has {len(space.grid())} points"
        )


def _dimension(plan: Plan, dimension: Dimension) -> Iterator[Problem]:
    path, name = ("search", "space", dimension.name), f"search.space.{dimension.name}"
    if any(choice in dimension.choices[:index] for index, choice in enumerate(dimension.choices)):
        yield plan.source.problem(path, f"{name}: a value stands there twice")
    if not dimension.choices:
        if dimension.step and dimension.step > dimension.high - dimension.low > 0:
            yield plan.source.problem(path, f"{name}: step {dimension.step:g} is larger than the range")
        if dimension.low >= dimension.high:
            message = f"{name}: low is {dimension.low:g} and high {dimension.high:g}; accepted: low below high"
            yield plan.source.problem(path, message)
            return
        if dimension.log and (dimension.low <= 0 or dimension.step):
            why = "log needs a low greater than 0" if dimension.low <= 0 else "log and step cannot be had together"
            yield plan.source.problem(path, f"{name}: {why}")
            return
    if (unknown := _no_such(plan, dimension.name)) is not None:
        yield plan.source.problem(path, f"{name}: {unknown}", at_key=True)
        return
    for value in dimension.ends():
        for message in _misfits(plan, dimension.name, value):
            yield plan.source.problem(
                path, f"search.space.{message}" if message.startswith(dimension.name) else message
            )


def _no_such(plan: Plan, name: str) -> str | None:
    first = name.partition(".")[0]
    if first in _NOT_TO_BE_TRIED:
        return f"'{first}' is not a value to be tried"
    target, dot, parameters = name.partition(".")
    step = dict(named_steps(plan)).get(target)
    if step is not None:
        parameter = parameters.partition(".")[0]
        if "control" in parameters.split("."):
            return "what a scenario is a control of is not a value to be tried"
        # What lies inside a parameter is checked with the whole scenario.
        return None if parameter in type(step.command).model_fields else unknown_target(plan, name)
    settings = {*known_settings.settings_of(plan.settings["model"]), *BridgeSettings.model_fields}
    if first in settings:
        return None
    if step is None and not dot:
        return f"neither a setting of {plan.settings['model']} nor a parameter of a step{did_you_mean(name, settings)}"
    return unknown_target(plan, name)


def _misfits(plan: Plan, name: str, value: Any) -> list[str]:
    """What the check of the whole scenario says with this value; each once."""
    try:
        plan_of(with_values(plan, {name: value}, tested=True), plan.path)
    except ScenarioError as error:
        return list(dict.fromkeys(problem.message for problem in error.problems))[:1]
    return []


def _has_points(dimension: Dimension) -> bool:
    try:
        return bool(dimension.points())
    except ValueError:
        return False
