"""Runs jobs on Dask's workers: submits each once what it waits for is done, and takes the results as they come."""

from __future__ import annotations

import pickle
import queue
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from utils.cluster import parcel
from utils.cluster.child import ProcessDied, warm_up
from utils.cluster.order import Order
from utils.cluster.task import WrongVersion, cancel_all, run_here, run_shipped
from utils.cluster.version import differing, version
from utils.console import Console
from utils.jobs import Ended, Job
from utils.runner import earlier_run, keep_row

# A process may be killed for memory by what runs beside it, hardly three times.
RETRIES = 2
_CONNECT_S = 10.0
_WAIT_FOR_WORKERS_S = 30.0


class ClusterError(Exception):
    """The cluster cannot be used; nothing was run."""


@dataclass
class _Sent:
    """A job, which jobs it waits for, and its attempts."""

    job: Job
    waits_for: set[int]
    done: bool = False
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
        self._version = version() if at_once is None else {}

    def submit(self, job: Job) -> None:
        index = len(self._jobs)
        waits = {earlier for earlier in self._order.add(job.plan) if not self._jobs[earlier].done}
        self._jobs.append(_Sent(job, waits))
        for earlier in waits:
            self._blocked_by.setdefault(earlier, []).append(index)
        if not waits:
            self._start(index)

    @property
    def running(self) -> int:
        """How many jobs have been sent and have not ended."""
        return sum(not sent.done and not sent.waits_for for sent in self._jobs)

    def next(self, start_others: bool = True) -> Ended:
        """The next job that ends. start_others: whether jobs that waited for it start now."""
        while True:
            index, future = self._ended.get()
            ended = self._result(index, future)
            if ended is None:
                continue
            self._jobs[index].done = True
            if not start_others:
                return ended
            for number in self._blocked_by.pop(index, []):
                self._jobs[number].waits_for.discard(index)
                if not self._jobs[number].waits_for:
                    self._start(number)
            return ended

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

    def cancel(self) -> None:
        """Have all running experiments end as by Ctrl-C; their records say so."""
        self._client.run(cancel_all, self._name, on_error="ignore")

    def _start(self, index: int) -> None:
        sent = self._jobs[index]
        key = f"experiment-{index}-{self._name}-{len(sent.excluded)}"
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
                resources=self._resources(sent.job),
            )
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

    def _resources(self, job: Job) -> dict[str, int]:
        """One GPU slot, where the cluster has any and the scenario does not say that it wants none."""
        slots = any(worker.get("resources", {}).get("GPU") for worker in self._workers().values())
        return {"GPU": 1} if slots and job.plan.settings.get("use_gpu") is not False else {}

    def _workers(self) -> dict[str, Any]:
        return dict(self._client.scheduler_info(n_workers=-1)["workers"])

    def _result(self, index: int, future: Any) -> Ended | None:
        """How the job ended; None where it was sent to another worker."""
        sent = self._jobs[index]
        error = future.exception()
        if error is None:
            return self._received(sent.job, future.result())
        if isinstance(error, WrongVersion) and (others := self._others(sent)):
            sent.excluded |= set(self._workers()) - others
            self._start(index)
            return None
        if future.cancelled():
            return Ended(sent.job, cancelled=True)
        tried = f" ({RETRIES + 1} attempts)" if isinstance(error, ProcessDied) else ""
        return Ended(sent.job, message=f"failed: {error}{tried}")

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
        if ended.record is not None:
            parcel.unpack(left, self._folder)
            keep_row(job.plan, ended.record)
        return ended


@contextmanager
def local_pool(jobs: int, console: Console) -> Iterator[Pool]:
    """`jobs` experiments at once on this machine."""
    from distributed import Client, LocalCluster

    _quieten()
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

    _quieten()
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


def _quieten() -> None:
    """Without Dask's own chatter about workers that come and go; what matters is said by the runs."""
    import logging

    for name in ("distributed", "distributed.worker", "distributed.scheduler", "distributed.core", "distributed.nanny"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
