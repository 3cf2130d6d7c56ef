"""Runs of `run_exps.py` that kill themselves with SIGKILL at a given moment: `python -m tests.e2e.killable JOBS.json`.

Each job is a process of its own, forked where everything is imported already; what it leaves is on disk. The exit
code of each, -9 for a killed one, is printed as a JSON list.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any


def kill_at(moment: str) -> None:
    """Let the n-th call of a function kill the process: `module:function:n`, or `...:n:after` when it returns."""
    module, path, count, *after = moment.split(":")
    owner: Any = importlib.import_module(module)
    *outer, name = path.split(".")
    for part in outer:
        owner = getattr(owner, part)
    original, left = getattr(owner, name), [int(count)]

    def counted(*args: Any, **kwargs: Any) -> Any:
        left[0] -= 1
        if left[0] == 0 and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        result = original(*args, **kwargs)
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, name, counted)


def run(job: dict[str, Any]) -> int:
    """One job in a process of its own; its exit code."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    import run_exps

    os.chdir(job["folder"])
    with Path("console.txt").open("a", encoding="utf-8") as console:
        os.dup2(console.fileno(), 1)
        if job["moment"]:
            kill_at(job["moment"])
        code = run_exps.main(job["arguments"])
        sys.stdout.flush()
        os._exit(code)


if __name__ == "__main__":
    from utils import cli, runner  # noqa: F401
    from utils.recbole_port import resume, session  # noqa: F401
    from utils.recbole_port.gaps import close_gaps

    close_gaps()
    # Seconds that every child would spend anew.
    import recbole.trainer.trainer  # noqa: F401
    import sklearn.cluster  # noqa: F401
    import torch._dynamo
    import torch.utils.tensorboard  # noqa: F401

    from models.recommenders import sasrec  # noqa: F401

    # Writing takes longer than an epoch of the tiny dataset.
    resume.SHARE = float("inf")
    codes = [run(job) for job in json.loads(Path(sys.argv[1]).read_text("utf-8"))]
    print(json.dumps(codes))
