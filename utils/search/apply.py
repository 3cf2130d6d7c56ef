"""A scenario with other values: what a trial runs, and what is written as the best."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from utils.registry import did_you_mean
from utils.scenario import plan as plans
from utils.scenario import source
from utils.scenario.plan import Plan

# Sections that say how runs are made, not what they are.
_NOT_OF_A_RUN = ("search", "seeds", "tuned")
# A trial is judged by its valid metric; who looks at the test part while choosing has none left.
_TEST = "test_eval"


def targets(plan: Plan) -> list[str]:
    """Names of all step parameters that a search can vary: `reduce_dim.dimension`, of a second one `reduce_dim-2.x`."""
    return [f"{name}.{parameter}" for name, step in named_steps(plan) for parameter in type(step.command).model_fields]


def named_steps(plan: Plan) -> Iterator[tuple[str, Any]]:
    """(name, step) with `-2`, `-3` for later steps of the same command."""
    count: dict[str, int] = {}
    for step in plan.steps:
        name = step.command.name
        count[name] = count.get(name, 0) + 1
        yield (name if count[name] == 1 else f"{name}-{count[name]}"), step


def unknown_target(plan: Plan, name: str) -> str:
    """What to say of a name that is neither a setting nor a parameter of a step."""
    return f"no step has the parameter '{name}'{did_you_mean(name, targets(plan))}"


def with_values(plan: Plan, values: Mapping[str, Any], tested: bool, tuned: Mapping[str, Any] | None = None) -> str:
    """The scenario as plain YAML with these settings and step parameters.

    tested: keep `test_eval`. tuned: what the scenario says of the search that found them.
    """
    settings = {name: copy.deepcopy(value) for name, value in plan.settings.items() if name not in _NOT_OF_A_RUN}
    changed: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        target, _, parameter = name.partition(".")
        if parameter and target in dict(named_steps(plan)):
            changed.setdefault(target, {})[parameter] = value
        else:
            _set(settings, name.split("."), value)
    steps: list[Any] = []
    for name, step in named_steps(plan):
        if step.command.name == _TEST and not tested:
            continue
        params = step.command.model_dump(exclude_unset=True)
        for parameter, value in changed.get(name, {}).items():
            _set(params, parameter.split("."), value)
        steps.append({step.command.name: params} if params else step.command.name)
    if tuned:
        settings["tuned"] = dict(tuned)
    return yaml.safe_dump({**settings, "scenario": steps}, sort_keys=False, allow_unicode=True)


def _set(settings: dict[str, Any], path: list[str], value: Any) -> None:
    """`train_neg_sample_args.sample_num` leads into a nested setting."""
    for name in path[:-1]:
        inner = settings.get(name)
        settings[name] = dict(inner) if isinstance(inner, Mapping) else {}
        settings = settings[name]
    settings[path[-1]] = value


def plan_of(text: str, origin: Path) -> Plan:
    """The plan of such a scenario, under the name of the one that it was made from; ScenarioError as ever."""
    return dataclasses.replace(plans.build(source.from_text(text, origin), vector_files=_AnyFile()), origin=origin)


class _AnyFile(set[Path]):
    """A trial's vector files were looked for when its scenario was; others may have written them by now."""

    def __contains__(self, path: object) -> bool:
        return True
