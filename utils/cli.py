"""From command-line options to checked plans, runs and an exit code."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from utils.console import Console
from utils.scenario import plan as plans
from utils.scenario import source
from utils.scenario.errors import Problem, ScenarioError, render_problems
from utils.scenario.plan import Plan

if TYPE_CHECKING:
    from utils.journal.records import RunRecord

DONE, FAILED, INVALID = 0, 1, 2


def run(
    paths: Sequence[str], start_with: int, overrides: Sequence[str], check: bool, info: bool, resume: bool = False
) -> int:
    """Check all scenarios, then run them (or print their trees); returns the exit code.

    resume: run none again that is done, and go on with what was cut short.
    """
    console = Console()
    try:
        checked = read_plans(paths, start_with, overrides)
    except ScenarioError as error:
        console.line(render_problems(error.problems))
        return INVALID
    if check:
        console.line(f"{len(checked)} scenario{'s' if len(checked) != 1 else ''} checked, no problem")
        return DONE
    if info:
        return _print_trees(checked, console)
    return _run_all(checked, console, resume)


def read_plans(paths: Sequence[str], start_with: int, overrides: Sequence[str]) -> list[Plan]:
    """Plans of all scenarios in order; ScenarioError with the problems of all files."""
    problems: list[Problem] = []
    settings: dict[str, Any] = {}
    for text in overrides:
        name, value, problem = _override(text)
        if problem:
            problems.append(problem)
        else:
            settings[name] = value
    files: list[Path] = []
    for path in map(Path, paths):
        found, problem = _expand(path)
        files += found
        if problem:
            problems.append(problem)
    if not 0 <= start_with < max(len(files), 1):
        problems.append(Problem("--start_with", 0, 0, f"got {start_with}; there are {len(files)} scenarios"))
    checked: list[Plan] = []
    vector_files: set[Path] = set()
    for file in files[max(start_with, 0) :]:
        try:
            checked.append(plans.build(source.read(file), settings, vector_files))
        except ScenarioError as error:
            problems += error.problems
    if problems:
        raise ScenarioError(problems)
    return checked


def _expand(path: Path) -> tuple[list[Path], Problem | None]:
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix in {".yaml", ".yml"})
        return files, None if files else Problem(str(path), 0, 0, "the folder has no *.yaml")
    if path.is_file():
        return [path], None
    return [], Problem(str(path), 0, 0, "no such file or folder")


def _override(text: str) -> tuple[str, Any, Problem | None]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        return "", None, Problem(f"--set {text}", 0, 0, "accepted: KEY=VALUE")
    if name == "scenario":
        return "", None, Problem(f"--set {text}", 0, 0, "the list of commands cannot be set here")
    try:
        return name, source.parse_value(value), None
    except yaml.YAMLError as error:
        return "", None, Problem(f"--set {text}", 0, 0, f"{value!r} is not a value: {error}")


def _print_trees(checked: Sequence[Plan], console: Console) -> int:
    from utils.trees import CannotBuild, tree_of

    failed = False
    for plan in checked:
        if len(checked) > 1:
            console.line(f"{plan.path}")
        try:
            console.line(tree_of(plan, console))
        except CannotBuild as error:
            console.line(str(error))
            failed = True
    return FAILED if failed else DONE


def _run_all(checked: Sequence[Plan], console: Console, resume: bool) -> int:
    from utils.journal.earlier_runs import StillRunning
    from utils.journal.summary import summary_table
    from utils.runner import Cancelled, CannotRecord, done_before, run_plan

    records = []
    failed = False
    # A scheduler's SIGTERM ends a run as Ctrl-C does: with a record and a row in the journal.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        for number, plan in enumerate(checked, start=1):
            console.line(f"[{number}/{len(checked)}] {plan.path}")
            if resume and (done := done_before(plan)) is not None:
                records.append(done)
                console.line(_ended(plan, done, "done already"))
                continue
            try:
                record = run_plan(plan, console, resume)
            except StillRunning as error:
                console.line(f"    {error}")
                failed = True
                continue
            except CannotRecord as error:
                console.line(f"    failed: {error}")
                failed = True
                continue
            records.append(record)
            failed = failed or record.status != "done"
            console.line(_ended(plan, record))
    except Cancelled as cancelled:
        records.append(cancelled.record)
        console.line(_ended(plan, cancelled.record))
        failed = True
    except KeyboardInterrupt:
        failed = True
    finally:
        signal.signal(signal.SIGTERM, before)
    console.line()
    console.line(summary_table(records))
    return FAILED if failed else DONE


def _ended(plan: Plan, record: RunRecord, how: str = "") -> str:
    """How a run ended and where it left what it found."""
    from utils.paths import saved_dir

    how = how or f"{record.status} in {record.seconds:.1f} s"
    return f"    {how}; record and model in {saved_dir(plan.settings) / record.run_id}"


def show_listing(what: str, overrides: Sequence[str]) -> int:
    """Print one line per command, loss, recommender or setting; returns the exit code."""
    from utils.listing import listing
    from utils.recbole_port import known_models
    from utils.registry import did_you_mean

    settings = {}
    for text in overrides:
        name, value, problem = _override(text)
        if problem:
            Console().line(render_problems([problem]))
            return INVALID
        settings[name] = value
    model = settings.pop("model", None)
    known = known_models.models()
    if settings or (model is not None and model not in known):
        wrong = next(iter(settings), "model")
        what_is = (
            f"unknown model '{model}'{did_you_mean(str(model), known)}"
            if wrong == "model"
            else "accepted here: model=NAME"
        )
        Console().line(render_problems([Problem(f"--set {wrong}", 0, 0, what_is)]))
        return INVALID
    Console().line(listing(what, model))
    return DONE
