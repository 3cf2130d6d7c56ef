"""The loop: run the steps of one plan, time them, and leave a record whatever happens."""

from __future__ import annotations

import copy
import datetime
import logging
import shutil
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from utils.commands.base import StepResult
from utils.console import Console
from utils.context import RunContext
from utils.interrupts import held_back
from utils.journal import csv_journal, earlier_runs
from utils.journal.cost import Meter
from utils.journal.environment import environment
from utils.journal.records import FILE_NAME, RunRecord, make_run_dir, new_run_id
from utils.llm_sections import SECTIONS
from utils.paths import saved_dir
from utils.recbole_port.logs import QUIET
from utils.scenario.errors import Problem, Pruned, StepError
from utils.scenario.plan import Plan, Step
from utils.scenario.resolved import experiment_of, resolved_text, variant_of
from utils.scenario.settings import effective
from utils.scenario.settings_schema import BridgeSettings
from utils.scenario.source import NodePath
from utils.trackers.base import Trackers

T = TypeVar("T")

LOG_DIR = Path("log")
DEFAULT_TRACKERS = BridgeSettings.model_fields["trackers"].default
DEFAULT_JOURNAL = BridgeSettings.model_fields["journal_name"].default
_LOG = logging.getLogger(QUIET)
# Steps faster than this are shown without their time.
_SHOWN_FROM_S = 0.05


class Cancelled(KeyboardInterrupt):
    """The user stopped a run; its record is written."""

    def __init__(self, record: RunRecord) -> None:
        self.record = record
        super().__init__()


class CannotRecord(OSError):
    """There is no place to keep what a run finds out."""


@dataclass(frozen=True)
class Extras:
    """What a run is part of, and who looks on.

    search: what the record says of a trial. rerun_of: the id of the run that this one repeats.
    on_epoch: is told stage and facts of each epoch; it may raise Pruned.
    journal: whether this process keeps the journal; a worker without a shared disk does not.
    job: by which a second attempt knows the run of the first.
    variant, experiment: of the run that is repeated.
    """

    search: dict[str, Any] | None = None
    rerun_of: str | None = None
    on_epoch: Callable[[str, Mapping[str, Any]], None] | None = None
    journal: bool = True
    job: str | None = None
    variant: str | None = None
    experiment: str | None = None


ALONE = Extras()


def run_plan(
    plan: Plan, console: Console, resume: bool = False, extras: Extras = ALONE, job: str | None = None
) -> RunRecord:
    """Run one scenario; its record says how it ended. Cancelled, which carries the record, when the user stops it.

    resume: go on with the newest run of this very scenario; one that is done is only reported. StillRunning where
        another process is at work on it.
    job: when resuming, look only at the run that was begun for this job.
    """
    now = datetime.datetime.now()
    settings = copy.deepcopy(plan.settings)
    record = _new_record(plan, extras, now)
    found = earlier_run(plan, job) if resume else None
    run_dir = found[1] if found else _open_run(plan, record, now)
    with earlier_runs.held(run_dir):
        # It may have been ended since it was found.
        before = RunRecord.read(run_dir / FILE_NAME) if found else None
        try:
            if before is not None and before.status == "done":
                record = before
                if extras.journal:
                    _add_missing_row(plan, record, console)
            else:
                if before is not None:
                    _go_on(record, before, run_dir)
                ctx = RunContext(settings, record, run_dir, plan.path, console)
                _run_in(plan, ctx, extras)
        finally:
            unfinished = run_dir / earlier_runs.UNFINISHED_DIR
            if record.status in ("done", "pruned") or not any(unfinished.glob("*.pth")):
                shutil.rmtree(unfinished, ignore_errors=True)
    return record


def _add_missing_row(plan: Plan, record: RunRecord, console: Console) -> None:
    """Give a run its row in the journal where it was killed between its last word in the record and that row."""
    with _told(console, "the journal could not be written"):
        keep_row(plan, record)


def keep_row(plan: Plan, record: RunRecord) -> None:
    """Give a run its row in the journal, unless it has it already."""
    journal = _journal(plan.path, plan.settings)
    if not csv_journal.has(journal, record):
        csv_journal.append(journal, record)


def done_before(plan: Plan) -> RunRecord | None:
    """The record of this very scenario's newest run, where that is done and has left nothing to do."""
    found = earlier_run(plan)
    if found is None or (found[1] / earlier_runs.UNFINISHED_DIR).exists():
        return None
    return found[0] if found[0].status == "done" else None


def _new_record(plan: Plan, extras: Extras, now: datetime.datetime) -> RunRecord:
    return RunRecord(
        "",
        str(plan.path),
        {**copy.deepcopy(plan.settings), "seed": effective(plan.settings)["seed"]},
        started=now.isoformat(timespec="seconds"),
        variant=extras.variant or variant_of(plan),
        experiment=extras.experiment or experiment_of(plan),
        search=extras.search,
        rerun_of=extras.rerun_of,
        job=extras.job,
    )


