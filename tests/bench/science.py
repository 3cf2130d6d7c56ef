"""How many experiments at once, their overhead, and a large report: `python -m tests.bench.science [--only NAME]`."""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import yaml

ROOT = Path(__file__).parents[2]
N_QUICK, N_RECORDS, REPEATS = 8, 2_000, 2
QUICK = {
    "model": "NeuMF",
    "dataset": "ml-100k",
    "threads": 1,
    "epochs": 12,
    "eval_args": {"split": {"LS": "valid_and_test"}, "order": "TO", "mode": "full"},
    "metrics": ["NDCG"],
    "topk": [10],
    "valid_metric": "NDCG@10",
    "mlp_hidden_size": [64, 32],
    "scenario": ["init_model", "init_trainer", "train", "test_eval"],
}


def jobs() -> None:
    """Eight quick experiments, two at once against one after the other, in turn."""
    with tempfile.TemporaryDirectory() as folder:
        exps = Path(folder) / "exps"
        exps.mkdir()
        (exps / "quick.yaml").write_text(yaml.safe_dump({**QUICK, "seeds": list(range(N_QUICK))}))
        took: dict[str, list[float]] = {"1": [], "2": []}
        for _ in range(REPEATS):
            for n_jobs, seconds in took.items():
                started = time.perf_counter()
                subprocess.run(
                    [sys.executable, str(ROOT / "run_exps.py"), "exps", "--jobs", n_jobs],
                    cwd=folder,
                    env={**os.environ, "OMP_NUM_THREADS": "1"},
                    check=True,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
                seconds.append(time.perf_counter() - started)
    ratios = [one / two for one, two in zip(took["1"], took["2"], strict=True)]
    one, two = (statistics.median(took[n_jobs]) for n_jobs in ("1", "2"))
    print(f"{N_QUICK} quick experiments: {one:.1f} s one after the other, {two:.1f} s with --jobs 2")
    print(f"ratio {statistics.median(ratios):.2f} (pairs: {', '.join(f'{ratio:.2f}' for ratio in ratios)}); goal 1.7")


def overhead() -> None:
    """Seconds per experiment that does nothing, from submitting it to its result, by how many are queued."""
    from distributed import Client, LocalCluster

    from utils.cluster.chatter import quieten
    from utils.cluster.pool import Pool
    from utils.console import Console
    from utils.jobs import Job
    from utils.scenario import plan, source

    quieten()
    scenario = plan.build(source.from_text(yaml.safe_dump(QUICK), Path("quick.yaml")))
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        for count in (10, 100, 1_000, 10_000):
            pool = Pool(client, Console(), 2, 2, run=_nothing)
            started = time.perf_counter()
            for number in range(count):
                pool.submit(Job(str(number), scenario))
            for _ in range(count):
                pool.next()
            each = (time.perf_counter() - started) / count
            print(f"{count:>6,} queued experiments that do nothing: {each * 1000:.2f} ms each; goal 300 ms")
    from utils.cluster.child import run_in_child, warm_up

    warm_up()
    missing = Job("x", plan.build(source.from_text(yaml.safe_dump(QUICK), Path("quick.yaml"))))
    with tempfile.TemporaryDirectory() as folder:
        # It ends at once: there is no place for its record.
        (Path(folder) / "saved").write_text("")
        times = []
        for _ in range(6):
            started = time.perf_counter()
            run_in_child(missing, Path(folder), 1)
            times.append(time.perf_counter() - started)
    print(f"a process of its own: {times[0]:.2f} s for the first, {statistics.median(times[1:]):.3f} s for each other")


def _nothing(job: object, folder: Path, at_once: int, pool: str) -> object:
    from utils.jobs import Ended

    return Ended(job)  # type: ignore[arg-type]


def report() -> None:
    """A report of 2,000 records: 40 variants against one baseline each, 5 seeds, 50 epochs, 943 users."""
    from tests.utils.report.runs import run

    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder) / "saved"
        for number in range(N_RECORDS // 5):
            for seed in range(5):
                users = rng.choice([0.0, 0.29, 0.3, 0.33, 0.5, 1.0], 943, p=[0.9, 0.02, 0.02, 0.02, 0.02, 0.02])
                epochs = [
                    {"epoch": epoch, "losses": [1 / (epoch + 1), 0.5 / (epoch + 1)], "valid": {"ndcg@10": rng.random()}}
                    for epoch in range(50)
                ]
                loss = None if number == 0 else "rmse"
                run(saved, f"{number:03}", seed, users, loss, stage={"epochs": epochs})
        for file in saved.glob("*/"):
            if file.is_dir():
                (file / "resolved.yaml").write_text(yaml.safe_dump(QUICK) * 6)
        started = time.perf_counter()
        subprocess.run(
            [sys.executable, str(ROOT / "run_exps.py"), "--report", str(saved), "--out", folder],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            check=True,
            cwd=folder,
        )
        took, size = time.perf_counter() - started, (Path(folder) / "report.html").stat().st_size / 1e6
    print(f"report of {N_RECORDS:,} records: {took:.1f} s, {size:.1f} MB; goal 20 s, 30 MB")


BENCHES = {"jobs": jobs, "overhead": overhead, "report": report}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.science", description=__doc__)
    parser.add_argument("--only", choices=list(BENCHES))
    only = parser.parse_args(arguments).only
    for name, bench in BENCHES.items():
        if only in (None, name):
            bench()


if __name__ == "__main__":
    main()
