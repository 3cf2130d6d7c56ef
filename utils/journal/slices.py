"""Test metrics by slice of users and items, as a record has them: what is said of the cold ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from utils.slice_names import COLD_ITEMS, COLD_USERS, ROWS

# Shown where there is little room: they say whether knowledge pays where interactions are few.
SHOWN = (COLD_ITEMS, COLD_USERS)

Slices = Mapping[str, Mapping[str, float]]


def label(name: str) -> str:
    """`cold items` of `cold_items`, as people read it."""
    return name.replace("_", " ")


def shown(slices: Slices, metric: str) -> str:
    """`cold items (96 rows) 0.0123, cold users (30 rows) 0.0456 ndcg@10`; empty where no cold row has the metric."""
    parts = [
        f"{label(name)} ({slices[name][ROWS]:,} rows) {slices[name][metric]:.4f}"
        for name in SHOWN
        if metric in slices.get(name, {})
    ]
    return f"{', '.join(parts)} {metric}" if parts else ""


def columns(found: Iterable[tuple[Slices, str]]) -> list[str]:
    """The slices that a table shows of these (slices, valid metric): the cold ones that any has measured."""
    everything = list(found)
    return [name for name in SHOWN if any(metric in slices.get(name, {}) for slices, metric in everything)]


def meaning(names: Sequence[str], found: Sequence[tuple[str, Mapping[str, Any], str]]) -> list[str]:
    """What the columns `names` of a table mean, below it; found: (model, bounds, valid metric) of each line."""
    kinds: dict[str, dict[str, None]] = {}
    for model, bounds, metric in found:
        cold = " and ".join(f"{label(name)} at most {bounds[name]}" for name in names if name in bounds)
        if cold:
            kinds.setdefault(f"{metric}; {cold} interactions in the train part", {})[model] = None
    if len(kinds) < 2:
        return [f"cold: {kind}" for kind in kinds]
    return [f"cold: {kind} ({', '.join(models)}); do not compare across" for kind, models in kinds.items()]
