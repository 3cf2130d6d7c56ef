"""What work costs in seconds and in memory, by the count of Linux, in a process that has done nothing else."""

from __future__ import annotations

import multiprocessing
import re
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

T = TypeVar("T")

_PROCESS = Path("/proc/self")


@dataclass(frozen=True)
class Cost(Generic[T]):
    """What came of some work, how many seconds it took, and by how many bytes at most the process grew meanwhile."""

    result: T
    seconds: float
    bytes: int


def cost(work: Callable[[], T]) -> Cost[T]:
    """Do it once. What it leaves behind counts, what was there before does not."""
    # Linux counts the peak anew from here on.
    (_PROCESS / "clear_refs").write_text("5")
    before, started = resident_bytes(), time.perf_counter()
    result = work()
    return Cost(result, time.perf_counter() - started, peak_bytes() - before)


def resident_bytes() -> int:
    """What the process holds now."""
    return _status("VmRSS")


def peak_bytes() -> int:
    """The most that the process held at once, since it began or since `cost` was called last."""
    return _status("VmHWM")


def in_own_process(work: Callable[..., T], *arguments: Any) -> T:
    """Call a module's function in a process that begins empty and ends afterwards."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def _status(name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB$", (_PROCESS / "status").read_text(), re.MULTILINE)
    assert found, f"this Linux does not tell {name}"
    return 1024 * int(found[1])
