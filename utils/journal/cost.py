"""What a run costs: time, CPU time, memory, and energy where the machine lets itself be read."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

_RAPL = Path("/sys/class/powercap")
_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
# Writing this sets the peak of resident memory back to what is resident now.
_RESET_PEAK = "5"


class Meter:
    """Counts from its making on; `read` may be called more than once."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), _cpu_seconds()
        self._energy = _energy_counters()
        self._peak_is_ours = _reset_peak()
        _each_gpu(lambda torch, gpu: torch.cuda.reset_peak_memory_stats(gpu))

    def read(self) -> dict[str, Any]:
        """Seconds, CPU seconds, peak memory in bytes, energy in joules; None for what cannot be read here.

        peak_memory_bytes: resident memory of the process; where Linux does not set its peak back, that of the process
            since its start (`peak_since: process`).
        energy_j: of all processors of the machine, whoever used them (Intel's and AMD's RAPL counters).
        """
        gpu = _each_gpu(lambda torch, gpu: torch.cuda.max_memory_allocated(gpu))
        return {
            "seconds": round(time.perf_counter() - self._wall, 3),
            "cpu_s": round(_cpu_seconds() - self._cpu, 3),
            "peak_memory_bytes": _peak_bytes(),
            "peak_since": "run" if self._peak_is_ours else "process",
            "gpu_memory_bytes": max(gpu) if gpu else None,
            "energy_j": _spent(self._energy, _energy_counters()),
        }


def _cpu_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _reset_peak() -> bool:
    try:
        _CLEAR.write_text(_RESET_PEAK, "ascii")
    except OSError:
        return False
    return True


def _peak_bytes() -> int | None:
    try:
        found = re.search(r"^VmHWM:\s+(\d+) kB", _STATUS.read_text("ascii"), re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) * 1024 if found else None


def _each_gpu(ask: Callable[[Any, int], Any]) -> list[Any]:
    """One answer per GPU that this process uses already; looking for others would fix which ones are seen."""
    import torch

    return [ask(torch, gpu) for gpu in range(torch.cuda.device_count())] if torch.cuda.is_initialized() else []


def _energy_counters() -> dict[str, tuple[int, int]]:
    """Zone -> (microjoules so far, where the counter starts anew) of each processor package that may be read."""
    found = {}
    # intel-rapl:0 is a package, intel-rapl:0:1 a part of it.
    for zone in _RAPL.glob("intel-rapl:[0-9]*"):
        if zone.name.count(":") > 1:
            continue
        try:
            found[zone.name] = int((zone / "energy_uj").read_text()), int((zone / "max_energy_range_uj").read_text())
        except (OSError, ValueError):
            continue
    return found


def _spent(before: dict[str, tuple[int, int]], after: dict[str, tuple[int, int]]) -> float | None:
    both = before.keys() & after.keys()
    if not both:
        return None
    return sum((after[zone][0] - before[zone][0]) % after[zone][1] for zone in both) / 1e6
