"""A SQLite view of all run records, so that thousands of runs can be asked about at once."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from filelock import FileLock

from utils.journal.outcome import outcome_of
from utils.journal.records import FILE_NAME, RunRecord

INDEX_NAME = "index.sqlite"
VALID = "valid:"
NULL = "null"

T = TypeVar("T")
Scalar = bool | int | float | str | None

# Another number makes every index be built anew; it changes with the tables and with what `facts_of` takes in.
_VERSION = 2
_SCHEMA = """
DROP TABLE IF EXISTS runs;
DROP TABLE IF EXISTS facts;
CREATE TABLE runs (
    run_id TEXT PRIMARY KEY, path TEXT, mtime_ns INTEGER, size INTEGER, model TEXT, dataset TEXT, scenario TEXT,
    seed NUMERIC, status TEXT, started TEXT, ended TEXT, seconds REAL
);
CREATE TABLE facts (
    run_id TEXT NOT NULL, name TEXT NOT NULL, kind TEXT NOT NULL, number NUMERIC, text TEXT NOT NULL
);
CREATE UNIQUE INDEX facts_of_name ON facts (name, run_id);
CREATE INDEX facts_of_run ON facts (run_id);
"""
_SHOWN = ("model", "dataset", "scenario", "seed", "status", "started", "ended", "seconds")
_OF_RUN = ("scenario", "status", "started", "ended", "seconds", "variant", "rerun_of")
# Whoever holds the lock for longer has stopped; a first refresh of 10,000 records takes a fraction of it.
_TIMEOUT_S = 60
_INT64 = 2**63


class Fact(NamedTuple):
    """One named value of a run: a field, a setting or a metric."""

    kind: str
    value: Scalar


def refresh(saved: Path) -> list[tuple[Path, str]]:
    """Bring `<saved>/index.sqlite` up to date with the records; returns those that cannot be read, and why."""
    return ask(saved, lambda connection: None)[1]


def ask(saved: Path, question: Callable[[sqlite3.Connection], T]) -> tuple[T, list[tuple[Path, str]]]:
    """What `question` finds in the index after a refresh, and the records that cannot be read.

    A damaged index is built anew and asked again. It is kept in memory only where the folder is missing or takes no
    file. Raises filelock.Timeout where another process has been at it for a minute.
    """
    if not os.access(saved, os.W_OK):
        return _ask(":memory:", saved, question)
    file = saved / INDEX_NAME
    # Without the lock, a process could remove a damaged index that another one has just built anew.
    with FileLock(f"{file}.lock", timeout=_TIMEOUT_S):
        try:
            return _ask(file, saved, question)
        except (sqlite3.DatabaseError, UnicodeDecodeError):
            for damaged in (file, Path(f"{file}-journal")):
                damaged.unlink(missing_ok=True)
            return _ask(file, saved, question)


def _ask(
    file: Path | str, saved: Path, question: Callable[[sqlite3.Connection], T]
) -> tuple[T, list[tuple[Path, str]]]:
    with closing(sqlite3.connect(file, timeout=_TIMEOUT_S)) as connection:
        # A page that was lost on the disk would be runs that are silently not found.
        if connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            raise sqlite3.DatabaseError(f"{file} is damaged")
        unreadable = _update(connection, saved)
        return question(connection), unreadable


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Scalar]:
    """Scalars by dotted name (`eval_args.split.LS`); a list is its JSON text, and so is an empty mapping."""
    found: dict[str, Scalar] = {}
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            found |= flat(value, f"{prefix}{name}.")
        elif isinstance(value, (bool, int, float, str)) or value is None:
            found[f"{prefix}{name}"] = value
        else:
            found[f"{prefix}{name}"] = json.dumps(value, default=str)
    return found


def facts_of(record: RunRecord) -> dict[str, Fact]:
    """Everything that can be asked about a run, by name.

    Settings are those the last training had in force, defaults included. Of equal names a field stands before a
    setting, since a field is what was and a setting what was wished for.
    """
    trained = [stage for stage in record.stages.values() if stage.get("lineage")]
    last = trained[-1] if trained else {}
    settings = flat({**record.settings, **(last.get("settings") or {})})
    outcome = outcome_of(record)
    metrics = {
        **{f"{VALID}{name}": value for name, value in (last.get("best_val_res") or {}).items()},
        **(outcome.metrics if outcome else {}),
    }
    fields = {
        **{name: record.settings.get(name) for name in ("dataset", "seed")},
        "model": (outcome and outcome.model) or record.settings.get("model"),
        **{name: vars(record)[name] for name in _OF_RUN},
        **record.environment,
        **{f"dataset.{name}": value for name, value in record.dataset.items() if name != "name"},
        **{f"cost.{name}": value for name, value in record.cost.items()},
        **{f"search.{name}": value for name, value in (record.search or {}).items()},
        "device": record.protocol.get("device"),
        "transferred": outcome.transferred if outcome else None,
        "losses": ", ".join(outcome.losses) if outcome else None,
        "error": (record.error or {}).get("message"),
    }
    return {
        **{name: Fact("setting", value) for name, value in settings.items()},
        **{name: Fact("metric", value) for name, value in metrics.items() if value is not None},
        **{name: Fact("field", value) for name, value in flat(fields).items() if value is not None},
    }


def _update(connection: sqlite3.Connection, saved: Path) -> list[tuple[Path, str]]:
    """In one transaction: rows of changed and of new records, none of removed ones."""
    if connection.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
        connection.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {_VERSION}; COMMIT;")
    known = {run_id: tuple(stamp) for run_id, *stamp in connection.execute("SELECT run_id, mtime_ns, size FROM runs")}
    found = dict(_stamps(saved))
    stale = [(run_id,) for run_id, stamp in known.items() if found.get(run_id) != stamp]
    unreadable = []
    with connection:
        connection.executemany("DELETE FROM facts WHERE run_id = ?", stale)
        connection.executemany("DELETE FROM runs WHERE run_id = ?", stale)
        for run_id in sorted(run_id for run_id, stamp in found.items() if known.get(run_id) != stamp):
            path = saved / run_id / FILE_NAME
            try:
                facts = {**facts_of(RunRecord.read(path)), "run_id": Fact("field", run_id)}
                columns = {name: _columns(fact.value) for name, fact in facts.items()}
            except (OSError, ValueError, TypeError, AttributeError, KeyError, OverflowError) as error:
                # Text that is no JSON, or JSON in which somebody has put one thing in place of another.
                unreadable.append((path, f"{type(error).__name__}: {error}"))
                continue
            rows = [(run_id, name, facts[name].kind, *pair) for name, pair in columns.items()]
            shown = [columns.get(name, (None, None)) for name in _SHOWN]
            run = [run_id, f"{run_id}/{FILE_NAME}", *found[run_id], *(text if n is None else n for n, text in shown)]
            connection.execute(f"INSERT INTO runs VALUES ({', '.join('?' * len(run))})", run)
            connection.executemany("INSERT INTO facts VALUES (?, ?, ?, ?, ?)", rows)
    return unreadable


def _stamps(saved: Path) -> Iterator[tuple[str, tuple[int, int]]]:
    """(run id, (mtime_ns, size)) of every record; a run goes by its folder, which a user may have copied."""
    for folder in os.scandir(saved) if saved.is_dir() else ():
        try:
            stat = os.stat(os.path.join(folder.path, FILE_NAME))
        except (FileNotFoundError, NotADirectoryError):
            continue
        yield folder.name, (stat.st_mtime_ns, stat.st_size)


def _columns(value: Scalar) -> tuple[int | float | None, str]:
    """(number, text) of a fact: a number has both, so that it can be compared and searched."""
    if value is None or isinstance(value, bool):
        return None, json.dumps(value)
    if isinstance(value, str):
        # JSON may hold half a surrogate pair, which SQLite does not take.
        return None, value.encode("utf-8", "replace").decode()
    return (value if abs(value) < _INT64 else float(value)), str(value)
