"""Example data of a report: small with known numbers, or as large as a report gets."""

from __future__ import annotations

import math
from typing import Any

METRICS = ["ndcg@10", "recall@10"]
YAML = "model: {model}\ndataset: ml-100k\nepochs: 20\nscenario:\n  - {{command: train, params: None}}  # {variant}\n"
EVIL = "</script><b>x"


def gain(value: float, half: float, verdict: str, p: float = 0.01, n_seeds: int = 3) -> dict[str, Any]:
    """A gain with the interval value ± half; p-values are multiples of p, those over users half of those over seeds."""
    tests = {"t": p, "wilcoxon": 2 * p, "permutation": 3 * p}
    of_users = {name: p / 2 for name, p in tests.items()}
    return {
        "gain": value, "relative": value / 0.05, "low": value - half, "high": value + half, "n_users": 943,
        "n_seeds": n_seeds, "effect_users": value * 20, "effect_seeds": value * 300 if n_seeds > 1 else None,
        "p_users": of_users, "p_seeds": tests if n_seeds > 1 else None, "p_better_users": 0.9, "p_better_seeds": 0.8,
        "holm": 4 * p, "bh": 2 * p, "verdict": verdict,
    }  # fmt: skip


def comparison(baseline: dict[str, Any], **metrics: dict[str, Any]) -> dict[str, Any]:
    """A comparison with `baseline`; the keyword ndcg is ndcg@10."""
    named = {f"{name}@10": value for name, value in metrics.items()}
    return {
        "baseline": baseline["id"], "baseline_name": baseline["variant"], "unfair": [], "note": "", "metrics": named,
        "against_controls": [],
    }  # fmt: skip


def group(name: str, model: str, variant: str, ndcg: float | None, **changes: Any) -> dict[str, Any]:
    """A group of three seeds on ml-100k; ndcg None is a group in which no metric was measured."""
    metrics = {} if ndcg is None else {metric: {"mean": ndcg * k, "sd": 0.001} for k, metric in enumerate(METRICS, 1)}
    return {
        "id": name, "model": model, "variant": variant, "scenario": f"experiments/quick/{variant.split()[0]}.yaml",
        "dataset": "ml-100k", "seeds": [1, 2, 3], "n": 3, "ranking": "seen items left out", "metrics": metrics,
        "comparison": None, "why_not_compared": "", "slices": [], "by_slice": [], "control": False,
        "cost": {"seconds": 12.3, "cpu_s": 11.8, "energy_j": None, "memory_bytes": 512 * 2**20},
        "yaml": YAML.format(model=model, variant=variant), **changes,
    }  # fmt: skip


def run(of: dict[str, Any], seed: int, epochs: int = 20, **changes: Any) -> dict[str, Any]:
    """A run of the group `of`; the losses halve every five epochs and the metrics rise to that of the group."""
    fall = [2 ** (-epoch / 5) + 0.01 * seed for epoch in range(epochs)]
    best = (of["metrics"].get("ndcg@10") or {"mean": 0.05})["mean"]
    rise = [best * (1 - math.exp(-(epoch + seed) / 6)) for epoch in range(epochs)]
    transfer = [[loss / 3 for loss in fall]] if of["comparison"] else []
    return {
        "run_id": f"{of['model']}-Oct-02-2026_22-12-30-{of['id']}s{seed}", "group": of["id"], "model": of["model"],
        "scenario": of["scenario"], "seed": seed, "status": "done", "error": None,
        "started": f"2026-10-02T22:{12 + seed:02}:30", "cost": of["cost"],
        "curves": [{
            "stage": "0", "epochs": list(range(epochs)), "losses": [fall, *transfer],
            "valid": {"ndcg@10": rise, "recall@10": [2 * value for value in rise]},
        }],
        "environment": {
            "python": "3.11.7", "packages": {"recbole": "1.2.1", "torch": "2.13.0"}, "threads": 1,
            "git_commit": "aaab28eb4988adbccdc0e25048749dc003f563d0", "git_dirty": False, "gpus": [],
        },
        **changes,
    }  # fmt: skip


