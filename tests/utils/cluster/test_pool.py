"""The pool asks for what an experiment needs, tries again what died, and says what it cannot do."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from distributed import Client, LocalCluster

from tests.workspace import TRAIN, Lines, Workspace
from utils.cluster.chatter import quieten
from utils.cluster.child import ProcessDied
from utils.cluster.pool import Pool, _Sent
from utils.jobs import Ended, Job
from utils.journal.records import RunRecord
from utils.scenario import plan, source


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    quieten()
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None) as cluster,
        Client(cluster) as made,
    ):
        yield made


def _job(tiny: Workspace, name: str = "a", **settings: Any) -> Job:
    path = tiny.write(TRAIN, name, **settings)
    return Job(name, plan.build(source.read(path.relative_to(tiny.folder))))


def test_every_job_ends_once_however_many_there_are(tiny: Workspace, client: Client) -> None:
    pool = Pool(client, Lines(), 2, 2, run=lambda job, folder, at_once, name: Ended(job))
    jobs = [_job(tiny, f"{number:02}") for number in range(20)]
    for job in jobs:
        pool.submit(job)
    assert sorted(pool.next().job.label for _ in jobs) == [job.label for job in jobs]
    assert list(pool.cancel()) == []


def test_a_process_that_died_is_tried_again(tiny: Workspace, client: Client) -> None:
    tried = tiny.folder / "tried"

    def dies_once(job: Job, folder: Path, at_once: int, name: str) -> Ended:
        if not tried.exists():
            tried.touch()
            raise ProcessDied("killed")
        return Ended(job, message="came through")

    pool = Pool(client, Lines(), 2, 2, run=dies_once)
    pool.submit(_job(tiny))
    assert pool.next().message == "came through"


def test_one_that_always_dies_fails_with_the_count_of_attempts(tiny: Workspace, client: Client) -> None:
    def dies(job: Job, folder: Path, at_once: int, name: str) -> Ended:
        raise ProcessDied("a: its process ended by signal 9 without a word")

    pool = Pool(client, Lines(), 2, 2, run=dies)
    pool.submit(_job(tiny))
    ended = pool.next()
    assert ended.message == "failed: a: its process ended by signal 9 without a word (3 attempts)"
    # It leaves a record and a row all the same.
    assert ended.record is not None
    (row,) = tiny.journal()
    assert (row["run_id"], row["status"]) == (ended.record.run_id, "failed")


class _WithWorkers:
    """What the pool asks a client about its workers."""

    def __init__(self, *resources: dict[str, float]) -> None:
        self._workers = {f"w{number}": {"resources": each} for number, each in enumerate(resources)}

    def scheduler_info(self, n_workers: int) -> dict[str, Any]:
        return {"workers": self._workers}


def test_an_experiment_takes_a_gpu_slot_where_there_are_any(tiny: Workspace) -> None:
    pool = Pool(_WithWorkers({"GPU": 1.0}, {}), Lines(), 2, 2)
    assert pool._resources(_Sent(_job(tiny), set())) == {"GPU": 1}
    assert pool._resources(_Sent(_job(tiny, use_gpu=False), set())) == {}
    # Nobody waits for the slot of a worker that may not be used.
    assert pool._resources(_Sent(_job(tiny), set(), excluded={"w0"})) == {}
    assert Pool(_WithWorkers({}, {}), Lines(), 2, 2)._resources(_Sent(_job(tiny), set())) == {}


def test_results_that_cannot_be_kept_are_a_failure(tiny: Workspace, client: Client) -> None:
    job = _job(tiny)
    pool = Pool(client, Lines(), 2, None)
    record = RunRecord("r", "a.yaml", dict(job.plan.settings), status="done")
    ended = pool._received(job, (Ended(job, record), b"half a parcel"))
    assert ended.record is None
    assert ended.message.startswith("failed: what came back could not be kept: ")


def test_a_child_takes_its_share_of_the_threads_whatever_its_scenario_says(tiny: Workspace) -> None:
    from utils.cluster.child import run_in_child

    ended = run_in_child(_job(tiny, threads=2, epochs=1), tiny.folder, most_threads=1)
    assert ended.record is not None
    assert ended.record.status == "done"
    assert ended.record.environment["threads"] == 1
    assert os.getcwd() == str(tiny.folder)


def test_a_child_that_is_killed_says_by_which_signal(tiny: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    import multiprocessing

    from utils.cluster import child

    monkeypatch.setattr(child, "_child", _killed)
    monkeypatch.setattr(child, "context", lambda: multiprocessing.get_context("fork"))
    with pytest.raises(ProcessDied, match="ended by signal 9 without a word"):
        child.run_in_child(_job(tiny), tiny.folder, 1)


def _killed(*arguments: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)
