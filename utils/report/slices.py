"""Test metrics of a variant by slice of users and items, over its seeds, and against its baseline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from utils.journal import per_user
from utils.journal.outcome import Outcome
from utils.report import significance
from utils.report.comparison import Comparison
from utils.report.variants import Variant
from utils.slice_names import COLD_ITEMS, COLD_USERS, NAMES, ROWS, WARM_ITEMS, WARM_USERS


@dataclass(frozen=True)
class Part:
    """A metric in one slice: mean and deviation over the seeds (None of a single one); rows: their mean number."""

    name: str
    rows: float
    mean: float
    deviation: float | None


def outcomes_alike(variant: Variant) -> list[Outcome]:
    """Outcomes of the variant's seeds, without those for which others were cold than for the last one."""
    return [found for found in variant.outcomes if found.slice_bounds == variant.outcomes[-1].slice_bounds]


def part(variant: Variant, name: str, metric: str) -> Part | None:
    """A metric in a slice; None where the slice has no row, or it was not measured."""
    slices = [found.slices[name] for found in outcomes_alike(variant) if metric in found.slices.get(name, {})]
    # A NaN is null in a record.
    values = [found[metric] for found in slices if found[metric] is not None]
    if not values:
        return None
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return Part(name, float(np.mean([found[ROWS] for found in slices])), float(np.mean(values)), deviation)


def parts(variant: Variant, metric: str) -> list[Part]:
    """A metric in every slice that has rows."""
    return [found for name in NAMES if (found := part(variant, name, metric))]


@dataclass(frozen=True)
class PartGain:
    """The gain of a comparison in one slice, on the users and seeds that both sides have."""

    n_users: int
    baseline: float
    value: float
    interval: tuple[float, float] | None

    @property
    def gain(self) -> float:
        return self.value - self.baseline


def part_gains(comparison: Comparison, metric: str) -> dict[str, PartGain]:
    """Gains in the valid metric for cold and warm items and users; empty where the runs kept nothing by user.

    It is paired: a user counts who has the slice's items in all runs. Who is cold is what the variant's last test says.
    """
    bounds = comparison.variant.outcomes[-1].slice_bounds
    sides = comparison.variant, comparison.baseline
    if not bounds or any(found.slice_bounds != bounds for side in sides for found in side.outcomes):
        return {}
    try:
        frames = [[side.by_seed[seed].by_user for side in sides] for seed in comparison.seeds]
    except per_user.PerUserError:
        # The comparison says so in a note.
        return {}
    found = {}
    for name in (COLD_ITEMS, WARM_ITEMS, COLD_USERS, WARM_USERS):
        columns = [[_column(frame, name, metric, bounds) for frame in pair] for pair in frames]
        values = pd.concat([column for pair in columns for column in pair], axis=1, join="inner").dropna()
        if len(values):
            # [n_seeds, side, n_users]
            by_user = values.to_numpy().T.reshape(len(frames), 2, -1)
            ours, theirs = by_user[:, 0], by_user[:, 1]
            interval = significance.bootstrap_interval(ours - theirs)
            found[name] = PartGain(len(values), float(theirs.mean()), float(ours.mean()), interval)
    return found


def _column(frame: pd.DataFrame | None, name: str, metric: str, bounds: Mapping[str, int]) -> pd.Series:
    """The metric of the users of a slice; none where the run did not keep it."""
    column = per_user.sliced(metric, name) if name in (COLD_ITEMS, WARM_ITEMS) else metric
    if frame is None or column not in frame:
        return pd.Series(dtype=np.float64)
    if name == COLD_USERS:
        return frame.loc[frame[per_user.N_TRAIN] <= bounds[COLD_USERS], column]
    if name == WARM_USERS:
        return frame.loc[frame[per_user.N_TRAIN] > bounds[COLD_USERS], column]
    return frame[column]
