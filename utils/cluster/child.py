"""One experiment in a process of its own: started from a template that has imported everything, watched, cancelled."""

from __future__ import annotations

import _thread
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from utils import threads
from utils.console import Console, plain, without_bars
from utils.jobs import Ended, Job, run_job

CANCEL = "cancel"
# What every run imports sooner or later; a template process imports it once, and each experiment starts as its copy.
_PRELOADED = (
    "utils.cluster.child",
    "recbole.data",
    "recbole.trainer",
    "utils.recbole_port.trainers",
    "utils.recbole_port.session",
    "utils.recbole_port.resume",
    "torch.utils.tensorboard",
    "models.transfer.wrapper",
)
# joblib makes semaphores as it is imported, and leaves them to Python's tracker, which warns as it removes them.
_SEMAPHORES = "ignore:resource_tracker:UserWarning"
_CHECKOUT = Path(__file__).parents[2]


class ProcessDied(RuntimeError):
    """The process of an experiment was killed (out of memory, by hand) before it could say how it ended."""


class _Running:
    """The connections to the experiments that run in this process's children, by the pool that had them run."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connections: dict[Connection, str] = {}
        self._cancelled: set[str] = set()

    @contextmanager
    def entered(self, connection: Connection, pool: str) -> Iterator[None]:
        with self._lock:
            self._connections[connection] = pool
            if pool in self._cancelled:
                # Said while its process was starting.
                connection.send(CANCEL)
        try:
            yield
        finally:
            with self._lock:
                del self._connections[connection]

    def is_cancelled(self, pool: str) -> bool:
        with self._lock:
            return pool in self._cancelled

    def cancel(self, pool: str) -> None:
        """Have this pool's experiments end as by Ctrl-C; none of them starts any more."""
        with self._lock:
            # Workers that are threads of one process share this.
            if pool in self._cancelled:
                return
            self._cancelled.add(pool)
            for connection in [each for each, of in self._connections.items() if of == pool]:
                # One that has just ended need not be told.
                with suppress(OSError):
                    connection.send(CANCEL)


RUNNING = _Running()


def context() -> Any:
    """How processes are started: as copies of a template where the system can, else from nothing."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    chosen = multiprocessing.get_context("forkserver")
    chosen.set_forkserver_preload(list(_PRELOADED))
    return chosen


def warm_up() -> None:
    """Start the template process, so that it imports while there is other work."""
    if "forkserver" in multiprocessing.get_all_start_methods():
        context()
        from multiprocessing import forkserver

        # The template does not inherit sys.path.
        path = os.pathsep.join(filter(None, [str(_CHECKOUT), os.environ.get("PYTHONPATH")]))
        with _environment(PYTHONPATH=path, PYTHONWARNINGS=_SEMAPHORES):
            forkserver.ensure_running()


@contextmanager
def _environment(**values: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def run_in_child(job: Job, folder: Path, most_threads: int, pool: str = "", gpu: str | None = None) -> Ended:
    """Run a job in a new process that stands in `folder`; ProcessDied where it ends without a word.

    pool: under which name it can be cancelled. most_threads: what the experiment may take, whatever its scenario says.
    gpu: the GPU that it may see.
    """
    if RUNNING.is_cancelled(pool):
        return Ended(job, cancelled=True)
    ours, theirs = multiprocessing.Pipe()
    process = context().Process(target=_child, args=(theirs, job, folder, most_threads, gpu), daemon=False)
    process.start()
    theirs.close()
    try:
        with RUNNING.entered(ours, pool):
            ended = ours.recv()
    except EOFError:
        process.join()
        how = f"signal {-process.exitcode}" if (process.exitcode or 0) < 0 else f"exit code {process.exitcode}"
        raise ProcessDied(f"{job.label}: its process ended by {how} without a word") from None
    finally:
        ours.close()
    process.join()
    if isinstance(ended, BaseException):
        raise ended
    return ended


def _child(connection: Connection, job: Job, folder: Path, most_threads: int, gpu: str | None) -> None:
    # A terminal's Ctrl-C reaches a whole group. Whoever started this says CANCEL, once; a second interrupt would hit
    # the run while it writes its record. A SIGTERM from elsewhere kills it, and it is tried again.
    if hasattr(os, "setsid"):
        os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.chdir(folder)
    if gpu is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu
    threads.limit(most_threads)
    without_bars()
    threading.Thread(target=_obey, args=(connection,), daemon=True).start()
    console = _Kept()
    if gpu is not None and "gpu_id" in job.plan.settings:
        console.line(f"    warning: gpu_id {job.plan.settings['gpu_id']} gives way to the worker's, {gpu}")
        job = replace(job, plan=replace(job.plan, settings={**job.plan.settings, "gpu_id": gpu}))
    try:
        ended: Any = run_job(job, console)
        ended = Ended(job, ended.record, ended.message, tuple(console.lines), ended.cancelled)
    except KeyboardInterrupt:
        ended = Ended(job, cancelled=True)
    except Exception as error:
        ended = RuntimeError(f"{job.label}: {type(error).__name__}: {error}")
    connection.send(ended)


def _obey(connection: Connection) -> None:
    """Cancel the run when told so; end at once when whoever started it is gone."""
    try:
        while True:
            if connection.recv() == CANCEL:
                _thread.interrupt_main()
    except (EOFError, OSError):
        # Its worker died: the run stays unfinished, for whoever takes it up again.
        os._exit(1)


class _Kept(Console):
    """Keeps the lines; several experiments at once would write into each other's."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def line(self, text: str = "") -> None:
        self.lines += plain(text).split("\n")
