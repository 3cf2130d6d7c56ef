"""What the speed benchmark times, each by RecBole as it stands and by RecBridge, on ml-100k and in one process.

`python -m tests.bench.tasks SIDE NAME [SEED]` runs one task for one side and prints its figures as JSON. RecBole is
made to run by the gaps alone, without any speed-up of ours.
"""

from __future__ import annotations

import copy
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import scipy.sparse as sp
import torch
import yaml
from torch.utils.flop_counter import FlopCounterMode

Side = Literal["stock", "ours"]
Figures = dict[str, Any]

LEAVE_ONE_OUT = {"split": {"LS": "valid_and_test"}, "order": "TO", "group_by": "user", "mode": "full"}
SETTINGS: dict[str, Any] = {
    "dataset": "ml-100k", "seed": 2020, "eval_args": LEAVE_ONE_OUT, "metrics": ["Recall", "MRR", "NDCG"], "topk": [10],
    "valid_metric": "NDCG@10", "show_progress": False, "use_gpu": False,
}  # fmt: skip
SASREC: dict[str, Any] = {
    "model": "SASRec", "MAX_ITEM_LIST_LENGTH": 50, "hidden_size": 64, "n_layers": 2, "n_heads": 2, "inner_size": 256,
    "hidden_dropout_prob": 0.2, "attn_dropout_prob": 0.2, "train_neg_sample_args": None, "train_batch_size": 256,
    "stopping_step": 5, "epochs": 30,
}  # fmt: skip
# What RecBridge trains SASRec with to reach RecBole's best: chosen on the valid metric.
SASREC_OURS = {**SASREC, "train_batch_size": 512, "learning_rate": 0.002, "stopping_step": 10}
WIDE_NEUMF = {"model": "NeuMF", "mlp_embedding_size": 512, "mlp_hidden_size": [256, 128, 64]}
UNI100 = {"eval_args": {**LEAVE_ONE_OUT, "mode": "uni100"}}
INTERACTIONS, USERS, ITEMS = 1_000_000, 6_040, 3_706


@dataclass
class Built:
    """A model on its data, with the trainer of that side."""

    trainer: Any
    train: Any
    valid: Any
    test: Any


def build(side: Side, folder: Path, settings: dict[str, Any]) -> Built:
    """RecBole's sequence of config, data, model and trainer, or ours."""
    from utils.recbole_port import session
    from utils.recbole_port.gaps import close_gaps
    from utils.recbole_port.training import build_trainer

    given = copy.deepcopy({**SETTINGS, **settings, "data_path": str(folder / "datasets")})
    if side == "ours":
        session.ship_dataset(given)
        config = session.build_config(given, folder)
        data = session.load_data(config, None, False)
        model = session.build_model(config, data)
        trainer = build_trainer(config, model, folder / "model.pth", folder / "tensorboard")
        return Built(trainer, data.full_train, data.valid, data.test)
    close_gaps()
    from recbole.config import Config
    from recbole.data import create_dataset, data_preparation
    from recbole.utils import get_model, get_trainer, init_seed

    given["checkpoint_dir"] = str(folder)
    config = Config(model=given.pop("model"), dataset=given.pop("dataset"), config_dict=given)
    init_seed(config["seed"], config["reproducibility"])
    train, valid, test = data_preparation(config, create_dataset(config))
    init_seed(config["seed"], config["reproducibility"])
    model = get_model(config["model"])(config, train._dataset).to(config["device"])
    return Built(get_trainer(config["MODEL_TYPE"], config["model"])(config, model), train, valid, test)


def timed(work: Callable[[], Any], rounds: int = 1) -> Figures:
    """CPU seconds of this process for one round of `work`, and the floating-point operations of its matrix products."""
    started = time.process_time()
    for _ in range(rounds):
        found = work()
    seconds = (time.process_time() - started) / rounds
    metrics = {name: float(value) for name, value in found.items()} if hasattr(found, "items") else {}
    return {"cpu_s": seconds, "metrics": metrics}


def _counted(work: Callable[[], Any], figures: Figures) -> Figures:
    with FlopCounterMode(display=False) as counter:
        work()
    return {**figures, "flops": float(counter.get_total_flops())}


def epoch(side: Side, folder: Path, seed: int, **settings: Any) -> Figures:
    """One training epoch after one that is not counted (SASRec's of RecBole is counted at once: it takes minutes)."""
    built = build(side, folder, {**settings, "seed": seed})
    run = lambda: built.trainer._train_epoch(built.train, 0)  # noqa: E731
    slow = side == "stock" and settings["model"] == "SASRec"
    if not slow:
        run()
    figures = timed(run, rounds=1 if slow else 3)
    return _counted(run, figures) if side == "ours" else figures


def evaluation(side: Side, folder: Path, seed: int, **settings: Any) -> Figures:
    """The test metrics of a fresh model, measured once before."""
    built = build(side, folder, {**settings, "seed": seed})
    built.trainer.eval_collector.data_collect(built.train)
    run = lambda: built.trainer.evaluate(built.test, load_best_model=False)  # noqa: E731
    run()
    figures = timed(run, rounds=1 if side == "stock" else 3)
    return _counted(run, figures) if side == "ours" else figures


