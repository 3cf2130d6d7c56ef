"""Runs that were begun before: which one a scenario has left, and whether a process still works at it."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from utils.journal.records import FILE_NAME, RunRecord

RESOLVED = "resolved.yaml"
# What a run needs only until it is done.
UNFINISHED_DIR = "resume"


class StillRunning(Exception):
    """Another process is at work on this run."""


def newest(
    saved: Path, model: str, scenario: Path, resolved: str, job: str | None = None
) -> tuple[RunRecord, Path] | None:
    """The newest run of this scenario file that was resolved to the same text, and its folder; None without one.

    job: only one that was begun for this job.
    """
    found: list[tuple[str, int, RunRecord, Path]] = []
    for folder in saved.glob(f"{model}-*"):
        try:
            # In bytes, since a text file may be read with other line ends than it was written with.
            if (folder / RESOLVED).read_bytes() != resolved.encode():
                continue
            record = RunRecord.read(folder / FILE_NAME)
            written = (folder / FILE_NAME).stat().st_mtime_ns
        except (OSError, ValueError, TypeError):
            # Killed before it had a record, or not one of our runs.
            continue
        if Path(record.scenario).absolute() == scenario.absolute() and job in (None, record.job):
            found.append((record.started, written, record, folder))
    return max(found, key=lambda run: run[:2])[2:] if found else None


@contextmanager
def held(run_dir: Path) -> Iterator[None]:
    """Hold the run while the block runs, so that no other process resumes it; StillRunning where one holds it.

    The system lets go of it when the process dies, however it dies.
    """
    folder = run_dir / UNFINISHED_DIR
    folder.mkdir(exist_ok=True)
    lock = FileLock(folder / "lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise StillRunning(f"not resumed: another process is running {run_dir}") from None
    try:
        yield
    finally:
        lock.release()


def seconds_so_far(record: RunRecord, run_dir: Path) -> float:
    """How long the process that wrote this record has run, as far as the record knows."""
    if record.seconds is not None:
        return record.seconds
    began = record.resumed[-1]["at"] if record.resumed else record.started
    wrote = (run_dir / FILE_NAME).stat().st_mtime
    return max(round(wrote - datetime.datetime.fromisoformat(began).timestamp(), 3), 0.0)
