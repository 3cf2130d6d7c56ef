"""One experiment to run, how it ended, and the simplest way to run several: here, one after the other."""

from __future__ import annotations

import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from utils.console import Console
from utils.journal.earlier_runs import StillRunning
from utils.journal.records import RunRecord
from utils.paths import saved_dir
from utils.runner import ALONE, Cancelled, CannotRecord, Extras, run_plan
from utils.scenario.plan import Plan

# A process that dies lets go of its run within moments.
_LET_GO_S, _ASK_AGAIN_S = 20.0, 0.2


@dataclass(frozen=True)
class Job:
    """An experiment to run. resume: go on with its newest run, or report that one where it is done.

    name: tells it from all others, of the same scenario too.
    """

    label: str
    plan: Plan
    resume: bool = False
    extras: Extras = ALONE
    name: str = field(default_factory=lambda: uuid.uuid4().hex)


@dataclass(frozen=True)
class Ended:
    """How a job ended: its record, or why it has none. lines: what the user has not been shown yet."""

    job: Job
    record: RunRecord | None = None
    message: str = ""
    lines: tuple[str, ...] = ()
    cancelled: bool = False


class Executor(Protocol):
    """Runs jobs, `width` of them at once."""

    width: int

    def submit(self, job: Job) -> None:
        """Have a job run; one that touches the same vector files as an earlier one runs after it."""

    def next(self) -> Ended:
        """Wait until the next of the submitted jobs has ended."""

    def cancel(self) -> Iterator[Ended]:
        """Have those that run end as by Ctrl-C, and wait for them; no other starts."""


class OneByOne:
    """Runs jobs in this process, in order; the user sees every line as it comes."""

    width = 1

    def __init__(self, console: Console) -> None:
        self._console = console
        self._waiting: deque[Job] = deque()

    def submit(self, job: Job) -> None:
        self._waiting.append(job)

    def next(self) -> Ended:
        job = self._waiting.popleft()
        self._console.line(job.label)
        return run_job(job, self._console, retried=False)

    def cancel(self) -> Iterator[Ended]:
        """What ran here has ended already."""
        self._waiting.clear()
        return iter(())


def run_job(job: Job, console: Console, retried: bool = True) -> Ended:
    """Run one job in this process.

    retried: a process before this one may have begun this very job and died; its run goes on.
    """
    extras = replace(job.extras, job=job.name)

    def attempt() -> RunRecord:
        only = None if job.resume else job.name
        return run_plan(job.plan, console, resume=job.resume or retried, extras=extras, job=only)

    try:
        return Ended(job, _once_let_go(attempt) if retried else attempt())
    except Cancelled as cancelled:
        return Ended(job, cancelled.record, cancelled=True)
    except (StillRunning, CannotRecord) as error:
        return Ended(job, message=str(error) if isinstance(error, StillRunning) else f"failed: {error}")


def _once_let_go(attempt: Callable[[], RunRecord]) -> RunRecord:
    until = time.monotonic() + _LET_GO_S
    while True:
        try:
            return attempt()
        except StillRunning:
            if time.monotonic() > until:
                raise
            time.sleep(_ASK_AGAIN_S)


def folder_of(record: RunRecord) -> Path:
    """Where a run has left what it found."""
    return saved_dir(record.settings) / record.run_id