def to_best(side: Side, folder: Path, seed: int, **settings: Any) -> Figures:
    """A whole training: (valid score, CPU seconds so far) after each epoch, and the test metrics of the best."""
    if side == "ours":
        settings = {**SASREC_OURS, **settings}
    built = build(side, folder, {**SASREC, **settings, "seed": seed})
    started, curve = time.process_time(), []

    def note(_: int, score: float) -> None:
        curve.append((float(score), time.process_time() - started))
        print(curve[-1], file=sys.stderr, flush=True)

    best, _ = built.trainer.fit(built.train, built.valid, saved=True, show_progress=False, callback_fn=note)
    tested = built.trainer.evaluate(built.test, load_best_model=True)
    metrics = {name: float(value) for name, value in tested.items()}
    return {"cpu_s": time.process_time() - started, "best_valid": float(best), "curve": curve, "metrics": metrics}


def adjacency(side: Side, folder: Path, seed: int) -> Figures:
    """LightGCN's normalised adjacency of a million interactions: time, and how much the process grows at most."""
    from utils.recbole_port.gaps import close_gaps
    from utils.recbole_port.speedups import apply_speedups

    close_gaps()
    if side == "ours":
        apply_speedups()
    from recbole.model.general_recommender.lightgcn import LightGCN

    random = np.random.default_rng(seed)
    # A few more than wanted, since some are drawn twice.
    pairs = random.permutation(np.unique(random.integers(USERS * ITEMS, size=INTERACTIONS * 21 // 20)))[:INTERACTIONS]
    matrix = sp.coo_matrix((np.ones(INTERACTIONS, np.float32), (pairs // ITEMS, pairs % ITEMS)), (USERS, ITEMS))
    model = LightGCN.__new__(LightGCN)
    torch.nn.Module.__init__(model)
    model.n_users, model.n_items, model.interaction_matrix = USERS, ITEMS, matrix
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    figures = timed(model.get_norm_adj_mat)
    return {**figures, "peak_mib": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024}


def folder_of_eight(side: Side, folder: Path, seed: int) -> Figures:
    """Eight trainings of BPR with other learning rates: a process each, or one run of a folder."""
    rates = [0.0005 * step for step in range(1, 9)]
    started = resource.getrusage(resource.RUSAGE_CHILDREN)
    if side == "stock":
        for rate in rates:
            subprocess.run([sys.executable, "-m", "tests.bench.tasks", "stock", "_one", str(rate)], check=True)
    else:
        scenarios = folder / "scenarios"
        scenarios.mkdir()
        steps = ["init_model", "init_trainer", "train", "test_eval"]
        for rate in rates:
            settings = {
                **SETTINGS,
                **ONE_OF_EIGHT,
                "seed": seed,
                "learning_rate": rate,
                "threads": 1,
                "scenario": steps,
            }
            (scenarios / f"{rate:.4f}.yaml").write_text(yaml.safe_dump(settings), "utf-8")
        command = [sys.executable, str(Path("run_exps.py").resolve()), "scenarios"]
        subprocess.run(command, check=True, cwd=folder, stdout=subprocess.DEVNULL)
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {"cpu_s": ended.ru_utime + ended.ru_stime - started.ru_utime - started.ru_stime, "metrics": {}}


ONE_OF_EIGHT = {"model": "BPR", "epochs": 3, "stopping_step": 5}


def one_of_eight(side: Side, folder: Path, rate: float) -> Figures:
    """One of the eight by RecBole."""
    built = build(side, folder, {**ONE_OF_EIGHT, "learning_rate": rate})
    built.trainer.fit(built.train, built.valid, saved=True, show_progress=False)
    return {"metrics": dict(built.trainer.evaluate(built.test, load_best_model=True))}


TASKS: dict[str, Callable[..., Figures]] = {
    "sasrec_epoch": lambda *run: epoch(*run, **SASREC),
    "sasrec_to_best": to_best,
    "neumf_ranking": lambda *run: evaluation(*run, model="NeuMF"),
    "neumf_wide_ranking": lambda *run: evaluation(*run, **WIDE_NEUMF),
    "neumf_epoch": lambda *run: epoch(*run, model="NeuMF"),
    "lightgcn_epoch": lambda *run: epoch(*run, model="LightGCN"),
    "adjacency": adjacency,
    "neumf_uni100": lambda *run: evaluation(*run, model="NeuMF", **UNI100),
    "folder_of_eight": folder_of_eight,
}


def main(arguments: list[str]) -> None:
    """Run one task for one side, in a folder of its own, on one thread."""
    side, name, *rest = arguments
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        if name == "_one":
            figures = one_of_eight("stock", Path(folder), float(rest[0]))
        else:
            figures = TASKS[name](side, Path(folder), int(rest[0]) if rest else 2020)
    print(json.dumps(figures))


if __name__ == "__main__":
    main(sys.argv[1:])
