"""Whether one of two ways to train is better: paired tests, intervals, effect sizes and corrections.

Everything here is about differences `d` = method - baseline of paired values (the same user, the same seed), whose sign
is turned for metrics where less is better, so that a positive one always speaks for the method. RecBole's own
`significance_test.py` asks for the other tail: it tests whether the method is worse.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]

# The largest corrected p with which a gain is called better or worse.
LEVEL = 0.05

# Fewer for more pairs than 2,000, whose mean is sure enough; never more than 20 million numbers are held at once.
RESAMPLES, _LEAST, _DRAWN = 9_999, 1_000, 20_000_000
# The ends of an interval need fewer than a small p does.
INTERVAL_RESAMPLES = 2_000
_SEED = 20_261_126
# Up to here every assignment of signs is looked at; 2^13 of them.
_EXACT_UP_TO = 13


@dataclass(frozen=True)
class PValues:
    """P-values of three paired tests of "no difference", from both sides, and of "not better", from one.

    t: paired t-test (Student 1908). wilcoxon: signed ranks (Wilcoxon 1945), ties at zero left out. permutation: every
    pair may have been swapped (Fisher 1935), all 2^n assignments up to n = 13, else `resamples(n)` drawn ones.
    better: of the t-test's tail in which the method is better.
    """

    t: float
    wilcoxon: float
    permutation: float
    better: float


def paired_tests(differences: Floats) -> PValues | None:
    """The tests on `differences` [n_pairs]; None where there are fewer than two pairs, of which nothing can be said."""
    n_pairs = len(differences)
    if n_pairs < 2:
        return None
    if _without_spread(differences):
        # Without spread t is 0/0 or infinite, and only the signs say anything.
        p = permutation_p(differences)
        return PValues(p, p, p, p / 2 if differences[0] > 0 else 1 - p / 2)
    two_sided = stats.ttest_1samp(differences, 0.0).pvalue
    better = stats.ttest_1samp(differences, 0.0, alternative="greater").pvalue
    with warnings.catch_warnings():
        # Its warning that a sample is small says what the count beside it says.
        warnings.simplefilter("ignore", UserWarning)
        ranks = stats.wilcoxon(differences).pvalue
    return PValues(float(two_sided), float(ranks), permutation_p(differences), float(better))


def _without_spread(differences: Floats) -> bool:
    """Whether all are the same but for their last bits: .1211 - .1111 is not quite .2322 - .2222."""
    return bool(np.ptp(differences) <= 1e-9 * np.abs(differences).max())


def permutation_p(differences: Floats) -> float:
    """Two-sided p of the sign-flip test on `differences` [n_pairs]: how often random signs give as large a mean."""
    n_pairs = len(differences)
    observed = abs(differences.sum())
    exact = n_pairs <= _EXACT_UP_TO
    values = differences.astype(np.float32)
    blocks = [_all_signs(n_pairs)] if exact else _drawn_signs(n_pairs)
    sums = np.abs(np.concatenate([signs @ values for signs in blocks]))
    # Sums of the same numbers in another order differ in their last bits.
    as_large = int((sums >= observed * (1 - 1e-5) - 1e-12).sum())
    # The observed assignment is one of all; of the drawn ones it is added.
    return as_large / len(sums) if exact else (as_large + 1) / (len(sums) + 1)


@lru_cache(maxsize=4)
def _all_signs(n_pairs: int) -> NDArray[np.float32]:
    bits = np.arange(2**n_pairs)[:, None] >> np.arange(n_pairs)
    return ((bits & 1) * 2 - 1).astype(np.float32)


def resamples(n: int) -> int:
    """How many samples are drawn from n pairs."""
    return max(min(RESAMPLES, _DRAWN // n), _LEAST)


def _drawn_signs(n_pairs: int) -> Iterator[NDArray[np.float32]]:
    """Blocks of drawn signs [rows, n_pairs]; those of few pairs are kept for the next test."""
    rng = np.random.default_rng(_SEED)
    count = resamples(n_pairs)
    if count * n_pairs <= _DRAWN:
        yield _few_signs(n_pairs)
        return
    for rows in _rows(count, n_pairs):
        yield (rng.integers(0, 2, (rows, n_pairs), dtype=np.int8) * 2 - 1).astype(np.float32)


@lru_cache(maxsize=2)
def _few_signs(n_pairs: int) -> NDArray[np.float32]:
    drawn = np.random.default_rng(_SEED).integers(0, 2, (resamples(n_pairs), n_pairs), dtype=np.int8)
    return (drawn * 2 - 1).astype(np.float32)


def _rows(count: int, n: int) -> Iterator[int]:
    """Sizes of blocks of `count` rows of n numbers, each within what may be held at once."""
    at_once = max(_DRAWN // n, 1)
    for start in range(0, count, at_once):
        yield min(at_once, count - start)


def bootstrap_interval(differences: Floats, level: float = 0.95) -> tuple[float, float] | None:
    """Percentile interval of the mean of `differences` [n_seeds, n_users], seeds and users drawn again independently.

    With one seed only the users are drawn: the interval is then of these trained models, not of the method. None with
    fewer than two users. Efron and Tibshirani 1993, chapter 13; crossed as in Owen 2007.
    """
    n_seeds, n_users = differences.shape
    if n_users < 2:
        return None
    count = min(resamples(n_users), INTERVAL_RESAMPLES)
    values = differences.astype(np.float32)
    by_seed = np.concatenate([values @ weights.T for weights in _drawn_users(n_users, count)], axis=1)
    means = by_seed[0] if n_seeds == 1 else np.einsum("rs,sr->r", _draws(n_seeds, count, 1), by_seed)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _drawn_users(n_users: int, count: int) -> Iterator[NDArray[np.float32]]:
    if count * n_users <= _DRAWN:
        yield _draws(n_users, count, 0)
        return
    rng = np.random.default_rng([_SEED, 0])
    for rows in _rows(count, n_users):
        yield _weights(rng, n_users, rows)


@lru_cache(maxsize=8)
def _draws(n: int, count: int, stream: int) -> NDArray[np.float32]:
    """Weights [count, n] of the members of samples drawn with replacement; each row sums to 1."""
    return _weights(np.random.default_rng([_SEED, stream]), n, count)


def _weights(rng: np.random.Generator, n: int, count: int) -> NDArray[np.float32]:
    return np.divide(rng.multinomial(n, np.full(n, 1 / n), size=count), n, dtype=np.float32)


def effect_size(differences: Floats) -> float | None:
    """Cohen's d of paired values (1988, d_z): mean over standard deviation of `differences` [n_pairs]; None without."""
    if len(differences) < 2 or _without_spread(differences):
        return None
    return float(differences.mean() / differences.std(ddof=1))


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values corrected so that at most 5% of such families hold one false finding (Holm 1979)."""
    order = np.argsort(p_values, kind="stable")
    steps = np.asarray(p_values, dtype=np.float64)[order] * np.arange(len(order), 0, -1)
    corrected = np.empty(len(order))
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return [float(p) for p in corrected]


def verdict(gain: float, corrected_p: float | None) -> str:
    """What may be said of a gain: better, worse, no difference shown; without a p that it was not tested."""
    if corrected_p is None:
        return "not tested"
    if corrected_p > LEVEL:
        return "no difference shown"
    return "better" if gain > 0 else "worse"


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """P-values corrected so that at most 5% of the findings are false in expectation (Benjamini, Hochberg 1995)."""
    return [float(p) for p in stats.false_discovery_control(p_values)] if p_values else []
