"""From command-line options to checked plans, runs and an exit code."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from filelock import Timeout

from utils.console import Console
from utils.folder import How, run_folder
from utils.paths import DEFAULT_CHECKPOINT_DIR
from utils.scenario import plan as plans
from utils.scenario import source
from utils.scenario.controls import for_each_control
from utils.scenario.errors import Problem, ScenarioError, render_problems
from utils.scenario.plan import Plan
from utils.scenario.seeds import for_each_seed, parse_seeds
from utils.scenario.together import check_together

ONE_BY_ONE = How()
DONE, FAILED, INVALID = 0, 1, 2


def run(
    paths: Sequence[str],
    start_with: int,
    overrides: Sequence[str],
    check: bool,
    info: bool,
    seeds: str | None = None,
    how: How = ONE_BY_ONE,
) -> int:
    """Check all scenarios, then run them (or print their trees); returns the exit code."""
    console = Console()
    if how.jobs > 1 and not (check or info):
        from utils.cluster.child import warm_up

        # It imports on another core while the scenarios are checked.
        warm_up()
    try:
        checked = read_plans(paths, start_with, overrides)
        if seeds and any(text.partition("=")[0] in ("seed", "seeds") for text in overrides):
            raise ScenarioError([Problem(f"--seeds {seeds}", 0, 0, "--set names seeds as well; keep one of them")])
        if not info:
            checked = for_each_seed(for_each_control(checked), parse_seeds(seeds) if seeds else None)
        check_together(checked, how)
    except ScenarioError as error:
        console.line(render_problems(error.problems))
        return INVALID
    if check:
        files = len({plan.path for plan in checked})
        runs = f", {len(checked)} runs" if len(checked) != files else ""
        console.line(f"{files} scenario{'s' if files != 1 else ''} checked{runs}, no problem")
        return DONE
    if info:
        return _print_trees(checked, console)
    return DONE if run_folder(checked, console, how) else FAILED


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


def show_listing(what: str, overrides: Sequence[str]) -> int:
    """Print one line per command, loss, recommender, retriever or setting; returns the exit code."""
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


def show_subgraph(paths: Sequence[str], user: str, out: str | None, overrides: Sequence[str]) -> int:
    """Write the page of a user's subgraphs, as the scenario has retrieved them; returns the exit code."""
    from utils.show_subgraph import CannotShow, write_page

    console = Console()
    try:
        checked = read_plans(paths, 0, overrides)
    except ScenarioError as error:
        console.line(render_problems(error.problems))
        return INVALID
    if len(checked) != 1:
        console.line(f"--show-subgraph shows those of one scenario, and these are {len(checked)}; name the file")
        return INVALID
    (plan,) = checked
    try:
        # Under a random split each seed has another train part.
        path = write_page(for_each_seed([plan], None)[0], user, Path(out) if out else plan.path.parent, console)
    except CannotShow as error:
        console.line(str(error))
        return INVALID
    except OSError as error:
        console.line(f"the page cannot be written: {error}")
        return FAILED
    console.line(f"wrote {path}")
    return DONE


def report(paths: Sequence[str], baseline: str | None, out: str | None) -> int:
    """Write the report of these paths' runs; returns the exit code."""
    from utils.report.baselines import NoSuchBaseline
    from utils.report.gather import NothingThere
    from utils.report.write import write_report

    console = Console()
    try:
        n_runs, lines = write_report([Path(path) for path in paths], baseline, Path(out) if out else None)
    except (NothingThere, NoSuchBaseline) as error:
        console.line(f"{error}")
        return INVALID
    except OSError as error:
        console.line(f"the report cannot be written: {error}")
        return FAILED
    for line in lines:
        console.line(line)
    return DONE if n_runs else FAILED


def query(text: str, paths: Sequence[str]) -> int:
    """Print the runs that fit; paths: folders of runs, `saved` when there is none."""
    from utils.journal.query import QueryError, render, run_query

    console = Console()
    for saved in map(Path, paths or [DEFAULT_CHECKPOINT_DIR]):
        if not saved.is_dir():
            console.line(f"{saved}: no such folder; give the one that holds the runs")
            return INVALID
        try:
            console.line(render(run_query(saved, text)))
        except QueryError as error:
            console.line(str(error))
            return INVALID
        except (OSError, Timeout) as error:
            console.line(f"{saved}: {error}")
            return FAILED
    return DONE


def rerun(name: str) -> int:
    """Repeat a run and say whether the numbers agree; returns the exit code."""
    from utils.rerun import CannotRepeat, repeat
    from utils.runner import CannotRecord

    console = Console()
    try:
        return DONE if repeat(name, console) else FAILED
    except CannotRepeat as error:
        console.line(str(error))
        return INVALID
    except (CannotRecord, KeyboardInterrupt) as error:
        console.line(str(error) or "cancelled")
        return FAILED


def serve(address: str | None, one_address: str | None, jobs: int) -> int:
    """Be a worker, or several, of a Dask scheduler."""
    from utils.cluster import worker

    return worker.serve_one(one_address) if one_address else worker.serve(str(address), jobs, Console())
