"""Tests of significance give what textbooks and scipy give, and look at the right tail."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from utils.report import significance
from utils.report.significance import benjamini_hochberg, bootstrap_interval, effect_size, holm, paired_tests


def test_a_better_method_has_a_small_p_where_recboles_own_tool_gives_a_large_one() -> None:
    baseline = np.array([0.050, 0.052, 0.049, 0.051, 0.050])
    ours = baseline + np.array([0.004, 0.006, 0.005, 0.005, 0.005])
    found = paired_tests(ours - baseline)
    assert found is not None
    assert found.better < 0.001
    # RecBole's significance_test.py: ttest_rel(ours, baseline, alternative="less"), the tail in which ours is worse.
    recbole = stats.ttest_rel(ours, baseline, alternative="less").pvalue
    assert recbole > 0.999
    assert found.better == pytest.approx(1 - recbole)


def test_a_worse_method_is_not_called_better() -> None:
    found = paired_tests(np.array([-0.004, -0.006, -0.005, -0.005]))
    assert found is not None
    assert found.better > 0.999
    assert found.t < 0.01


def test_t_and_wilcoxon_are_scipys_on_the_pairs() -> None:
    ours, baseline = np.array([3.0, 5.0, 1.0, 4.0, 9.0, 2.0]), np.array([2.0, 3.0, 2.0, 4.5, 5.0, 1.5])
    found = paired_tests(ours - baseline)
    assert found is not None
    assert found.t == pytest.approx(stats.ttest_rel(ours, baseline).pvalue)
    assert found.wilcoxon == pytest.approx(stats.wilcoxon(ours, baseline).pvalue)


def test_permutation_of_few_pairs_counts_every_assignment_of_signs() -> None:
    # Of the 2^3 sums of ±1 ±2 ±3 only 6 and -6 are as large as 6.
    assert significance.permutation_p(np.array([1.0, 2.0, 3.0])) == 2 / 8
    # |sum| >= 2: 6, 4, 2 (1 - 2 + 3) and their opposites; and ±0 (1 + 2 - 3) is not.
    assert significance.permutation_p(np.array([1.0, -2.0, 3.0])) == 6 / 8


def test_permutation_of_many_pairs_agrees_with_scipy() -> None:
    differences = np.random.default_rng(1).normal(0.1, 1, 300)
    theirs = stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=9_999, rng=np.random.default_rng(2)
    )
    # Two draws of 9,999 around p = .1: four standard errors are 4 * sqrt(.1 * .9 / 9999) * sqrt(2) = .017.
    assert significance.permutation_p(differences) == pytest.approx(theirs.pvalue, abs=0.02)


def test_p_values_of_no_difference_are_uniform() -> None:
    rng = np.random.default_rng(0)
    found = [paired_tests(rng.normal(0, 1, 8)) for _ in range(400)]
    for name in ("t", "permutation"):
        share = np.mean([getattr(p, name) <= 0.05 for p in found])
        # 5% of 400 is 20; three standard deviations are 3 * sqrt(400 * .05 * .95) = 13.
        assert share * 400 == pytest.approx(20, abs=13)


@pytest.mark.parametrize("n", [0, 1])
def test_one_pair_cannot_be_tested(n: int) -> None:
    assert paired_tests(np.ones(n)) is None
    assert effect_size(np.ones(n)) is None


def test_differences_without_spread_are_judged_by_their_signs() -> None:
    found = paired_tests(np.full(5, 0.01))
    assert found is not None
    # All five the same way: 2 of 2^5 assignments.
    assert found.t == found.permutation == 2 / 32
    assert found.better == 1 / 32
    zero = paired_tests(np.zeros(5))
    assert zero is not None
    assert (zero.t, zero.better) == (1.0, 0.5)


def test_the_interval_is_that_of_scipys_bootstrap_for_one_seed() -> None:
    differences = np.random.default_rng(3).normal(0.5, 1, 400)
    low, high = bootstrap_interval(differences[None]) or (0, 0)
    theirs = stats.bootstrap((differences,), np.mean, method="percentile", rng=np.random.default_rng(4))
    assert (low, high) == pytest.approx(tuple(theirs.confidence_interval), abs=0.01)


def test_seeds_that_disagree_widen_the_interval() -> None:
    users = np.random.default_rng(5).normal(0, 0.1, 500)
    alike = bootstrap_interval(np.stack([users] * 5)) or (0, 0)
    apart = bootstrap_interval(np.stack([users + shift for shift in (-1, -0.5, 0, 0.5, 1)])) or (0, 0)
    assert apart[1] - apart[0] > 10 * (alike[1] - alike[0])


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(6)
    covered = 0
    for _ in range(200):
        low, high = bootstrap_interval(rng.normal(0.3, 1, (1, 100))) or (0, 0)
        covered += low <= 0.3 <= high
    # 95% of 200 is 190; three standard deviations are 3 * sqrt(200 * .95 * .05) = 9.
    assert covered == pytest.approx(190, abs=10)


def test_the_effect_size_is_mean_over_deviation() -> None:
    # Mean 2, deviation sqrt(((1-2)^2 + (3-2)^2) / 1) = sqrt(2).
    assert effect_size(np.array([1.0, 3.0])) == pytest.approx(2 / np.sqrt(2))


def test_holm_multiplies_by_what_is_left_and_never_falls() -> None:
    # Sorted: .01 * 4, .02 * 3, .03 * 2 (held up at .06), .5 * 1.
    assert holm([0.03, 0.01, 0.5, 0.02]) == pytest.approx([0.06, 0.04, 0.5, 0.06])


def test_benjamini_hochberg_divides_by_the_rank() -> None:
    # Sorted: .01 * 4 / 1, .02 * 4 / 2, .03 * 4 / 3, .5 * 4 / 4.
    assert benjamini_hochberg([0.03, 0.01, 0.5, 0.02]) == pytest.approx([0.04, 0.04, 0.5, 0.04])


def test_nothing_to_correct_is_nothing_corrected() -> None:
    assert holm([]) == benjamini_hochberg([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_corrections_keep_the_order_and_never_lower_a_p(p_values: list[float]) -> None:
    for corrected in (holm(p_values), benjamini_hochberg(p_values)):
        assert all(p <= one + 1e-12 for p, one in zip(p_values, corrected, strict=True))
        assert max(corrected) <= 1
        order = np.argsort(p_values, kind="stable")
        assert all(np.diff(np.array(corrected)[order]) >= -1e-12)


def test_results_do_not_depend_on_when_they_are_asked_for() -> None:
    differences = np.random.default_rng(7).normal(0.1, 1, 50)
    first = paired_tests(differences), bootstrap_interval(differences[None])
    paired_tests(differences[:40])
    assert (paired_tests(differences), bootstrap_interval(differences[None])) == first


@pytest.mark.parametrize(
    ("gain", "p", "said"),
    [
        (0.1, 0.05, "better"),
        (-0.1, 0.05, "worse"),
        (0.1, 0.051, "no difference shown"),
        (0.1, None, "not tested"),
    ],
)
def test_a_gain_is_called_better_or_worse_only_by_a_small_p(gain: float, p: float | None, said: str) -> None:
    assert significance.verdict(gain, p) == said
