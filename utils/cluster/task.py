"""What a worker does with one experiment: make room for it, have it run in a process of its own, send what it left."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePath

from utils.cluster import parcel
from utils.cluster.child import RUNNING, run_in_child
from utils.cluster.gpus import SLOTS
from utils.cluster.version import differing, version
from utils.console import Console
from utils.jobs import Ended, Job
from utils.threads import available_cores

GPU_OF_WORKER = "RECBRIDGE_GPU"


class WrongVersion(RuntimeError):
    """This worker would compute something else."""


def run_here(job: Job, folder: Path, at_once: int, pool: str) -> Ended:
    """On the machine, and in the folder, that the user stands in."""
    # Its own lines come when it has ended.
    Console().line(f"{job.label}: begun")
    with SLOTS.taken() as gpu:
        return run_in_child(job, folder, max(available_cores() // at_once, 1), pool, gpu)


def run_shipped(
    job: Job, here: Mapping[str, str], pool: str, names: Sequence[str], *parcels: bytes
) -> tuple[Ended, bytes]:
    """On a worker that shares no disk with the user; (how it ended, a tar of what it left).

    names, parcels: the files that the experiment needs. here: `version()` where the user is.
    """
    if wrong := differing(here, version()):
        raise WrongVersion("; ".join(wrong))
    from distributed import get_worker

    worker = get_worker()
    # The same for a second attempt of this job on this worker, which then goes on where the first was cut.
    folder = Path(worker.local_directory) / "recbridge" / job.name
    for file, content in zip(names, parcels, strict=True):
        if PurePath(file).is_absolute() or ".." in PurePath(file).parts:
            raise ValueError(f"'{file}' does not lie below the folder of the experiments")
        target = folder / file
        # A retry finds them, and what its first attempt has made of them.
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
    folder.mkdir(parents=True, exist_ok=True)
    before = parcel.vector_states(folder, job.plan)
    job = replace(job, extras=replace(job.extras, journal=False))
    most = max(available_cores() // _workers_here(), 1)
    ended = run_in_child(job, folder, most, pool, os.environ.get(GPU_OF_WORKER))
    left = parcel.results(folder, job.plan, ended.record.run_id, before) if ended.record else b""
    shutil.rmtree(folder, ignore_errors=True)
    return ended, left


def _workers_here() -> int:
    return int(os.environ.get("RECBRIDGE_WORKERS", "1"))


def cancel_all(pool: str) -> None:
    """Have the experiments that this pool runs here end as by Ctrl-C."""
    RUNNING.cancel(pool)
