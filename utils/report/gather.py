"""The runs that a report is about: records below the given paths, and what of them cannot be read."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from utils.journal.records import FILE_NAME, RunRecord
from utils.paths import DEFAULT_CHECKPOINT_DIR, saved_dir
from utils.report.variants import Run

_SCENARIOS = {".yaml", ".yml"}


@dataclass
class Found:
    """Runs, and (where, what) of everything that is amiss; nothing is left out silently."""

    runs: list[Run] = field(default_factory=list)
    problems: list[tuple[str, str]] = field(default_factory=list)


class NothingThere(ValueError):
    """A path that leads to no run."""


def gather(paths: Sequence[Path]) -> Found:
    """Runs of these paths: folders of scenarios, scenarios, folders of runs (`saved`), runs, or records.

    NothingThere for a path that is neither, or of which there is no run at all.
    """
    found, seen = Found(), set()
    for path in paths:
        records = list(_records(path, found))
        if not records and not found.problems:
            raise NothingThere(f"{path}: no run of it was found; run it first, or give the folder of its runs")
        for record_file in records:
            if record_file.resolve() not in seen:
                seen.add(record_file.resolve())
                _read(record_file, found)
    return found


def _records(path: Path, found: Found) -> Iterator[Path]:
    if path.is_file() and path.name == FILE_NAME:
        yield path
    elif path.is_file() and path.suffix in _SCENARIOS:
        yield from _of_scenarios([path], path.parent, found)
    elif path.is_dir() and (path / FILE_NAME).is_file():
        yield path / FILE_NAME
    elif path.is_dir():
        inside = sorted(path.glob(f"*/{FILE_NAME}"))
        scenarios = sorted(file for file in path.iterdir() if file.suffix in _SCENARIOS)
        yield from inside or _of_scenarios(scenarios, path, found)
    else:
        raise NothingThere(f"{path}: no such file or folder")


def _of_scenarios(scenarios: Sequence[Path], folder: Path, found: Found) -> Iterator[Path]:
    """Records of these scenarios in the folders where their runs are saved, and what the journal says otherwise."""
    wanted = {scenario.absolute() for scenario in scenarios}
    saved = dict.fromkeys(_saved_dir(scenario) for scenario in scenarios)
    files: dict[Path, RunRecord | None] = {}
    for directory in saved:
        for file in sorted(directory.glob(f"*/{FILE_NAME}")):
            record = _record_of(file)
            # One that cannot be read may be one of these.
            if record is None or Path(record.scenario).absolute() in wanted:
                files[file] = record
    names = {scenario.name for scenario in scenarios}
    known = {file.parent.name: record for file, record in files.items()}
    for journal in sorted(folder.glob("*.csv")):
        found.problems += _amiss(journal, names, known)
    return iter(files)


def _saved_dir(scenario: Path) -> Path:
    try:
        settings = yaml.safe_load(scenario.read_text("utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        settings = None
    return saved_dir(settings) if isinstance(settings, dict) else Path(DEFAULT_CHECKPOINT_DIR)


def _record_of(file: Path) -> RunRecord | None:
    try:
        return RunRecord.read(file)
    except (OSError, ValueError, TypeError):
        return None


def _read(file: Path, found: Found) -> None:
    try:
        record = RunRecord.read(file)
        run = Run(record, file.parent)
        # Raises where it does not hold what every run has.
        _ = record.settings["model"], run.outcome
        found.runs.append(run)
    except OSError as error:
        found.problems.append((str(file), f"cannot be read: {error.strerror}"))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        # Our own writing is atomic; a copy that broke off or an editor's is not.
        found.problems.append((str(file), f"is no whole record ({type(error).__name__}: {error}); the run is left out"))


def _amiss(journal: Path, scenarios: set[str], known: Mapping[str, RunRecord | None]) -> Iterator[tuple[str, str]]:
    """What a journal says that the records do not. The records are the truth; a row is only told of."""
    try:
        with journal.open(encoding="utf-8-sig", newline="") as file:
            rows: list[dict[str, Any]] = list(csv.DictReader(file))
    except (OSError, ValueError, csv.Error) as error:
        yield str(journal), f"cannot be read as a journal: {error}"
        return
    if not rows or "run_id" not in rows[0]:
        if rows and "config" in rows[0]:
            yield str(journal), "has no column run_id any more; the numbers here come from the records"
        return
    lost = [row["run_id"] for row in rows if row.get("config") in scenarios and row["run_id"] not in known]
    if lost:
        shown = ", ".join(map(str, lost[:5])) + (", ..." if len(lost) > 5 else "")
        yield str(journal), f"{len(lost)} rows have no record (moved, removed, or a row was edited): {shown}"
    # A run that was cancelled and resumed has a row for each of its ends.
    for row in {row["run_id"]: row for row in rows}.values():
        record = known.get(row["run_id"])
        if record is not None and any(
            row.get(f"train_{name}:best_test_res", "") != _told(stage.get("best_test_res"))
            for name, stage in record.stages.items()
        ):
            yield str(journal), f"the test result of {row['run_id']} is not that of its record, which is shown"


def _told(result: Any) -> str:
    """As the journal has it."""
    return json.dumps(result) if result else ""
