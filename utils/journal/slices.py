"""Test metrics by slice of users and items, as a record has them: what is said of the cold ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from utils.journal.outcome import Outcome
from utils.slice_names import COLD_ITEMS, COLD_USERS, ROWS

# Shown where there is little room: they say whether knowledge pays where interactions are few.
SHOWN = (COLD_ITEMS, COLD_USERS)


def label(name: str) -> str:
    """`cold items` of `cold_items`, as people read it."""
    return name.replace("_", " ")


def shown(slices: Mapping[str, Mapping[str, float]], metric: str) -> str:
    """`cold items (96 rows) 0.0123, cold users (30 rows) 0.0456 ndcg@10`; empty where no cold row has the metric."""
    parts = [
        f"{label(name)} ({slices[name][ROWS]:,} rows) {slices[name][metric]:.4f}"
        for name in SHOWN
        if metric in slices.get(name, {})
    ]
    return f"{', '.join(parts)} {metric}" if parts else ""


def value(outcome: Outcome | None, name: str) -> float | None:
    """The valid metric in a slice; None where it has no row or was not measured."""
    return None if outcome is None else outcome.slices.get(name, {}).get(outcome.valid_metric)


def columns(outcomes: Iterable[Outcome]) -> list[str]:
    """The slices that a table of these has columns for: the cold ones that any has measured."""
    everything = list(outcomes)
    return [name for name in SHOWN if any(value(outcome, name) is not None for outcome in everything)]


def meaning(names: Sequence[str], found: Iterable[tuple[str, Outcome]]) -> list[str]:
    """What is said below a table with these columns, from (model, outcome) of its lines: the metric, who is cold."""
    models: dict[str, dict[str, None]] = {}
    for model, outcome in found:
        if any(value(outcome, name) is not None for name in names):
            bounds = (f"{name.removeprefix('cold_')} with at most {outcome.slice_bounds[name]}" for name in names)
            kind = f"{outcome.valid_metric} of {' and '.join(bounds)} interactions in the train part"
            models.setdefault(kind, {})[model] = None
    if len(models) < 2:
        return [f"cold: {kind}" for kind in models]
    return [f"cold: {kind} ({', '.join(of)}); do not compare across" for kind, of in models.items()]