def earlier_run(plan: Plan, job: str | None = None) -> tuple[RunRecord, Path] | None:
    """The newest run of this very scenario, begun for this job where one is given, and its folder."""
    model = str(plan.settings["model"])
    return earlier_runs.newest(saved_dir(plan.settings), model, plan.path, resolved_text(plan), job)


def record_failure(plan: Plan, extras: Extras, message: str, console: Console) -> RunRecord:
    """Leave a record and a row of a run whose process died without a word: of the one that it began, if it did."""
    found = earlier_run(plan, extras.job)
    now = datetime.datetime.now()
    record = found[0] if found else _new_record(plan, extras, now)
    run_dir = found[1] if found else _open_run(plan, record, now)
    record.status, record.error, record.ended = "failed", {"message": message}, now.isoformat(timespec="seconds")
    with _told(console, "the record could not be written"):
        record.write(run_dir)
        keep_row(plan, record)
    return record


def _go_on(record: RunRecord, before: RunRecord, run_dir: Path) -> None:
    """Let the record continue an earlier one, and the steps find the folder as a new run does."""
    entry = {
        "at": record.started,
        "status_before": before.status,
        "seconds_before": earlier_runs.seconds_so_far(before, run_dir),
        "cost_before": before.cost,
    }
    record.run_id, record.started, record.environment = before.run_id, before.started, before.environment
    record.resumed = [*before.resumed, entry]
    # Each training puts its best model back when it has come to it; a hidden file is one that was half written.
    for left in (*run_dir.glob("model*.pth"), *run_dir.glob(".*")):
        if left.is_file():
            left.unlink()


def _run_in(plan: Plan, ctx: RunContext, extras: Extras) -> None:
    """Run the steps in the run's folder; the record says how they ended. Cancelled when the user stops them."""
    record, run_dir, console = ctx.record, ctx.run_dir, ctx.console
    meter = Meter()
    trackers = Trackers(ctx.settings.get("trackers", DEFAULT_TRACKERS), lambda text: console.line(f"    {text}"))
    ctx.on_epoch = _told_to(record, trackers, extras)
    try:
        record.write(run_dir)
        trackers.start(record, LOG_DIR)
        _run_steps(plan, ctx)
        record.status = "done"
    except Pruned as pruned:
        record.status = "pruned"
        console.line(f"        {pruned}")
    except KeyboardInterrupt:
        record.status, record.error = "cancelled", record.error or {"message": "cancelled by the user"}
        raise Cancelled(record) from None
    except _Failed as failure:
        record.status, record.error = "failed", failure.facts
    except OSError as error:
        record.status, record.error = "failed", {"message": _said(error)}
        console.line(f"    failed: {_said(error)}")
    finally:
        with held_back(dropped=True):
            record.ended = datetime.datetime.now().isoformat(timespec="seconds")
            record.cost = meter.read()
            record.seconds = record.cost["seconds"]
            _finish(ctx, extras.journal)
            trackers.end(record)


def _told_to(record: RunRecord, trackers: Trackers, extras: Extras) -> Callable[[str, Mapping[str, Any]], None]:
    def on_epoch(stage: str, facts: Mapping[str, Any]) -> None:
        trackers.epoch(record, stage, facts)
        if extras.on_epoch is not None:
            extras.on_epoch(stage, facts)

    return on_epoch


def _open_run(plan: Plan, record: RunRecord, now: datetime.datetime) -> Path:
    """Give the record its id and the run its folder; CannotRecord where there is no place for one."""
    saved = saved_dir(plan.settings)
    try:
        record.run_id, run_dir = make_run_dir(saved, str(plan.settings["model"]), now)
        (run_dir / earlier_runs.RESOLVED).write_text(resolved_text(plan), encoding="utf-8")
        (run_dir / earlier_runs.UNFINISHED_DIR).mkdir()
    except OSError as error:
        problem = Problem(str(plan.path), 0, 0, f"cannot write to {saved}: {error.strerror or error}")
        if "checkpoint_dir" in plan.source.data:
            problem = plan.source.problem(("checkpoint_dir",), problem.message)
        record.run_id = record.run_id or new_run_id(str(plan.settings["model"]), now)
        record.status, record.error, record.ended = "failed", {"message": problem.message}, record.started
        with suppress(OSError, ValueError):
            csv_journal.append(_journal(plan.path, plan.settings), record)
        raise CannotRecord(problem.render()) from error
    return run_dir


class _Failed(Exception):
    """A step failed; `facts` are the record's."""

    def __init__(self, facts: dict[str, Any]) -> None:
        self.facts = facts
        super().__init__(facts["message"])


def _run_steps(plan: Plan, ctx: RunContext) -> None:
    from utils.recbole_port.logs import run_log
    from utils.recbole_port.session import kept_process_state

    level = str(plan.settings.get("logger_level") or plan.settings.get("state") or "INFO")
    log_path = LOG_DIR / str(plan.settings["model"]) / f"{ctx.run_id}.log"
    with run_log(log_path, level, ctx.console), kept_process_state(plan.settings.get("threads")):
        _note_environment(ctx)
        for section, preprocess in SECTIONS.items():
            done = _guarded(plan, ctx, section, ("llm_config", section), partial(preprocess, ctx))
            for line in done:
                ctx.console.line(f"    {section}: {line}")
        for number, step in enumerate(plan.steps, start=1):
            ctx.console.line(f"    {number}/{len(plan.steps)} {step.command.name}")
            if _run_step(plan, step, ctx).stop:
                break


