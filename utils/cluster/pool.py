"""Runs jobs on Dask's workers: submits each once what it waits for is done, and takes the results as they come."""

from __future__ import annotations

import pickle
import queue
import shutil
import tarfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from utils.cluster import parcel
from utils.cluster.chatter import quieten
from utils.cluster.child import ProcessDied, warm_up
from utils.cluster.order import Order
from utils.cluster.task import WrongVersion, cancel_all, run_here, run_shipped
from utils.cluster.version import differing, version
from utils.console import Console
from utils.jobs import Ended, Job, folder_of
from utils.journal.earlier_runs import UNFINISHED_DIR
from utils.runner import CannotRecord, earlier_run, keep_row, record_failure

# A process may be killed for memory by what runs beside it, hardly three times.
RETRIES = 2
_CONNECT_S = 10.0
_WAIT_FOR_WORKERS_S = 30.0
_LOOK_ROUND_S = 20.0


class ClusterError(Exception):
    """The cluster cannot be used, or not any more."""


@dataclass
class _Sent:
    """A job, which jobs it waits for, and its attempts."""

    job: Job
    waits_for: set[int]
    done: bool = False
    attempts: int = 0
    excluded: set[str] = field(default_factory=set)


class Call:
    """A call that is made where it is unpickled."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self._function, self._arguments = function, arguments

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self._function, self._arguments


class Pool:
    """Runs jobs on the workers of a Dask cluster. One at a time ends; many run.

    run: what a worker here does with a job.
    at_once: how many experiments share this machine where the workers are here; None where they are elsewhere, share
        no disk, and are sent what they need.
    """

    def __init__(
        self, client: Any, console: Console, width: int, at_once: int | None, run: Callable[..., Ended] = run_here
    ) -> None:
        self.width = width
        self._run_here, self._order = run, Order()
        self._blocked_by: dict[int, list[int]] = {}
        self._client, self._console, self._at_once = client, console, at_once
        self._folder, self._name = Path.cwd(), uuid.uuid4().hex
        self._jobs: list[_Sent] = []
        self._ended: queue.SimpleQueue[tuple[int, Any]] = queue.SimpleQueue()
        self._refused: set[str] = set()
        # Those whose end will come; a job that is interrupted as it is sent is none of them.
        self._sent_out: set[int] = set()
        self._cancelled = False
        self._version = version() if at_once is None else {}

    def submit(self, job: Job) -> None:
        index = len(self._jobs)
        waits = {earlier for earlier in self._order.add(job.plan) if not self._jobs[earlier].done}
        self._jobs.append(_Sent(job, waits))
        for earlier in waits:
            self._blocked_by.setdefault(earlier, []).append(index)
        if not waits:
            self._start(index)

    def next(self) -> Ended:
        index, ended = self._wait()
        self._sent_out.discard(index)
        self._jobs[index].done = True
        for number in self._blocked_by.pop(index, []):
            self._jobs[number].waits_for.discard(index)
            if not self._jobs[number].waits_for:
                self._start(number)
        return ended

    def cancel(self) -> Iterator[Ended]:
        """Have all running experiments end as by Ctrl-C; their records say so."""
        self._cancelled = True
        self._client.run(cancel_all, self._name, on_error="ignore")
        while self._sent_out:
            index, ended = self._wait()
            self._sent_out.discard(index)
            yield ended

    def _wait(self) -> tuple[int, Ended]:
        """The next result of an experiment that was sent out."""
        told = False
        while True:
            try:
                index, future = self._ended.get(timeout=_LOOK_ROUND_S)
            except queue.Empty:
                if not told and self._at_once is None and not self._usable():
                    self._console.line("waiting: no worker is left that can run what is to be run")
                    told = True
                continue
            try:
                ended = self._result(index, future)
            except KeyboardInterrupt:
                # What has come is not lost: it is taken again.
                self._ended.put((index, future))
                raise
            if ended is not None:
                return index, ended

    def refuse_other_versions(self) -> None:
        """Leave out workers that would compute something else; ClusterError where none is left."""
        try:
            self._client.wait_for_workers(1, timeout=_WAIT_FOR_WORKERS_S)
        except TimeoutError:
            raise ClusterError(
                f"no worker has come to {self._client.scheduler.address} in {_WAIT_FOR_WORKERS_S:.0f} s; start one "
                f"with: python run_exps.py --worker {self._client.scheduler.address}"
            ) from None
        told = self._client.run(version, on_error="return")
        for address, there in told.items():
            wrong = [f"it cannot import RecBridge ({there})"] if isinstance(there, BaseException) else []
            if wrong := wrong or differing(self._version, there):
                self._refused.add(address)
                self._console.line(f"worker {address} is left out: {'; '.join(wrong)}")
        if len(self._refused) == len(told):
            raise ClusterError("no worker has the same version as this machine; nothing was run")

    def _start(self, index: int) -> None:
        sent = self._jobs[index]
        sent.attempts += 1
        key = f"experiment-{index}-{self._name}-{sent.attempts}"
        if self._at_once is not None:
            future = self._client.submit(
                self._run_here, sent.job, self._folder, self._at_once, self._name, key=key, retries=RETRIES, pure=False
            )
        else:
            files = self._inputs(sent.job)
            names = [file.as_posix() for file in files]
            contents = [file.read_bytes() for file in files]
            call = Call(run_shipped, sent.job, self._version, self._name, names, *map(pickle.PickleBuffer, contents))
            # The scheduler looks into what it is given, and may stand where there is no RecBridge: it sees bytes, and
            # a function that it knows. The same content travels once, whoever asks for it.
            future = self._client.submit(
                pickle.loads,
                pickle.dumps(call, protocol=5, buffer_callback=lambda buffer: None),
                buffers=self._client.scatter(contents, hash=True) if contents else [],
                key=key,
                retries=RETRIES,
                pure=False,
                workers=self._allowed(sent),
                resources=self._resources(sent),
            )
        self._sent_out.add(index)
        future.add_done_callback(lambda done: self._ended.put((index, done)))

    def _inputs(self, job: Job) -> list[Path]:
        files = parcel.inputs(job.plan)
        found = earlier_run(job.plan) if job.resume else None
        if found is not None:
            files += [file for file in found[1].rglob("*") if file.is_file() and file.name != "lock"]
        return files

    def _allowed(self, sent: _Sent) -> list[str] | None:
        refused = self._refused | sent.excluded
        return [worker for worker in self._workers() if worker not in refused] if refused else None

    def _resources(self, sent: _Sent) -> dict[str, int]:
        """One GPU slot, where a worker that may be used has one and the scenario does not say that it wants none."""
        refused = self._refused | sent.excluded
        usable = [worker for address, worker in self._workers().items() if address not in refused]
        slots = any(worker.get("resources", {}).get("GPU") for worker in usable)
        return {"GPU": 1} if slots and sent.job.plan.settings.get("use_gpu") is not False else {}

    def _workers(self) -> dict[str, Any]:
        return dict(self._client.scheduler_info(n_workers=-1)["workers"])

    def _usable(self) -> bool:
        return bool(self._workers().keys() - self._refused)

    def _result(self, index: int, future: Any) -> Ended | None:
        """How the job ended; None where it was sent out again."""
        sent = self._jobs[index]
        if self._client.status != "running":
            raise ClusterError("the scheduler is gone; go on with --resume when it is back")
        if future.cancelled():
            # So Dask calls it when the files that it was sent were lost with a worker.
            if self._cancelled or sent.attempts > RETRIES:
                return self._gave_up(sent, "the workers that had its files are gone")
            self._start(index)
            return None
        error = future.exception()
        if error is None:
            return self._received(sent.job, future.result())
        if isinstance(error, WrongVersion) and (others := self._others(sent)):
            sent.excluded |= set(self._workers()) - others
            self._start(index)
            return None
        tried = f" ({RETRIES + 1} attempts)" if isinstance(error, ProcessDied) else ""
        return self._gave_up(sent, f"{error}{tried}")

    def _gave_up(self, sent: _Sent, message: str) -> Ended:
        """A failed run leaves its record and its row, although its process could not."""
        if self._cancelled:
            return Ended(sent.job, cancelled=True)
        extras = replace(sent.job.extras, job=sent.job.name)
        try:
            record = record_failure(sent.job.plan, extras, message, self._console)
        except CannotRecord as error:
            return Ended(sent.job, message=f"failed: {message}; {error}")
        return Ended(sent.job, record, message=f"failed: {message}", lines=(f"    {message}",))

    def _others(self, sent: _Sent) -> set[str]:
        told = self._client.run(version, on_error="return")
        return {
            address
            for address, there in told.items()
            if not isinstance(there, BaseException) and not differing(self._version, there)
        } - sent.excluded

    def _received(self, job: Job, result: Any) -> Ended:
        if self._at_once is not None:
            return result
        ended, left = result
        if ended.record is None:
            return ended
        try:
            parcel.unpack(left, self._folder)
            if ended.record.status in ("done", "pruned"):
                shutil.rmtree(folder_of(ended.record) / UNFINISHED_DIR, ignore_errors=True)
            keep_row(job.plan, ended.record)
        except (OSError, ValueError, tarfile.TarError) as error:
            # Without its files nothing that it printed can be looked up: that is no success.
            return Ended(job, message=f"failed: what came back could not be kept: {error}", lines=ended.lines)
        return ended


@contextmanager
def local_pool(jobs: int, console: Console) -> Iterator[Pool]:
    """`jobs` experiments at once on this machine."""
    from distributed import Client, LocalCluster

    quieten()
    warm_up()
    # The experiments are processes of their own, so the workers that wait for them may be threads of this one.
    with (
        LocalCluster(
            n_workers=jobs, threads_per_worker=1, processes=False, dashboard_address=None, memory_limit=0
        ) as cluster,
        Client(cluster) as client,
    ):
        yield Pool(client, console, jobs, jobs)


@contextmanager
def remote_pool(address: str, console: Console) -> Iterator[Pool]:
    """The workers that a scheduler at `address` has; ClusterError where it does not answer or they are of no use."""
    from distributed import Client

    quieten()
    try:
        client = Client(address, timeout=_CONNECT_S)
    except (OSError, ValueError, TimeoutError) as error:
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ClusterError(
            f"no scheduler answers at {address} ({why}); "
            "start one with: dask scheduler, and give its address, e.g. tcp://10.0.0.5:8786"
        ) from None
    with client:
        pool = Pool(client, console, 1, None)
        pool.refuse_other_versions()
        pool.width = sum(worker["nthreads"] for worker in pool._workers().values())
        yield pool
