"""A folder over several processes ends with each experiment exactly once in the journal, whoever is killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.utils.cluster.clusters import ROOT, cluster
from tests.workspace import TRAIN, Workspace

# Long enough to be caught in the middle, on any machine.
SLOW = {"epochs": 60}
SEEDS = (1, 2, 3)


def _folder(tiny: Workspace, **settings: object) -> Path:
    (tiny.folder / "exps").mkdir(exist_ok=True)
    for name in ("01", "02"):
        tiny.write(TRAIN, f"exps/{name}", **{"seed": None, **settings})
        text = (tiny.folder / "exps" / f"{name}.yaml").read_text()
        (tiny.folder / "exps" / f"{name}.yaml").write_text(text.replace("seed: null\n", ""))
    return tiny.folder / "exps"


def _start(tiny: Workspace, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(ROOT / "run_exps.py"), "exps", "--seeds", "1..3", *arguments],
        cwd=tiny.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        # What runs in the background is started deaf to Ctrl-C, and so are its children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def _once_each(tiny: Workspace) -> bool:
    rows = tiny.journal("exps/journal.csv")
    found = sorted((row["config"], row["seed"], row["status"]) for row in rows)
    return found == [(f"{name}.yaml", str(seed), "done") for name in ("01", "02") for seed in SEEDS]


def _children(pid: int) -> Iterator[int]:
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            yield int(folder.name)
            yield from _children(int(folder.name))


def _until(found: Callable[[], object], seconds: float = 120) -> object:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if result := found():
            return result
        time.sleep(0.05)
    raise TimeoutError


def _holders(saved: Path) -> list[int]:
    """Processes that hold a run which has trained some epochs."""
    return [pid for pid in map(int, filter(str.isdecimal, os.listdir("/proc"))) if _is_training(pid, saved)]


def _is_training(pid: int, saved: Path) -> bool:
    try:
        files = [Path(os.readlink(link)) for link in Path(f"/proc/{pid}/fd").iterdir()]
        runs = [file.parents[1] for file in files if file.match("resume/lock") and saved in file.parents]
        return any('"epoch": 3' in (run / "record.json").read_text() for run in runs)
    except OSError:
        # It, or its record, is not there yet or not any more.
        return False


def test_two_at_once_give_what_one_after_the_other_gives(tiny: Workspace) -> None:
    exps = _folder(tiny)
    process = _start(tiny, "--jobs", "2")
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    assert _once_each(tiny)
    assert "seeds" in output
    parallel = _losses(tiny)
    (exps / "journal.csv").unlink()
    one_by_one = _start(tiny)
    output, _ = one_by_one.communicate(timeout=300)
    assert one_by_one.returncode == 0, output
    assert _losses(tiny) == {key: losses * 2 for key, losses in parallel.items()}


def _losses(tiny: Workspace) -> dict[tuple[str, int], list[list[float]]]:
    found: dict[tuple[str, int], list[list[float]]] = {}
    for file in sorted((tiny.folder / "saved").glob("*/record.json")):
        record = json.loads(file.read_text())
        losses = [epoch["losses"][0] for epoch in record["stages"]["0"]["epochs"]]
        found.setdefault((record["scenario"], record["settings"]["seed"]), []).append(losses)
    return found


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="looks for processes in /proc")
def test_a_killed_experiment_goes_on_in_another_process(tiny: Workspace) -> None:
    _folder(tiny, **SLOW)
    process = _start(tiny, "--jobs", "2")
    victims = _until(lambda: _holders(tiny.folder / "saved"))
    assert isinstance(victims, list)
    os.kill(victims[0], signal.SIGKILL)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    assert _once_each(tiny)
    resumed = [json.loads(file.read_text())["resumed"] for file in (tiny.folder / "saved").glob("*/record.json")]
    assert sum(map(bool, resumed)) == 1


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="looks for processes in /proc")
def test_a_killed_worker_of_three_costs_no_experiment_and_makes_none_twice(tiny: Workspace) -> None:
    _folder(tiny, **SLOW)
    with cluster(3) as workers:
        process = _start(tiny, "--scheduler", workers.address)
        busy = _until(lambda: [one for one in workers.workers if any(_busy(pid) for pid in _children(one.pid))])
        assert isinstance(busy, list)
        busy[0].send_signal(signal.SIGKILL)
        output, _ = process.communicate(timeout=400)
    assert process.returncode == 0, output
    assert _once_each(tiny)
    # Records, models and logs have come back although no disk was shared.
    runs = list((tiny.folder / "saved").iterdir())
    assert len(runs) == 6
    assert all((run / "model.pth").is_file() and (run / "per_user_0.parquet").is_file() for run in runs)


def _busy(pid: int) -> bool:
    try:
        return any("resume/lock" in os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False


def test_a_worker_with_another_version_is_left_out_and_named(tiny: Workspace, tmp_path: Path) -> None:
    _folder(tiny)
    other = tmp_path / "other"
    ignored = shutil.ignore_patterns("__pycache__")
    for part in ("models", "utils"):
        shutil.copytree(ROOT / part, other / part, ignore=ignored)
    shutil.copy(ROOT / "run_exps.py", other)
    (other / "utils" / "paths.py").write_text((other / "utils" / "paths.py").read_text() + "\n# changed\n")
    with cluster(1, other / "run_exps.py") as workers:
        process = _start(tiny, "--scheduler", workers.address)
        output, _ = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "is left out: RecBridge's code" in output
    assert "no worker has the same version as this machine; nothing was run" in output
    assert not (tiny.folder / "saved").exists()


def test_a_scheduler_that_is_not_there_is_said_at_once(tiny: Workspace) -> None:
    _folder(tiny)
    process = _start(tiny, "--scheduler", "tcp://127.0.0.1:1")
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "no scheduler answers at tcp://127.0.0.1:1" in output
    assert not (tiny.folder / "saved").exists()


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="looks for processes in /proc")
def test_a_folder_that_was_killed_as_a_whole_goes_on_with_resume(tiny: Workspace) -> None:
    _folder(tiny, **SLOW)
    process = _start(tiny, "--jobs", "2")
    _until(lambda: _holders(tiny.folder / "saved"))
    process.kill()
    process.communicate()
    # Its experiments end with it, and leave what they had come to.
    _until(lambda: not _holders(tiny.folder / "saved"), 30)
    resumed = _start(tiny, "--jobs", "2", "--resume")
    output, _ = resumed.communicate(timeout=300)
    assert resumed.returncode == 0, output
    assert _once_each(tiny)
    assert any(json.loads(file.read_text())["resumed"] for file in (tiny.folder / "saved").glob("*/record.json"))


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="looks for processes in /proc")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_cancelled_folder_leaves_a_record_of_each_run_that_was_begun(tiny: Workspace, how: signal.Signals) -> None:
    _folder(tiny, **SLOW)
    process = _start(tiny, "--jobs", "2")
    _until(lambda: _holders(tiny.folder / "saved"))
    process.send_signal(how)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 1, output
    rows = tiny.journal("exps/journal.csv")
    records = [json.loads(file.read_text()) for file in (tiny.folder / "saved").glob("*/record.json")]
    assert sorted(row["run_id"] for row in rows) == sorted(record["run_id"] for record in records)
    assert 1 <= len(rows) < 6
    assert {row["status"] for row in rows} <= {"cancelled", "done"}
    assert "cancelled" in output


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="looks for processes in /proc")
def test_a_scheduler_that_dies_is_one_line(tiny: Workspace) -> None:
    _folder(tiny, epochs=100_000, stopping_step=100_000)
    with cluster(1) as workers:
        process = _start(tiny, "--scheduler", workers.address)
        _until(lambda: any(_busy(pid) for worker in workers.workers for pid in _children(worker.pid)))
        workers.scheduler.kill()
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "the scheduler is gone; go on with --resume when it is back" in output
    assert "Traceback" not in output