def _note_environment(ctx: RunContext) -> None:
    """Record what the run is made with; a resumed run is told what is not as it was."""
    before, ctx.record.environment = ctx.record.environment, environment()
    here = ctx.record.environment
    changed = [
        key for key in ("python", "packages", "git_commit", "git_dirty", "threads") if before.get(key) != here[key]
    ]
    if before and changed:
        ctx.record.resumed[-1]["environment_before"] = {key: before.get(key) for key in changed}
        names = ", ".join(changed)
        ctx.console.line(f"    warning: {names} changed since this run began; its numbers may not be an unbroken run's")


def _run_step(plan: Plan, step: Step, ctx: RunContext) -> StepResult:
    from utils.recbole_port.session import kept_random_state

    name, started = step.command.name, time.perf_counter()
    entry: dict[str, Any] = {"command": name, "params": step.command.model_dump(exclude_unset=True)}
    ctx.record.steps.append(entry)
    ctx.record.write(ctx.run_dir)
    try:
        with nullcontext() if step.command.draws else kept_random_state():
            result = _guarded(plan, ctx, name, step, lambda: step.command.run(ctx))
    finally:
        entry["seconds"] = seconds = round(time.perf_counter() - started, 3)
    if result.show:
        ctx.console.line(result.show)
    if result.summary:
        took = f", {seconds:.1f} s" if seconds >= _SHOWN_FROM_S else ""
        ctx.console.line(f"        {result.summary}{took}")
    _LOG.info("%s: %s", name, dict(result.facts))
    entry["facts"] = dict(result.facts)
    ctx.record.write(ctx.run_dir)
    return result


def _guarded(plan: Plan, ctx: RunContext, name: str, at: Step | NodePath, run: Callable[[], T]) -> T:
    """Run one part of the scenario; whatever it raises, save for Ctrl-C, becomes a _Failed with its position."""
    try:
        return run()
    except StepError as error:
        raise _Failed(_blame(plan, ctx, name, at, error)) from error
    except Pruned:
        raise
    except KeyboardInterrupt:
        ctx.record.error = _blame(plan, ctx, name, at, StepError(None, "cancelled by the user"))
        raise
    except (Exception, SystemExit) as error:
        # RecBole and torch raise anything, and some of RecBole's models exit; the folder goes on all the same.
        _LOG.error("%s", traceback.format_exc())
        raise _Failed(_blame(plan, ctx, name, at, StepError(None, _said(error)))) from error


def _blame(plan: Plan, ctx: RunContext, name: str, at: Step | NodePath, error: StepError) -> dict[str, Any]:
    """Show where in the file the fault lies, and say it as the record does."""
    if isinstance(at, Step):
        if error.command is not None:
            before = plan.steps[: plan.steps.index(at)]
            at = next((earlier for earlier in reversed(before) if earlier.command.name == error.command), at)
        name = at.command.name
        at = at.locate(tuple(error.parameter.split(".")) if error.parameter else ())
    dotted = f"{name}.{error.parameter}" if error.parameter else name
    problem: Problem = plan.source.problem(at, f"{dotted}: {error.message}")
    ctx.console.line(problem.render())
    _LOG.error("%s", problem.render())
    return {
        "message": problem.message,
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "command": name,
    }


def _said(error: BaseException) -> str:
    return str(error) if isinstance(error, OSError) else f"{type(error).__name__}: {error}"


def _finish(ctx: RunContext, keeps: bool) -> None:
    """Let go of everything, then write the record and the journal row; say so where the disk does not take them.

    keeps: whether the journal is here.
    """
    if ctx.wrapper is not None:
        ctx.wrapper.remove_outputs()
    ctx.drop_trainer()
    journal = _journal(ctx.scenario_path, ctx.settings)
    for what, act in (
        ("the checkpoints could not be removed", lambda: _remove_checkpoints(ctx)),
        ("the record could not be written", lambda: ctx.record.write(ctx.run_dir)),
        *([("the journal could not be written", lambda: csv_journal.append(journal, ctx.record))] if keeps else []),
    ):
        with _told(ctx.console, what):
            act()


@contextmanager
def _told(console: Console, what: str) -> Iterator[None]:
    """Say on the console what the disk did not take, and go on."""
    try:
        yield
    except (OSError, ValueError) as error:
        console.line(f"    warning: {what}: {error}")


def _journal(scenario: Path, settings: Mapping[str, Any]) -> Path:
    return scenario.parent / (settings.get("journal_name") or DEFAULT_JOURNAL)


def _remove_checkpoints(ctx: RunContext) -> None:
    """`save: False` keeps numbers and no models."""
    if ctx.settings.get("save") is not False:
        return
    for checkpoint in ctx.run_dir.glob("*.pth"):
        checkpoint.unlink()
    for stage in ctx.record.stages.values():
        stage["bestmodel_file"] = None
