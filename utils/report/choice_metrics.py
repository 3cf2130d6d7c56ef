"""Metrics of choices among few candidates of which one is right; tied scores count as any order of them would.

With scores from a language model ties are rare, with counts of interactions they are the rule: an order that favours
the first column, where the right candidate stands, would make a baseline of popularity look better than it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from utils.registry import did_you_mean
from utils.report.significance import Floats

_WITHOUT_K = ("accuracy", "mrr")
_AT_K = ("recall", "ndcg")
ACCEPTED = (*_WITHOUT_K, *(f"{kind}@K" for kind in _AT_K))


@dataclass(frozen=True)
class ChoiceMetric:
    """A metric and the last position, counted from 1, at which the right candidate still brings anything."""

    kind: str
    k: int


def parse_metric(name: str, n_candidates: int) -> ChoiceMetric:
    """The metric that `accuracy`, `mrr`, `recall@K` or `ndcg@K` asks for; ValueError with the nearest right name."""
    kind, at, cut_off = name.partition("@")
    if not at and kind in _WITHOUT_K:
        return ChoiceMetric(kind, 1 if kind == "accuracy" else n_candidates)
    if kind in _WITHOUT_K:
        raise ValueError(f"metric '{name}': {kind} takes no K")
    if kind in _AT_K:
        if cut_off not in map(str, range(1, n_candidates + 1)):
            raise ValueError(f"metric '{name}': {kind}@K takes a K from 1 to {n_candidates}, the number of candidates")
        return ChoiceMetric(kind, int(cut_off))
    known = [*_WITHOUT_K, *(f"{each}@{cut_off or 'K'}" for each in _AT_K)]
    raise ValueError(f"unknown metric '{name}'{did_you_mean(name, known)}; accepted: {', '.join(ACCEPTED)}")


def per_sample(scores: NDArray[Any], metrics: Sequence[str]) -> dict[str, Floats]:
    """Metric -> its value for each sample [S], from `scores` [S, n] of which column 0 is the right candidate's.

    With b better candidates and m that are tied, the right one among them, it stands at each of the positions
    b + 1 ... b + m equally often, and the value is the mean over these (McSherry and Najork, ECIR 2008):
    accuracy: 1 at position 1, as recall@1. recall@K: 1 up to position K. mrr: 1 / position.
    ndcg@K: 1 / log2(position + 1) up to K; the ideal is 1, as one candidate is right (Jarvelin and Kekalainen 2002).

    Equal scores throughout give chance exactly: K / n for recall@K. ValueError for scores that are no numbers, for
    fewer than two candidates and for unknown metrics.
    """
    if scores.ndim != 2 or scores.shape[1] < 2:
        raise ValueError(f"scores have the shape {list(scores.shape)}; [samples, candidates] with 2 candidates or more")
    n_candidates = scores.shape[1]
    asked = {name: parse_metric(name, n_candidates) for name in metrics}
    broken = np.flatnonzero(np.isnan(scores).any(axis=1))
    if len(broken):
        raise ValueError(f"scores of {len(broken):,} of {len(scores):,} samples are NaN, first of sample {broken[0]}")
    right, others = scores[:, :1], scores[:, 1:]
    better = (others > right).sum(axis=1)
    tied = (others == right).sum(axis=1) + 1
    found = {}
    for name, metric in asked.items():
        up_to = np.concatenate([[0.0], np.cumsum(_by_position(metric, n_candidates))])
        found[name] = (up_to[better + tied] - up_to[better]) / tied
    return found


def chance_variance(name: str, n_candidates: int) -> float:
    """The variance of metric `name` under chance, where the right candidate stands at each of the n positions equally
    often; 0 where it brings the same everywhere, as in recall@n. ValueError for unknown metrics."""
    return float(_by_position(parse_metric(name, n_candidates), n_candidates).var())


def _by_position(metric: ChoiceMetric, n_candidates: int) -> Floats:
    """What the right candidate brings at each of the positions 1 ... n [n]."""
    position = np.arange(1, n_candidates + 1, dtype=np.float64)
    values = {"mrr": 1 / position, "ndcg": 1 / np.log2(position + 1)}.get(metric.kind, np.ones(n_candidates))
    return np.where(position <= metric.k, values, 0.0)
