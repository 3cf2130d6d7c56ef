"""A folder of experiments: each with its seeds, here or over workers, then the searches, then one table."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from utils.console import Console
from utils.scenario.plan import Plan

if TYPE_CHECKING:
    from utils.jobs import Ended, Executor
    from utils.journal.records import RunRecord


@dataclass(frozen=True)
class How:
    """How a folder is run.

    resume: go on where runs were cut, and run none again that is done. jobs: how many at once on this machine.
    scheduler: the address of a Dask scheduler whose workers run them. baseline: the scenario to compare with.
    """

    resume: bool = False
    jobs: int = 1
    scheduler: str | None = None
    baseline: str | None = None


def run_folder(plans: Sequence[Plan], console: Console, how: How) -> bool:
    """Run all; whether all went well. plans: one per scenario and seed."""
    from utils.cluster.pool import ClusterError

    searched = [plan for plan in plans if plan.settings.get("search")]
    fixed = [plan for plan in plans if not plan.settings.get("search")]
    # A scheduler's SIGTERM ends a run as Ctrl-C does: with a record and a row in the journal.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    run = _Folder(console, how, len(plans))
    try:
        with _executor(console, how) as executor:
            try:
                run.jobs(fixed, executor)
                for plan in searched:
                    run.search(plan, executor)
            except KeyboardInterrupt:
                run.cancel(executor)
    except ClusterError as error:
        console.line(str(error))
        run.failed = True
    finally:
        signal.signal(signal.SIGTERM, before)
    order = {str(plan.path): number for number, plan in reversed(list(enumerate(plans)))}
    run.records.sort(key=lambda record: order.get(record.scenario, 0))
    if fixed and (run.records or not run.failed):
        console.line()
        console.line(summary(run.records, how.baseline))
    return not run.failed


@contextmanager
def _executor(console: Console, how: How) -> Iterator[Executor]:
    from utils.jobs import OneByOne

    if how.scheduler is not None:
        from utils.cluster.pool import remote_pool

        with remote_pool(how.scheduler, console) as pool:
            yield pool
    elif how.jobs > 1:
        from utils.cluster.pool import local_pool

        with local_pool(how.jobs, console) as pool:
            yield pool
    else:
        yield OneByOne(console)


class _Folder:
    """What a folder has come to so far."""

    def __init__(self, console: Console, how: How, total: int) -> None:
        self.records: list[RunRecord] = []
        self.failed = False
        self._console, self._how, self._total = console, how, total
        self._open = 0

    def jobs(self, plans: Sequence[Plan], executor: Executor) -> None:
        from utils.jobs import Job, folder_of
        from utils.runner import done_before

        if executor.width > 1:
            self._console.line(f"{len(plans)} experiments, {executor.width} at once")
        seeds = {(str(plan.path), plan.settings.get("seed")) for plan in plans}
        several = len(seeds) > len({str(plan.path) for plan in plans})
        for number, plan in enumerate(plans, start=1):
            parts = [f"seed {plan.settings['seed']}"] if several and "seed" in plan.settings else []
            parts += [f"control {plan.settings['control']}"] if plan.settings.get("control") else []
            job = Job(", ".join([f"[{number}/{self._total}] {plan.path}", *parts]), plan, self._how.resume)
            if self._how.resume and (done := done_before(plan)) is not None:
                self._console.line(job.label)
                self.records.append(done)
                self._console.line(f"    done already; record and model in {folder_of(done)}")
                continue
            executor.submit(job)
            self._open += 1
            if executor.width == 1:
                self._next(executor)
        while self._open:
            self._next(executor)

    def search(self, plan: Plan, executor: Executor) -> None:
        from utils.search.study import StudyError
        from utils.search.sweep import Sweep

        try:
            sweep = Sweep(plan, self._console, self._how.resume)
        except StudyError as error:
            self._console.line(f"{plan.path}: {error}")
            self.failed = True
            return
        self._console.line(f"{plan.path}: {sweep.what}")
        while True:
            while self._open < executor.width and (job := sweep.next_trial()) is not None:
                executor.submit(job)
                self._open += 1
            if not self._open:
                break
            sweep.tell(self._next(executor))
        try:
            self._console.line(sweep.finish())
        except OSError as error:
            self._console.line(
                f"    the best scenario cannot be written: {error}; --resume writes it without new trials"
            )
            self.failed = True
        self.failed = self.failed or sweep.best is None

    def cancel(self, executor: Executor) -> None:
        """Ctrl-C: let the running ones write their records; no other starts."""
        self.failed = True
        for ended in executor.cancel():
            self._take(ended)
        if self._open > 0:
            self._console.line(f"{self._open} experiments were not begun; --resume runs them")

    def _next(self, executor: Executor) -> Ended:
        """Wait for the next to end; KeyboardInterrupt where the user has cancelled it."""
        ended = executor.next()
        self._take(ended)
        if ended.cancelled:
            raise KeyboardInterrupt
        return ended

    def _take(self, ended: Ended) -> None:
        from utils.jobs import folder_of

        if ended.record is not None or not ended.cancelled:
            self._open -= 1
        if ended.lines:
            self._console.line(ended.job.label)
        for line in _worth_showing(ended):
            self._console.line(line)
        if ended.record is not None:
            self.records.append(ended.record)
            how = f"{ended.record.status} in {ended.record.seconds or 0:.1f} s"
            self._console.line(f"    {how}; record and model in {folder_of(ended.record)}")
        elif ended.message:
            self._console.line(f"    {ended.message}")
        # A trial that was given up is no failure.
        self.failed = self.failed or ended.record is None or ended.record.status not in ("done", "pruned")


def _worth_showing(ended: Ended) -> Iterator[str]:
    """Of an experiment that ran elsewhere: test results and warnings, and all that was said of a fault."""
    good = ended.record is not None and ended.record.status in ("done", "pruned")
    after_test = False
    for line in ended.lines:
        if not good or after_test or "warning:" in line:
            yield line
        after_test = line.rstrip().endswith("test_eval")


def summary(records: Sequence[RunRecord], baseline: str | None) -> str:
    """One line per run; one per variant where there are several seeds or a named baseline."""
    from utils.jobs import folder_of
    from utils.journal.summary import summary_table
    from utils.report.baselines import NoSuchBaseline
    from utils.report.table import variants_table
    from utils.report.variants import Run

    shown = [record for record in records if not (record.search or {}).get("study")]
    seeds = {record.settings.get("seed") for record in shown}
    controls = any(record.settings.get("control") for record in shown)
    if (
        len(seeds) < 2
        and not controls
        and baseline is None
        and not any(record.settings.get("baseline") for record in shown)
    ):
        return summary_table(shown)
    runs = [Run(record, folder_of(record)) for record in shown]
    try:
        return variants_table(runs, baseline)
    except NoSuchBaseline as error:
        return f"{variants_table(runs)}\n{error}"
