"""`run_exps.py --worker ADDRESS`: this machine's workers for a scheduler, in the right folder and of the right size."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from utils.cluster.chatter import quieten
from utils.cluster.child import warm_up
from utils.cluster.gpus import visible_gpus
from utils.cluster.task import GPU_OF_WORKER
from utils.console import Console

_MAIN = Path(__file__).parents[2] / "run_exps.py"


def serve(address: str, jobs: int, console: Console) -> int:
    """Start `jobs` workers, each for one experiment at a time, the first ones with a GPU each; until they end."""
    _obey_signals()
    gpus = visible_gpus()
    started = []
    for number in range(jobs):
        # A worker without a GPU sees none: it is sent what wants none.
        gpu = gpus[number] if number < len(gpus) else ""
        environment = {**os.environ, "RECBRIDGE_WORKERS": str(jobs), GPU_OF_WORKER: gpu}
        started.append(subprocess.Popen([sys.executable, str(_MAIN), "--one-worker", address], env=environment))
    console.line(
        f"{jobs} worker{'s' if jobs > 1 else ''} for {address}, {min(len(gpus), jobs)} with a GPU; Ctrl-C ends them"
    )
    try:
        return max(worker.wait() for worker in started)
    except KeyboardInterrupt:
        return 0
    finally:
        for worker in started:
            worker.terminate()


def serve_one(address: str) -> int:
    """One worker in this process, until the scheduler closes it or does not come back."""
    from distributed import Worker

    _obey_signals()
    quieten()
    warm_up()
    resources = {"GPU": 1.0} if os.environ.get(GPU_OF_WORKER) else {}

    async def live(folder: str) -> None:
        # Its memory is that of the experiments, which are processes of their own.
        async with Worker(
            address, nthreads=1, resources=resources, local_directory=folder, memory_limit=0, death_timeout=60
        ) as worker:
            await worker.finished()

    with tempfile.TemporaryDirectory(prefix="recbridge-worker-") as folder:
        try:
            asyncio.run(live(folder))
        except (OSError, TimeoutError, RuntimeError, ValueError) as error:
            # Dask says why in what its own error came from.
            print(f"no scheduler answers at {address}: {error.__cause__ or error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            return 0
    return 0


def _obey_signals() -> None:
    """End by SIGTERM as by Ctrl-C, with what that tidies up; shells start what is in the background deaf to Ctrl-C."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