def report(groups: list[dict[str, Any]], runs: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    """The data of a page."""
    return {
        "title": "Profiles on ml-100k", "made": "2026-10-02T23:00:00", "metrics": METRICS, "primary": "ndcg@10",
        "groups": groups, "runs": runs, "problems": [], "notes": [], **changes,
    }  # fmt: skip


def example() -> dict[str, Any]:
    """Seven groups: every verdict once, a control, a missing metric, a text that would be markup, a failed run."""
    plain = group("g0", "NeuMF", "01_neumf_plain (plain)", 0.052)
    graph = group("g5", "LightGCN", "04_lightgcn_plain (plain)", 0.081)
    slices = [
        {"name": "users with 5 to 12 train items", "n_users": 240, "baseline": 0.04, "value": 0.05, "gain": 0.01,
         "low": 0.002, "high": 0.018},
        {"name": "users with 13 to 400 train items", "n_users": 703, "baseline": 0.06, "value": 0.059, "gain": -0.001,
         "low": -0.004, "high": 0.002},
    ]  # fmt: skip
    by_slice = [
        {"name": "cold_items", "label": "cold items: at most 10 interactions", "rows": 96.0,
         "metrics": {"ndcg@10": 0.03},
         "gain": {"metric": "ndcg@10", "n_users": 90, "baseline": 0.02, "value": 0.031, "gain": 0.011, "low": 0.001,
                  "high": 0.021}},
        {"name": "items_decile_1", "label": "items, decile 1 of 10", "rows": 12.0, "metrics": {"ndcg@10": 0.0123},
         "gain": None},
    ]  # fmt: skip
    better = group(
        "g1", "NeuMF", "02_neumf_profiles (rmse)", 0.0571, slices=slices, by_slice=by_slice,
        comparison=comparison(plain, ndcg=gain(0.0051, 0.002, "better", 0.001), recall=gain(-0.0123, 0.005, "worse")),
    )  # fmt: skip
    control = group(
        "g2", "NeuMF", "02_neumf_profiles (shuffled, rmse)", 0.0521, control=True,
        comparison=comparison(plain, ndcg=gain(0.0001, 0.003, "no difference shown", 0.2)),
    )  # fmt: skip
    better["comparison"]["against_controls"] = [comparison(control, ndcg=gain(0.005, 0.002, "better", 0.002))]
    unfair = group(
        "g3", "NeuMF", "03_neumf_long (cosine)", 0.0601,
        comparison={
            **comparison(plain, ndcg=gain(0.0081, 0.002, "unfair")),
            "unfair": ["epochs 8 against 20", "learning_rate 0.001 against 0.002"],
        },
    )  # fmt: skip
    single = group(
        "g4", "LightGCN", f"05_lightgcn_once {EVIL} & $x_1$", 0.0805, seeds=[1], n=1,
        comparison={
            **comparison(graph, ndcg=gain(-0.0005, 0.002, "not tested", n_seeds=1)),
            "note": "no test is possible with one seed",
        },
    )  # fmt: skip
    worse = group(
        "g6", "LightGCN", "06_lightgcn_profiles (infonce)", 0.0711,
        comparison=comparison(graph, ndcg=gain(-0.0099, 0.003, "worse", 0.0001)),
    )  # fmt: skip
    unmeasured = group(
        "g7", "SASRec", "07_sasrec_unmeasured (plain)", None, why_not_compared="no other run of SASRec",
    )  # fmt: skip
    groups = [plain, better, control, unfair, graph, single, worse, unmeasured]
    runs = [run(of, seed) for of in groups for seed in of["seeds"]]
    error = f"experiments/quick/08.yaml:5:17: {EVIL}: loss is not finite"
    runs.append(run(better, 9, epochs=4, group=None, status="failed", error=error))
    runs.append(run(worse, 8, epochs=3, group=None, status="cancelled"))
    problems = [{"where": f"saved/{EVIL}/record.json", "message": "line 3 column 1: a comma is missing"}]
    notes = ["The t test is paired; Holm and BH are over all comparisons.", f"{EVIL} is a text."]
    return report(groups, runs, problems=problems, notes=notes)


def large(n_groups: int, n_seeds: int, epochs: int = 50) -> dict[str, Any]:
    """`n_groups` variants of one plain model, `n_seeds` runs each."""
    plain = group("g0", "NeuMF", "0_plain (plain)", 0.05, seeds=list(range(n_seeds)), n=n_seeds)
    words = ["better", "no difference shown", "worse"]
    others = [
        group(
            f"g{number}", ["NeuMF", "LightGCN", "SASRec"][number % 3], f"{number}_profiles (rmse)", 0.05 + number / 1e6,
            seeds=list(range(n_seeds)), n=n_seeds, yaml=YAML.format(model="NeuMF", variant=number) * 12,
            comparison=comparison(plain, ndcg=gain((number % 41 - 20) / 2000, 0.003, words[number % 3])),
        )
        for number in range(1, n_groups)
    ]  # fmt: skip
    groups = [plain, *others]
    return report(groups, [run(of, seed, epochs) for of in groups for seed in of["seeds"]])
