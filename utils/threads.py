"""How many CPU threads a run takes when its scenario does not say."""

from __future__ import annotations

import math
import os
from pathlib import Path

_QUOTA = Path("/sys/fs/cgroup/cpu.max")
# The matrices of recommenders are small: more threads than this wait for each other.
_MOST = 8
# Set where several experiments share the machine.
_limit: int | None = None


def limit(most: int) -> None:
    """From here on no run of this process takes more threads than this, whatever its scenario says."""
    global _limit
    _limit = most


def within_limit(wanted: int) -> int:
    """That many threads, or as many as there may be."""
    return wanted if _limit is None else min(wanted, _limit)


def available_cores() -> int:
    """The cores that this process may use: its affinity, and the quota of its container."""
    # Only Linux knows an affinity.
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = _QUOTA.read_text("ascii").split()[:2]
    except (OSError, ValueError):
        return cores
    return cores if quota == "max" else max(min(cores, math.ceil(int(quota) / int(period))), 1)


def default_threads() -> int:
    """What OMP_NUM_THREADS says, else half of the cores, from 1 to 8.

    The other half is the second thread of a physical core or belongs to somebody else: threads of OpenMP wait for
    the slowest, and two of them on a shared machine of two cores were up to 20 times slower than one.
    """
    said = os.environ.get("OMP_NUM_THREADS", "")
    return int(said) if said.isdecimal() and int(said) else min(max(available_cores() // 2, 1), _MOST)
