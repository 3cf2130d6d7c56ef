"""Which GPUs experiments get: each worker one, and those of this machine the least used one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

_VISIBLE = "CUDA_VISIBLE_DEVICES"


@lru_cache(maxsize=1)
def visible_gpus() -> tuple[str, ...]:
    """The GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them.

    Asked in another process, since asking torch fixes which ones are seen.
    """
    if _VISIBLE in os.environ:
        return tuple(gpu.strip() for gpu in os.environ[_VISIBLE].split(",") if gpu.strip() not in ("", "-1"))
    if shutil.which("nvidia-smi") is None:
        return ()
    command = [sys.executable, "-c", "import torch; print(torch.cuda.device_count())"]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return tuple(str(number) for number in range(int(found)))


class Slots:
    """Hands out GPUs, the least used first; with more experiments than GPUs they share."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._used: dict[str, int] = {}

    @contextmanager
    def taken(self) -> Iterator[str | None]:
        """A GPU for as long as the block runs; None where there is none."""
        gpus = visible_gpus()
        if not gpus:
            yield None
            return
        with self._lock:
            gpu = min(gpus, key=lambda each: self._used.get(each, 0))
            self._used[gpu] = self._used.get(gpu, 0) + 1
        try:
            yield gpu
        finally:
            with self._lock:
                self._used[gpu] -= 1


SLOTS = Slots()
