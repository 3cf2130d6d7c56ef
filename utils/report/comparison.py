"""A variant against its baseline: the gain on users and seeds that both have, and whether it can be believed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from utils.journal import per_user
from utils.journal.outcome import Outcome, differences
from utils.recbole_port import known_models
from utils.report import significance
from utils.report.significance import Floats, PValues
from utils.report.variants import Run, Variant

ONE_SEED = "no test is possible with one seed; run it with --seeds"
# A smaller one is a better one, as RecBole says of them.
SMALLER = frozenset({"rmse", "mae", "logloss", "averagepopularity", "giniindex"})
# Between two models only these have to be alike: each has settings of its own.
BUDGET = frozenset(
    {
        "epochs", "stopping_step", "eval_step", "the number of trainings", "the candidates", "eval_args", "repeatable",
        "filter_seen",
    }
)  # fmt: skip
N_SLICES = 4


@dataclass
class Gain:
    """Method minus baseline in one metric; positive is better, also where less is better.

    by_user: differences [n_seeds, n_users], None where the runs kept no metrics by user. users_lost: some of them did,
    and what is left of them cannot be compared. holm, bh: `p` corrected for all comparisons of a report.
    """

    metric: str
    baseline: float
    gain: float
    by_seed: Floats
    by_user: Floats | None = None
    interval: tuple[float, float] | None = None
    p_seeds: PValues | None = None
    p_users: PValues | None = None
    users_lost: bool = False
    holm: float | None = None
    bh: float | None = None

    @property
    def relative(self) -> float | None:
        return self.gain / self.baseline if self.baseline else None

    @property
    def p(self) -> float | None:
        """The larger of the t-tests' p over seeds and over users: a gain has to hold for other seeds and other users.

        Seeds alone count where the metric has no value by user (RMSE). None with one seed, and where the users are
        lost. That both hypotheses are false is tested by the larger p (Berger 1982).
        """
        if self.p_seeds is None or self.users_lost:
            return None
        return max(self.p_seeds.t, self.p_users.t) if self.p_users else self.p_seeds.t


@dataclass
class Slice:
    """The gain of the users whose train part has `least` to `most` items."""

    least: int
    most: int
    n_users: int
    baseline: float
    value: float
    gain: float
    interval: tuple[float, float] | None


@dataclass
class Comparison:
    """A variant, its baseline, and the gain in each metric that both have.

    against_controls: the same variant against each control of itself: what is left of the gain is knowledge.
    """

    variant: Variant
    baseline: Variant
    seeds: list[int | None]
    unfair: list[str]
    notes: list[str] = field(default_factory=list)
    gains: dict[str, Gain] = field(default_factory=dict)
    slices: list[Slice] = field(default_factory=list)
    against_controls: list[Comparison] = field(default_factory=list)

    def verdict(self, metric: str) -> str:
        """What may be said: better, worse, no difference shown; or why nothing may."""
        gain = self.gains.get(metric)
        if self.unfair:
            return "unfair"
        return "not tested" if gain is None else significance.verdict(gain.gain, gain.holm)


def compare(variant: Variant, baseline: Variant, sliced_by: str | None = None) -> Comparison:
    """Compare on the seeds that both have; `sliced_by` is the metric that is shown by slices of users as well."""
    seeds = [seed for seed in variant.by_seed if seed in baseline.by_seed]
    pairs = [(variant.by_seed[seed], baseline.by_seed[seed]) for seed in seeds]
    found = Comparison(variant, baseline, seeds, unfair(variant, baseline))
    lonely = [str(seed) for side in (variant, baseline) for seed in side.by_seed if seed not in seeds]
    if lonely:
        found.notes.append(f"left out, on one side only: seed {', '.join(lonely)}")
    if not pairs:
        found.notes.append("no seed is on both sides")
        return found
    if len(pairs) == 1:
        found.notes.append(ONE_SEED)
    frames = _frames(pairs, found)
    for metric in dict.fromkeys(name for run, _ in pairs for name in (run.outcome.metrics if run.outcome else ())):
        values = [(run.outcome.metrics.get(metric), other.outcome.metrics.get(metric)) for run, other in pairs]  # type: ignore[union-attr]
        if all(None not in pair for pair in values):
            found.gains[metric] = _gain(metric, np.array(values, dtype=np.float64), frames)
            found.gains[metric].users_lost = not frames and _kept_some(pairs)
    if sliced_by in found.gains and frames:
        found.slices = list(_slices(sliced_by, frames))
    return found


def unfair(variant: Variant, baseline: Variant) -> list[str]:
    """Everything besides the transfer that the two were not given alike, on the seeds that both have."""
    names: dict[str, None] = {}
    pairs = [(run, baseline.by_seed[seed]) for seed, run in variant.by_seed.items() if seed in baseline.by_seed]
    tuned = [side.record.settings.get("tuned") or {} for side in (variant, baseline)]
    for run, other in pairs:
        if run.record.dataset != other.record.dataset:
            names["data"] = None
        if run.outcome and other.outcome:
            names.update(dict.fromkeys(_described(run, other)))
    if variant.loaded or baseline.loaded:
        names["a checkpoint, whose trainings are not known here"] = None
    trials = [side.get("trials", 0) for side in tuned]
    if trials[0] != trials[1]:
        names[f"tuning trials: {trials[0]} against {trials[1]}"] = None
    elif trials[0]:
        # What both have tuned may differ; that is what tuning is. The budget has nested settings by their first name.
        over = [{str(name).partition(".")[0] for name in side.get("over", ())} for side in tuned]
        both = over[0] & over[1]
        names = {name: None for name in names if name.partition(":")[0] not in both}
    return list(names)


def _described(run: Run, other: Run) -> list[str]:
    """`epochs: 8 against 20`, for what the trainings of two runs were given differently."""
    assert run.outcome is not None
    assert other.outcome is not None
    models = [str(side.record.settings["model"]) for side in (run, other)]
    shared = _shared(run.outcome, other.outcome) if _related(*models) else BUDGET
    found = []
    for name in differences(run.outcome, other.outcome):
        if models[0] == models[1] or name in shared:
            values = [_given(outcome.budget, name) for outcome in (run.outcome, other.outcome)]
            short = all(len(value) <= 24 for value in values) and values[0] != values[1]
            found.append(f"{name}: {values[0]} against {values[1]}" if short else name)
    return found


def _related(left: str, right: str) -> bool:
    """Whether one of two models is built on the other, as DCNKAR is on DCN, so that they share settings."""
    known = known_models.models()
    return any(one in known and known[one].base == other for one, other in ((left, right), (right, left)))


def _shared(left: Outcome, right: Outcome) -> frozenset[str]:
    """What the trainings of both were given under one name."""
    given = [frozenset(name for training in outcome.budget for name in training) for outcome in (left, right)]
    return BUDGET | (given[0] & given[1]) - {"model", "frozen"}


def _given(budget: Sequence[object], name: str) -> str:
    if name == "the number of trainings":
        return str(len(budget))
    return ", ".join(str(training.get(name)) for training in budget)  # type: ignore[attr-defined]


def _kept_some(pairs: Sequence[tuple[Run, Run]]) -> bool:
    """Whether any of these runs has kept metrics by user."""
    return any(run.outcome is not None and run.outcome.per_user_file for pair in pairs for run in pair)


Frames = list[tuple[pd.DataFrame, pd.DataFrame]]


def _frames(pairs: Sequence[tuple[Run, Run]], found: Comparison) -> Frames:
    """Metrics by user of each pair, of the users that all have; empty, with a note, where some run kept none."""
    try:
        frames = [(run.by_user, other.by_user) for run, other in pairs]
    except per_user.PerUserError as error:
        found.notes.append(str(error))
        return []
    complete = [(ours, theirs) for ours, theirs in frames if ours is not None and theirs is not None]
    if len(complete) < len(pairs):
        found.notes.append("not every run kept its metrics by user, so users are not tested")
        return []
    everyone = complete[0][0].index
    users = everyone
    for frame in (frame for pair in complete for frame in pair):
        if not frame.index.equals(users):
            users, everyone = users.intersection(frame.index), everyone.union(frame.index)
    if len(users) < len(everyone):
        found.notes.append(f"{len(users):,} of {len(everyone):,} users are in all runs")
    return [(_of(ours, users), _of(theirs, users)) for ours, theirs in complete]


def _of(frame: pd.DataFrame, users: pd.Index) -> pd.DataFrame:
    return frame if frame.index is users or frame.index.equals(users) else frame.loc[users]


def _sign(metric: str) -> float:
    return -1.0 if metric.partition("@")[0] in SMALLER else 1.0


def _gain(metric: str, values: Floats, frames: Frames) -> Gain:
    """values [n_seeds, 2]: the metric of method and baseline."""
    sign = _sign(metric)
    by_seed = sign * (values[:, 0] - values[:, 1])
    if not frames or any(metric not in frame for pair in frames for frame in pair) or not len(frames[0][0]):
        gain = Gain(metric, float(values[:, 1].mean()), float(by_seed.mean()), by_seed)
    else:
        by_user = sign * np.stack([(ours[metric] - theirs[metric]).to_numpy(np.float64) for ours, theirs in frames])
        baseline = float(np.mean([theirs[metric].mean() for _, theirs in frames]))
        gain = Gain(metric, baseline, float(by_user.mean()), by_user.mean(axis=1), by_user)
        gain.p_users = significance.paired_tests(by_user.mean(axis=0))
        gain.interval = significance.bootstrap_interval(by_user)
    gain.p_seeds = significance.paired_tests(gain.by_seed)
    return gain


def _slices(metric: str, frames: Frames) -> Sequence[Slice]:
    """Gains by quarters of the users, from those with the smallest train part to those with the largest."""
    sign = _sign(metric)
    n_train = frames[0][1][per_user.N_TRAIN]
    quarters = pd.qcut(n_train, N_SLICES, duplicates="drop", labels=False)
    found = []
    for number in sorted(quarters.dropna().unique()):
        chosen = (quarters == number).to_numpy()
        ours, theirs = (np.stack([pair[side][metric].to_numpy()[chosen] for pair in frames]) for side in (0, 1))
        found.append(
            Slice(
                int(n_train[chosen].min()),
                int(n_train[chosen].max()),
                int(chosen.sum()),
                float(theirs.mean()),
                float(ours.mean()),
                float(sign * (ours.mean() - theirs.mean())),
                significance.bootstrap_interval(sign * (ours - theirs)),
            )
        )
    return found


def correct(comparisons: Sequence[Comparison]) -> None:
    """Correct the p of each metric for how many fair comparisons were made in it, those with controls included."""
    comparisons = [one for found in comparisons for one in (found, *found.against_controls)]
    for metric in dict.fromkeys(name for comparison in comparisons for name in comparison.gains):
        gains = [found.gains[metric] for found in comparisons if metric in found.gains and not found.unfair]
        tested = [(gain, gain.p) for gain in gains if gain.p is not None]
        p_values = [p for _, p in tested]
        corrected = zip(tested, significance.holm(p_values), significance.benjamini_hochberg(p_values), strict=True)
        for (gain, _), by_holm, by_bh in corrected:
            gain.holm, gain.bh = by_holm, by_bh
