"""What can be told only of all scenarios of a call together: baselines, budgets of searches, paths on a cluster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from utils.registry import did_you_mean
from utils.scenario.errors import Problem, ScenarioError
from utils.scenario.plan import Plan

DEFAULT_TRIALS = 20


class HowToRun(Protocol):
    """What of the command line matters here."""

    @property
    def baseline(self) -> str | None: ...
    @property
    def scheduler(self) -> str | None: ...


def check_together(plans: Sequence[Plan], how: HowToRun) -> None:
    """ScenarioError with everything that is wrong between these scenarios."""
    by_path = {plan.path: plan for plan in plans}
    stems = {path.stem for path in by_path}
    problems: list[Problem] = []
    if how.baseline is not None and how.baseline not in stems:
        problems.append(Problem(f"--baseline {how.baseline}", 0, 0, _no_such(how.baseline, stems)))
    for plan in by_path.values():
        wrong = list(_search(plan, plans)) if plan.settings.get("search") else []
        problems += [*wrong, *_baseline(plan, by_path, searched=not wrong)]
        if how.scheduler is not None:
            problems += _cannot_travel(plan)
    if problems:
        raise ScenarioError(problems)


def trials_of(plan: Plan) -> int:
    """How many trials a scenario's search takes; none without one. All points of a grid where it does not say."""
    search = plan.settings.get("search")
    if not search:
        return 0
    if search.get("trials"):
        return int(search["trials"])
    if search.get("method") != "grid":
        return DEFAULT_TRIALS
    from utils.search.space import Space

    return len(Space.of(search["space"]).grid())


def _search(plan: Plan, plans: Sequence[Plan]) -> Iterator[Problem]:
    from utils.search.check import check_search

    yield from check_search(plan)
    if sum(other.path == plan.path for other in plans) > 1:
        message = "search: it is made with one seed; run what it finds with several (best/, --seeds)"
        yield plan.source.problem(("search",), message, at_key=True)


def _baseline(plan: Plan, by_path: Mapping[Path, Plan], searched: bool) -> Iterator[Problem]:
    """searched: whether the search is right by itself, so that its trials can be counted."""
    name = plan.settings.get("baseline")
    beside = {
        path.stem: other for path, other in by_path.items() if path.parent == plan.path.parent and other is not plan
    }
    if name is not None and name not in beside:
        folders = [plan.path.parent, *([plan.path.parent.parent] if plan.settings.get("tuned") else [])]
        known = {file.stem for folder in folders for file in folder.glob("*.y*ml")} - {plan.path.stem}
        if name not in known:
            yield plan.source.problem(("baseline",), f"baseline: {_no_such(name, known)}")
        return
    search = plan.settings.get("search")
    if name is None or not search or not searched or search.get("unequal_trials"):
        return
    theirs, ours = trials_of(beside[name]), trials_of(plan)
    if theirs != ours:
        message = (
            f"search: {ours} trials, but its baseline '{name}' has {theirs}; accepted: as many on both sides, or "
            "unequal_trials: True, and then their comparison is marked as unfair"
        )
        yield plan.source.problem(("search",), message, at_key=True)


def _cannot_travel(plan: Plan) -> Iterator[Problem]:
    from utils.cluster.parcel import cannot_travel

    if why := cannot_travel(plan):
        yield plan.source.problem(("dataset",), f"--scheduler: {why}")
    if (plan.settings.get("search") or {}).get("prune"):
        message = "search.prune: trials on other machines cannot be compared while they run; remove it, or use --jobs"
        yield plan.source.problem(("search", "prune"), message)


def _no_such(name: str, known: set[str]) -> str:
    hint = did_you_mean(name, known)
    return f"there is no scenario '{name}' in the folder{hint or '; there are ' + ', '.join(sorted(known)[:8])}"
