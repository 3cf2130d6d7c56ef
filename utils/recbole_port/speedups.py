"""Places where RecBole is slow, with replacements that give the same bits: same outputs, same random draws.

Each is a `Speedup` that patches RecBole; `apply_speedups()` applies them all. What changes a number, if only by
rounding, is no speed-up: it has a place in a class of ours.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

import torch

from utils.recbole_port import adjacency, histories, loaders, reader, sampling


@dataclass(frozen=True)
class Speedup:
    """One slow thing of RecBole 1.2.1: `what` says where it is felt, `apply` replaces it."""

    name: str
    what: str
    apply: Callable[[], None]


_applied: set[str] = set()


def apply_speedups(skip: Collection[str] = ()) -> None:
    """Apply every speed-up that is not in `skip` and not there yet; calling it again changes nothing.

    Raises ValueError where `skip` names none.
    """
    unknown = sorted(set(skip) - {speedup.name for speedup in SPEEDUPS})
    if unknown:
        raise ValueError(f"no such speed-up: {', '.join(unknown)}")
    for speedup in SPEEDUPS:
        if speedup.name not in _applied and speedup.name not in skip:
            speedup.apply()
            _applied.add(speedup.name)


def _no_anomaly_detection() -> None:
    # Importing it is what turns the detection on, so that comes first.
    from recbole.model.sequential_recommender import sine  # noqa: F401

    torch.autograd.set_detect_anomaly(False)


SPEEDUPS: tuple[Speedup, ...] = (
    Speedup(
        "anomaly_detection",
        "all models: sine.py leaves torch looking for NaN in every operation of every backward pass",
        _no_anomaly_detection,
    ),
    Speedup("reader", "all models: atomic files are read by pandas' Python engine", reader.use_c_engine),
    Speedup("sampling", "all models with negatives: a Python loop over the samples", sampling.vectorise),
    Speedup("sampled_evaluation", "uniN and popN: a Python loop over users with copies", loaders.vectorise),
    Speedup("histories", "sequential models: a Python loop over rows and fields of the prefixes", histories.vectorise),
    Speedup(
        "adjacency", "graph models: the adjacency matrix goes through a dict of pairs", adjacency.build_from_arrays
    ),
)
