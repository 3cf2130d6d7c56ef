"""A scheduler and workers as processes of their own on loopback, for tests that kill them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[3]
_MAIN = ROOT / "run_exps.py"


@dataclass
class Cluster:
    """The scheduler's address, its process and those of the workers."""

    address: str
    scheduler: subprocess.Popen[bytes]
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)


@contextmanager
def cluster(n_workers: int, main: Path = _MAIN, environment: dict[str, str] | None = None) -> Iterator[Cluster]:
    """Each worker stands in a folder of its own below the system's temporary one and shares none with the test."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    scheduler = subprocess.Popen(
        [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(port),
         "--no-dashboard", "--no-show"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    started = Cluster(f"tcp://127.0.0.1:{port}", scheduler)
    try:
        _wait_for(port)
        for _ in range(n_workers):
            started.workers.append(
                subprocess.Popen(
                    [sys.executable, str(main), "--one-worker", started.address],
                    env={**os.environ, **(environment or {})},
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
            )
        yield started
    finally:
        for process in [*started.workers, scheduler]:
            process.terminate()
        for process in [*started.workers, scheduler]:
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait_for(port: int) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise TimeoutError("the scheduler did not come up")
