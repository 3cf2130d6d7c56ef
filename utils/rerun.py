"""`--rerun`: repeat a run from its resolved scenario, and say which numbers agree and what was not as it was."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from utils.console import Console
from utils.journal.earlier_runs import RESOLVED
from utils.journal.records import FILE_NAME, RunRecord
from utils.paths import DEFAULT_CHECKPOINT_DIR, saved_dir
from utils.registry import did_you_mean
from utils.runner import Extras, run_plan
from utils.scenario import plan as plans
from utils.scenario import source
from utils.scenario.errors import ScenarioError

_COMPUTES = ("python", "packages", "git_commit", "git_dirty", "threads", "machine", "cuda", "gpus")
_SHOWN = 12


class CannotRepeat(ValueError):
    """A run that cannot be repeated: no such record, a half one, or a scenario that is not valid any more."""


def repeat(name: str, console: Console) -> bool:
    """Run it again as a new run; whether every number is what it was.

    name: a record, the folder of a run, or its id.
    """
    folder = _folder(name)
    before = _read(folder)
    try:
        plan = plans.build(source.read(folder / RESOLVED))
    except ScenarioError as error:
        raise CannotRepeat(f"{error}\n{folder / RESOLVED} is no scenario that can run") from error
    plan = dataclasses.replace(plan, origin=Path(before.scenario) if Path(before.scenario).parent.is_dir() else None)
    console.line(f"repeating {before.run_id} ({before.scenario}, {before.status})")
    after = run_plan(plan, console, extras=_as_before(before))
    console.line(f"    {after.status}; record and model in {saved_dir(plan.settings) / after.run_id}")
    differing = list(_differing(_numbers(before), _numbers(after)))
    total = len(_numbers(before).keys() | _numbers(after).keys())
    console.line()
    for changed in _changed(before, after):
        console.line(f"not as it was: {changed}")
    for line in differing[:_SHOWN]:
        console.line(f"    {line}")
    if len(differing) > _SHOWN:
        console.line(f"    and {len(differing) - _SHOWN} more")
    if after.status != before.status:
        console.line(f"it was {before.status} and is {after.status} now")
        return False
    if differing:
        console.line(f"{len(differing)} of {total} numbers differ")
        return False
    console.line(f"all {total} numbers agree" if total else "neither run has numbers to compare")
    return True


def _as_before(before: RunRecord) -> Extras:
    return Extras(rerun_of=before.run_id, variant=before.variant, experiment=before.experiment)


def _folder(name: str) -> Path:
    for path in (Path(name), Path(DEFAULT_CHECKPOINT_DIR) / name):
        if path.name == FILE_NAME and path.is_file():
            return path.parent
        if (path / FILE_NAME).is_file():
            return path
    known = [file.parent.name for file in Path(DEFAULT_CHECKPOINT_DIR).glob(f"*/{FILE_NAME}")]
    hint = did_you_mean(name, known)
    raise CannotRepeat(f"--rerun {name}: no such record, folder of a run, or run in {DEFAULT_CHECKPOINT_DIR}{hint}")


def _read(folder: Path) -> RunRecord:
    try:
        record = RunRecord.read(folder / FILE_NAME)
    except (OSError, ValueError, TypeError) as error:
        raise CannotRepeat(f"{folder / FILE_NAME} is no whole record: {error}") from error
    if not (folder / RESOLVED).is_file():
        raise CannotRepeat(f"{folder} has no {RESOLVED}, so it cannot be said what was run")
    return record


def _numbers(record: RunRecord) -> dict[str, float | None]:
    """`stage 0, epoch 3, loss 1` -> value, for every loss and metric of a record."""
    found: dict[str, float | None] = {}
    for name, stage in record.stages.items():
        for epoch in stage.get("epochs") or ():
            at = f"stage {name}, epoch {epoch['epoch']}"
            found |= {f"{at}, loss {part}": value for part, value in enumerate(epoch["losses"])}
            found |= {f"{at}, valid {metric}": value for metric, value in epoch["valid"].items()}
        for kind, what in (("best_val_res", "best valid"), ("best_test_res", "test")):
            found |= {f"stage {name}, {what} {metric}": value for metric, value in (stage.get(kind) or {}).items()}
    return found


def _differing(before: Mapping[str, float | None], after: Mapping[str, float | None]) -> Iterator[str]:
    for name in {**before, **after}:
        was, now = before.get(name), after.get(name)
        if was != now:
            yield f"{name}: was {_shown(was)}, is {_shown(now)}"


def _shown(value: float | None) -> str:
    return "not there" if value is None else f"{value:.9g}"


def _changed(before: RunRecord, after: RunRecord) -> Iterator[str]:
    """What computed, and on what, where that is not the same."""
    yield from _pairs(before.environment, after.environment, _COMPUTES)
    yield from _pairs(before.dataset, after.dataset, ("fingerprint", "users", "items", "interactions"), "dataset ")


def _pairs(was: Mapping[str, Any], now: Mapping[str, Any], names: tuple[str, ...], what: str = "") -> Iterator[str]:
    for name in names:
        if was.get(name) == now.get(name):
            continue
        if isinstance(was.get(name), dict) and isinstance(now.get(name), dict):
            yield from _pairs(was[name], now[name], tuple({**was[name], **now[name]}))
        else:
            yield f"{what}{name} was {was.get(name)}, is {now.get(name)}"
