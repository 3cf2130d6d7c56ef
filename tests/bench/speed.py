"""RecBridge against RecBole 1.2.1 in the same run: `python -m tests.bench.speed [--json FILE] [--only NAME]`.

Both sides run in turn, each in a fresh process on one thread; figures are CPU seconds of the process, medians of the
repeats. `share of peak` is how near our side comes to what this core reaches in a large matrix product, measured
in the same run. `sasrec_to_best` trains both to the end over three seeds, which takes hours, and runs only if named.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from tests.bench.tasks import TASKS

_SEEDS = (2020, 2021, 2022)
_SIDE = 2048


@dataclass(frozen=True)
class Goal:
    """What a task is called, how often both sides run, and how many times less ours is to take."""

    title: str
    repeats: int
    times_less: float
    peak_mib: float | None = None


GOALS = {
    "sasrec_epoch": Goal("SASRec epoch, M=50, D=64", 1, 40),
    "neumf_ranking": Goal("NeuMF full-ranking test", 3, 12),
    "neumf_wide_ranking": Goal("NeuMF full-ranking test, 512 and 256,128,64", 3, 12),
    "neumf_epoch": Goal("NeuMF training epoch", 3, 2),
    "lightgcn_epoch": Goal("LightGCN epoch", 3, 5),
    "adjacency": Goal("normalised adjacency, 1M interactions", 3, 20, peak_mib=150),
    "neumf_uni100": Goal("NeuMF uni100 evaluation", 3, 5),
    "folder_of_eight": Goal("folder of 8 experiments", 1, 2),
    "sasrec_to_best": Goal("SASRec, to RecBole's best valid NDCG@10", 1, 30),
}


def peak_flops() -> float:
    """Floating-point operations per second of one thread in a float32 product of two large square matrices."""
    torch.set_num_threads(1)
    left, right = torch.randn(_SIDE, _SIDE), torch.randn(_SIDE, _SIDE)
    left @ right
    started = time.process_time()
    for _ in range(3):
        left @ right
    return 3 * 2 * _SIDE**3 / (time.process_time() - started)


def run(side: str, name: str, seed: int) -> dict[str, Any]:
    """The figures of one side of a task, from a fresh process."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tests.bench.tasks", side, name, str(seed)]
    ended = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True)
    return dict(json.loads(ended.stdout.splitlines()[-1]))


def row(name: str, peak: float) -> dict[str, Any]:
    """Both sides in turn, as one row of the table."""
    goal = GOALS[name]
    found: dict[str, list[dict[str, Any]]] = {"stock": [], "ours": []}
    seeds = _SEEDS if name == "sasrec_to_best" else (_SEEDS[0],) * goal.repeats
    for seed in seeds:
        for side, runs in found.items():
            runs.append(run(side, name, seed))
    if name == "sasrec_to_best":
        return _to_best(found, goal)
    stock, ours = (statistics.median(one["cpu_s"] for one in runs) for runs in found.values())
    flops = found["ours"][0].get("flops")
    peaks = {side: max(one["peak_mib"] for one in runs) for side, runs in found.items() if "peak_mib" in runs[0]}
    return {
        "name": name, "title": goal.title, "stock": stock, "ours": ours, "ratio": stock / ours, "goal": goal.times_less,
        "share_of_peak": flops / ours / peak if flops else None,
        "stock_peak_mib": peaks.get("stock"), "ours_peak_mib": peaks.get("ours"), "goal_peak_mib": goal.peak_mib,
        "metrics": {side: runs[0].get("metrics") for side, runs in found.items()},
    }  # fmt: skip


def _to_best(found: dict[str, list[dict[str, Any]]], goal: Goal) -> dict[str, Any]:
    """Time of each seed until RecBole's best valid score is reached; None where ours never reaches it."""
    reached: dict[str, list[float | None]] = {"stock": [], "ours": []}
    for stock, ours in zip(found["stock"], found["ours"], strict=True):
        for side, one in (("stock", stock), ("ours", ours)):
            times = [seconds for score, seconds in one["curve"] if score >= stock["best_valid"]]
            reached[side].append(times[0] if times else None)
    times_of = {side: [seconds for seconds in times if seconds] for side, times in reached.items()}
    whole = len(times_of["ours"]) == len(reached["ours"])
    stock = statistics.median(times_of["stock"])
    ours = statistics.median(times_of["ours"]) if whole else None
    return {
        "name": "sasrec_to_best", "title": goal.title, "stock": stock, "ours": ours,
        "ratio": stock / ours if ours else None, "goal": goal.times_less, "share_of_peak": None, "seconds": reached,
        "best_valid": {side: [one["best_valid"] for one in runs] for side, runs in found.items()},
        "metrics": {side: [one["metrics"] for one in runs] for side, runs in found.items()},
    }  # fmt: skip


def line(found: dict[str, Any]) -> str:
    """A row of the Markdown table."""

    def seconds(value: float | None) -> str:
        return "-" if value is None else f"{value:.3g} s"

    mib = [
        f", {found[f'{side}_peak_mib']:.0f} MiB" if found.get(f"{side}_peak_mib") else "" for side in ("stock", "ours")
    ]
    ratio = "-" if found["ratio"] is None else f"{found['ratio']:.1f}x"
    share = "-" if found["share_of_peak"] is None else f"{found['share_of_peak']:.0%}"
    goal = f"{found['goal']:g}x" + (f", {found['goal_peak_mib']:.0f} MiB" if found.get("goal_peak_mib") else "")
    stock, ours = seconds(found["stock"]) + mib[0], seconds(found["ours"]) + mib[1]
    return f"| {found['title']} | {stock} | {ours} | {ratio} | {goal} | {share} |"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table as it comes, and write the rows as JSON."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.speed", description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--only", action="append", choices=list(TASKS), metavar="NAME", help=", ".join(TASKS))
    options = parser.parse_args(arguments)
    names = options.only or [name for name in GOALS if name != "sasrec_to_best"]
    peak = peak_flops()
    print(f"one core: {peak / 1e9:.0f} GFLOP/s in float32\n")
    print("| work on ml-100k | RecBole 1.2.1 | RecBridge | less by | goal | share of peak |\n|---|---|---|---|---|---|")
    rows = []
    for name in names:
        rows.append(row(name, peak))
        print(line(rows[-1]), flush=True)
        if options.json:
            options.json.write_text(json.dumps({"peak_flops": peak, "rows": rows}, indent=1) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
