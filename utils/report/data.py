"""What the report shows, as plain numbers and texts: for the page, the CSV and the picture alike."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from utils.journal.earlier_runs import RESOLVED
from utils.journal.outcome import model_of
from utils.report.baselines import compare_all
from utils.report.comparison import Comparison, Gain
from utils.report.gather import Found
from utils.report.significance import effect_size
from utils.report.slices import PartGain, part, part_gains
from utils.report.variants import Run, Variant, variants_of
from utils.slice_names import COLD_ITEMS, COLD_USERS, DECILES, NAMES, WARM_ITEMS, WARM_USERS

Json = dict[str, Any]

_COSTS = {"seconds": "seconds", "cpu_s": "cpu_s", "energy_j": "energy_j", "memory_bytes": "peak_memory_bytes"}
NOTES = (
    "Gains are paired: the same users and the same seeds on both sides. A gain is positive where the variant is "
    "better, also in metrics of which less is better.",
    "The interval is a bootstrap percentile interval (95%) of the mean gain; users and seeds are drawn again "
    "independently. With one seed only users are drawn, and it says nothing about other trainings. With few seeds it "
    "is too narrow: five seeds show about nine tenths of their spread.",
    "p over seeds compares the seeds' means, p over users the users' means over all seeds; paired t-test, Wilcoxon's "
    "signed ranks and a sign-flip permutation test, all two-sided.",
    "The verdict takes the larger of the two t-tests' p, so that a gain has to hold for other seeds and for other "
    "users, corrected by Holm for all fair comparisons of this report in the same metric; better or worse from .05. "
    "Benjamini-Hochberg's correction stands beside it.",
    "Effect sizes are Cohen's d of the paired differences (d_z).",
    "In a slice of items only its items are relevant and the ranking stays as it is; rows that have none of them are "
    "left out. Deciles are tenths of all items by their interactions in the train part. Gains in slices have an "
    "interval and no verdict: they are not corrected for how many slices there are.",
    "Unfair comparisons (other epochs, tuning trials, data or settings on the two sides) are shown and not tested.",
)


def report_data(found: Found, baseline: str | None = None, title: str = "RecBridge report") -> Json:
    """Everything; NoSuchBaseline where `baseline` is not among the runs."""
    variants = variants_of(run for run in found.runs if not (run.record.search or {}).get("study"))
    comparisons, reasons = compare_all(variants, baseline)
    metrics = list(dict.fromkeys(name for variant in variants for found in variant.outcomes for name in found.metrics))
    ids = {variant.key: f"v{number}" for number, variant in enumerate(variants)}
    of_run = {id(run): ids[variant.key] for variant in variants for run in variant.runs}
    valid = [variant.valid_metric for variant in variants if variant.valid_metric in metrics]
    return {
        "title": title,
        "made": datetime.datetime.now().isoformat(timespec="seconds"),
        "metrics": metrics,
        "primary": max(valid, key=valid.count) if valid else (metrics[0] if metrics else ""),
        "groups": [
            _group(variant, ids, comparisons.get(variant.key), reasons.get(variant.key, "")) for variant in variants
        ],
        "runs": [_run(run, of_run.get(id(run))) for run in found.runs],
        "problems": [{"where": where, "message": message} for where, message in found.problems],
        "notes": list(NOTES),
    }


def _group(variant: Variant, ids: Mapping[str, str], comparison: Comparison | None, reason: str) -> Json:
    metrics = {}
    for name in dict.fromkeys(name for outcome in variant.outcomes for name in outcome.metrics):
        mean, deviation = variant.mean_and_deviation(name) or (None, None)
        metrics[name] = {"mean": mean, "sd": deviation}
    return {
        "id": ids[variant.key],
        "model": variant.model,
        "variant": variant.name,
        "scenario": variant.record.scenario,
        "dataset": str(variant.record.settings.get("dataset")),
        "seeds": [seed for seed in variant.by_seed if seed is not None],
        "n": len(variant.tested),
        "ranking": variant.ranking,
        "metrics": metrics,
        "comparison": _comparison(comparison, ids) if comparison else None,
        "why_not_compared": reason,
        "slices": [_slice(each) for each in comparison.slices] if comparison else [],
        "by_slice": _by_slice(variant, comparison, list(metrics)),
        "control": variant.control,
        "cost": _mean_cost(variant.tested),
        "yaml": _resolved(variant),
    }


def _comparison(comparison: Comparison, ids: Mapping[str, str]) -> Json:
    return {
        "baseline": ids[comparison.baseline.key],
        "baseline_name": comparison.baseline.name,
        "unfair": comparison.unfair,
        "note": "; ".join(comparison.notes),
        "metrics": {metric: _gain(gain, comparison.verdict(metric)) for metric, gain in comparison.gains.items()},
        "against_controls": [_comparison(each, ids) for each in comparison.against_controls],
    }


def _gain(gain: Gain, verdict: str) -> Json:
    low, high = gain.interval or (None, None)
    users = None if gain.by_user is None else gain.by_user.mean(axis=0)
    tests = {
        side: None if p is None else {"t": p.t, "wilcoxon": p.wilcoxon, "permutation": p.permutation}
        for side, p in (("p_users", gain.p_users), ("p_seeds", gain.p_seeds))
    }
    return {
        "gain": gain.gain,
        "relative": gain.relative,
        "low": low,
        "high": high,
        "n_users": 0 if users is None else len(users),
        "n_seeds": len(gain.by_seed),
        "effect_users": None if users is None else effect_size(users),
        "effect_seeds": effect_size(gain.by_seed),
        **tests,
        "p_better_users": gain.p_users.better if gain.p_users else None,
        "p_better_seeds": gain.p_seeds.better if gain.p_seeds else None,
        "users_lost": gain.users_lost,
        "p": gain.p,
        "holm": gain.holm,
        "bh": gain.bh,
        "verdict": verdict,
    }


def _slice(found: Any) -> Json:
    low, high = found.interval or (None, None)
    span = f"{found.least}" if found.least == found.most else f"{found.least} to {found.most}"
    return {
        "name": f"users with {span} train items",
        "n_users": found.n_users,
        "baseline": found.baseline,
        "value": found.value,
        "gain": found.gain,
        "low": low,
        "high": high,
    }


def _by_slice(variant: Variant, comparison: Comparison | None, metrics: Sequence[str]) -> list[Json]:
    """Every slice that has rows: its metrics, and the gain in the valid metric where that is known by user."""
    gains = part_gains(comparison, variant.valid_metric) if comparison and variant.outcomes else {}
    found = []
    for name in NAMES:
        parts = {metric: each for metric in metrics if (each := part(variant, name, metric))}
        if parts:
            found.append(
                {
                    "name": name,
                    "label": _label(name, variant.outcomes[-1].slice_bounds),
                    "rows": next(iter(parts.values())).rows,
                    "metrics": {metric: each.mean for metric, each in parts.items()},
                    "gain": _part_gain(gains[name], variant.valid_metric) if name in gains else None,
                }
            )
    return found


def _part_gain(found: PartGain, metric: str) -> Json:
    low, high = found.interval or (None, None)
    return {
        "metric": metric,
        "n_users": found.n_users,
        "baseline": found.baseline,
        "value": found.value,
        "gain": found.gain,
        "low": low,
        "high": high,
    }


def _label(name: str, bounds: Mapping[str, int]) -> str:
    """`cold items: at most 10 interactions`, or `items, decile 1 of 10`."""
    if name in DECILES:
        return f"items, decile {DECILES.index(name) + 1} of {len(DECILES)}"
    side = COLD_ITEMS if name in (COLD_ITEMS, WARM_ITEMS) else COLD_USERS
    span = "more than" if name in (WARM_ITEMS, WARM_USERS) else "at most"
    return f"{name.replace('_', ' ')}: {span} {bounds[side]} interactions"


def _mean_cost(runs: Sequence[Run]) -> Json:
    costs = [_cost(run) for run in runs]
    means = {}
    for name in _COSTS:
        known = [cost[name] for cost in costs if cost[name] is not None]
        means[name] = float(np.mean(known)) if known else None
    return means


def _cost(run: Run) -> Json:
    """What all processes of a run have taken together, and the peak of the last."""
    record = run.record
    own = {name: record.cost.get(key) for name, key in _COSTS.items()}
    own["seconds"] = record.seconds if own["seconds"] is None else own["seconds"]
    for entry in record.resumed:
        before = {"seconds": entry.get("seconds_before"), **(entry.get("cost_before") or {})}
        for name in ("seconds", "cpu_s", "energy_j"):
            if own[name] is not None and before.get(name) is not None:
                own[name] += before[name]
    return own


def _resolved(variant: Variant) -> str:
    path = (variant.tested or variant.runs)[-1].folder / RESOLVED
    try:
        return path.read_text("utf-8")
    except OSError:
        return f"{path} is not there any more"


def _run(run: Run, group: str | None) -> Json:
    record = run.record
    environment = {
        name: record.environment.get(name)
        for name in (
            "python",
            "packages",
            "git_commit",
            "git_dirty",
            "machine",
            "system",
            "cpu_count",
            "threads",
            "gpus",
        )
    }
    return {
        "run_id": record.run_id,
        "group": group,
        "model": model_of(record, run.outcome),
        "scenario": record.scenario,
        "seed": run.seed,
        "status": record.status,
        "error": _error(record.error),
        "started": record.started,
        "cost": _cost(run),
        "curves": [_curve(name, stage) for name, stage in record.stages.items() if stage.get("epochs")],
        "environment": {**environment, "dataset": record.dataset.get("fingerprint")},
        "trial": record.search,
    }


def _error(error: Mapping[str, Any] | None) -> str | None:
    if error is None:
        return None
    place = f"{error['file']}:{error['line']}:{error['column']}: " if error.get("line") else ""
    return f"{place}{error.get('message')}"


def _curve(name: str, stage: Mapping[str, Any]) -> Json:
    epochs = stage["epochs"]
    parts = max(len(epoch["losses"]) for epoch in epochs)
    metrics = dict.fromkeys(metric for epoch in epochs for metric in epoch["valid"])
    return {
        "stage": name,
        "epochs": [epoch["epoch"] for epoch in epochs],
        "losses": [
            [epoch["losses"][part] if part < len(epoch["losses"]) else None for epoch in epochs]
            for part in range(parts)
        ],
        "valid": {metric: [epoch["valid"].get(metric) for epoch in epochs] for metric in metrics},
    }


def rows(data: Json) -> list[Json]:
    """One row per variant and metric, for the CSV; columns of slices only where some variant has any."""
    sliced = any(group["by_slice"] for group in data["groups"])
    found = []
    for group in data["groups"]:
        comparison = group["comparison"] or {}
        for metric, value in group["metrics"].items():
            gain = (comparison.get("metrics") or {}).get(metric, {})
            flat = {
                f"{name}_{test}": p
                for name in ("p_seeds", "p_users")
                for test, p in (gain.get(name) or dict.fromkeys(("t", "wilcoxon", "permutation"))).items()
            }
            found.append(
                {
                    "model": group["model"],
                    "variant": group["variant"],
                    "scenario": group["scenario"],
                    "dataset": group["dataset"],
                    "ranking": group["ranking"],
                    "control": group["control"],
                    "metric": metric,
                    "seeds": " ".join(map(str, group["seeds"])),
                    "n": group["n"],
                    **value,
                    "baseline": comparison.get("baseline_name"),
                    **{
                        name: gain.get(name)
                        for name in (
                            "gain", "relative", "low", "high", "n_seeds", "n_users", "effect_seeds", "effect_users",
                            "p_better_seeds", "p_better_users", "p", "holm", "bh", "verdict",
                        )
                    },
                    **flat,
                    "unfair": "; ".join(comparison.get("unfair", ())),
                    "note": comparison.get("note") or group["why_not_compared"],
                    **group["cost"],
                    **(_slice_columns(group, metric) if sliced else {}),
                }
            )  # fmt: skip
    return found


def _slice_columns(group: Json, metric: str) -> Json:
    """The metric in each slice, and how many rows that is an average of."""
    of_slice = {each["name"]: each for each in group["by_slice"]}
    columns = {}
    for name in NAMES:
        measured = of_slice.get(name, {"metrics": {}})["metrics"].get(metric)
        columns[f"slice:{name}"] = measured
        columns[f"slice:{name}:rows"] = None if measured is None else of_slice[name]["rows"]
    return columns
