"""A gain is paired, fair, and believed only when seeds and users agree."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.utils.report.runs import run
from utils.report.baselines import NoSuchBaseline, compare_all
from utils.report.comparison import ONE_SEED, Comparison, compare
from utils.report.variants import Run, Variant, variants_of

SEEDS = (1, 2, 3, 4, 5)
N_USERS = 200


def _plain(folder: Path, seeds: tuple[int, ...] = SEEDS, **changes: Any) -> list[Run]:
    return [run(folder, "01_plain", seed, _users(seed), **changes) for seed in seeds]


def _better(folder: Path, gain: float, seeds: tuple[int, ...] = SEEDS, **changes: Any) -> list[Run]:
    """Every user gains `gain`, give or take what differs by user and seed."""
    noise = {seed: 0.01 * np.random.default_rng(100 + seed).normal(size=N_USERS) for seed in seeds}
    return [run(folder, "02_kt", seed, _users(seed) + gain + noise[seed], "rmse", **changes) for seed in seeds]


def _users(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0.2, 0.4, N_USERS)


def _compare(runs: list[Run], named: str | None = None) -> Comparison:
    return next(iter(compare_all(variants_of(runs), named)[0].values()))


def test_a_gain_that_every_seed_and_user_has_is_better(tmp_path: Path) -> None:
    found = _compare([*_plain(tmp_path), *_better(tmp_path, 0.05)])
    gain = found.gains["ndcg@10"]
    assert gain.gain == pytest.approx(0.05, abs=0.002)
    assert gain.interval is not None
    assert gain.interval[0] < 0.05 < gain.interval[1]
    assert found.verdict("ndcg@10") == "better"
    assert found.seeds == list(SEEDS)


def test_a_loss_is_worse_and_nothing_is_no_difference(tmp_path: Path) -> None:
    worse = _compare([*_plain(tmp_path / "a"), *_better(tmp_path / "a", -0.05)])
    nothing = _compare([*_plain(tmp_path / "b"), *_better(tmp_path / "b", 0.0)])
    assert worse.verdict("ndcg@10") == "worse"
    assert nothing.verdict("ndcg@10") == "no difference shown"


def test_a_gain_of_all_users_that_turns_with_the_seed_is_not_believed(tmp_path: Path) -> None:
    # In the mean every user gains .01; but by seed it is +.1, +.1, +.1, -.15, -.1.
    shifts = dict(zip(SEEDS, (0.1, 0.1, 0.1, -0.15, -0.1), strict=True))
    turned = [run(tmp_path, "02_kt", seed, _users(seed) + shifts[seed], "rmse") for seed in SEEDS]
    gain = (found := _compare([*_plain(tmp_path), *turned])).gains["ndcg@10"]
    assert gain.gain == pytest.approx(0.01)
    assert gain.p_users is not None
    assert gain.p_users.t < 1e-3
    assert found.verdict("ndcg@10") == "no difference shown"


def test_with_one_seed_nothing_is_tested_and_that_is_said(tmp_path: Path) -> None:
    found = _compare([*_plain(tmp_path, (1,)), *_better(tmp_path, 0.05, (1,))])
    assert found.verdict("ndcg@10") == "not tested"
    assert ONE_SEED in found.notes
    assert found.gains["ndcg@10"].p is None


def test_only_seeds_of_both_sides_are_paired(tmp_path: Path) -> None:
    found = _compare([*_plain(tmp_path, (1, 2, 3)), *_better(tmp_path, 0.05, (2, 3, 4))])
    assert found.seeds == [2, 3]
    assert found.notes == ["left out, on one side only: seed 4, 1"]


def test_pairs_are_of_the_same_user_whatever_the_order_of_the_rows(tmp_path: Path) -> None:
    plain, better = _plain(tmp_path, (1, 2)), _better(tmp_path, 0.05, (1, 2))
    straight = compare(*reversed([Variant("a", plain), Variant("b", better)])).gains["ndcg@10"]
    for one in better:
        file = one.folder / "per_user_0.parquet"
        import pandas as pd

        pd.read_parquet(file).sample(frac=1, random_state=0).to_parquet(file, index=False)
    again = [Run(one.record, one.folder) for one in better]
    shuffled = compare(Variant("b", again), Variant("a", [Run(one.record, one.folder) for one in plain]))
    assert shuffled.gains["ndcg@10"].p_users == straight.p_users


def test_less_is_better_where_the_metric_is_an_error(tmp_path: Path) -> None:
    def rmse(name: str, seed: int, value: float, loss: str | None = None) -> Run:
        return run(tmp_path, name, seed, value, loss, stage={"best_test_res": {"rmse": value}})

    runs = [rmse("01_plain", seed, 1.0 + seed / 100) for seed in SEEDS]
    runs += [rmse("02_kt", seed, 0.9 + seed / 90, "rmse") for seed in SEEDS]
    found = _compare(runs)
    # 1.01 - (.9 + 1/90), ... in the mean 1.03 - .9333.
    assert found.gains["rmse"].gain == pytest.approx(1.03 - (0.9 + 3 / 90))
    assert found.verdict("rmse") == "better"
    assert "not every run kept its metrics by user, so users are not tested" in found.notes


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"stage_settings": {"epochs": 20}}, "epochs: 8 against 20"),
        ({"dataset": {"users": 30, "fingerprint": "other"}}, "data"),
        ({"settings": {"tuned": {"trials": 20, "over": ["learning_rate"]}}}, "tuning trials: 0 against 20"),
        ({"stage_settings": {"learning_rate": 0.01}}, "learning_rate: 0.001 against 0.01"),
    ],
)
def test_an_unequal_budget_is_marked_as_unfair_and_not_tested(
    tmp_path: Path, changes: dict[str, Any], what: str
) -> None:
    found = _compare([*_plain(tmp_path, **changes), *_better(tmp_path, 0.05)])
    assert found.unfair == [what]
    assert found.verdict("ndcg@10") == "unfair"
    assert found.gains["ndcg@10"].holm is None


def test_what_both_sides_tuned_with_equal_trials_may_differ(tmp_path: Path) -> None:
    tuned = {"settings": {"tuned": {"trials": 20, "over": ["learning_rate"]}}}
    found = _compare(
        [*_plain(tmp_path, stage_settings={"learning_rate": 0.01}, **tuned), *_better(tmp_path, 0.05, **tuned)]
    )
    assert found.unfair == []


def test_the_newest_run_of_a_seed_counts(tmp_path: Path) -> None:
    old = run(tmp_path, "01_plain", 1, 0.1)
    new = run(tmp_path, "01_plain", 1, 0.3, started="2026-02-01T00:00:00")
    (variant,) = variants_of([new, old])
    assert variant.values("ndcg@10") == [0.3]


def test_p_values_are_corrected_for_all_fair_comparisons_of_a_metric(tmp_path: Path) -> None:
    runs = _plain(tmp_path)
    for name in ("02", "03", "04"):
        runs += [
            run(
                tmp_path,
                name,
                seed,
                _users(seed) + 0.02 * np.random.default_rng([seed, int(name)]).normal(size=200),
                "rmse",
            )
            for seed in SEEDS
        ]
    comparisons, _ = compare_all(variants_of(runs))
    gains = [found.gains["ndcg@10"] for found in comparisons.values()]
    smallest = min(gains, key=lambda gain: gain.p or 1)
    assert len(gains) == 3
    assert smallest.holm == pytest.approx(min(3 * (smallest.p or 1), 1))


def test_a_named_baseline_is_everyones(tmp_path: Path) -> None:
    runs = [*_plain(tmp_path), *_better(tmp_path, 0.05)]
    runs += [run(tmp_path, "03_other", seed, _users(seed)) for seed in SEEDS]
    comparisons, _ = compare_all(variants_of(runs), "02_kt")
    assert {(found.variant.scenario, found.baseline.scenario) for found in comparisons.values()} == {
        ("01_plain", "02_kt"),
        ("03_other", "02_kt"),
    }


def test_a_baseline_that_is_not_there_is_an_error_with_the_nearest_name(tmp_path: Path) -> None:
    variants = variants_of([*_plain(tmp_path), *_better(tmp_path, 0.05)])
    with pytest.raises(NoSuchBaseline, match="'01_plan' is not among the runs; did you mean '01_plain'"):
        compare_all(variants, "01_plan")


def test_without_a_plain_twin_the_reason_is_given(tmp_path: Path) -> None:
    comparisons, reasons = compare_all(variants_of(_better(tmp_path, 0.05)))
    assert not comparisons
    assert list(reasons.values()) == ["no plain run of NeuMF on the same data to compare 02_kt with"]


def test_a_damaged_file_of_metrics_by_user_costs_the_users_test_only(tmp_path: Path) -> None:
    better = _better(tmp_path, 0.05)
    (better[0].folder / "per_user_0.parquet").write_bytes(b"PAR1 and nothing")
    found = _compare([*_plain(tmp_path), *better])
    assert any("cannot be read" in note for note in found.notes)
    gain = found.gains["ndcg@10"]
    assert gain.p_users is None
    assert gain.p_seeds is not None
    # Seeds alone are not what a verdict rests on.
    assert found.verdict("ndcg@10") == "not tested"


def test_slices_are_quarters_of_the_users_by_their_train_items(tmp_path: Path) -> None:
    # Users have 1, 2, ..., 200 train items; those of the last quarter, 151 to 200, gain .2.
    late = np.where(np.arange(N_USERS) >= 150, 0.2, 0.0)
    runs = _plain(tmp_path) + [run(tmp_path, "02_kt", seed, _users(seed) + late, "rmse") for seed in SEEDS]
    slices = _compare(runs).slices
    assert [(found.least, found.most, found.n_users) for found in slices] == [
        (1, 50, 50),
        (51, 100, 50),
        (101, 150, 50),
        (151, 200, 50),
    ]
    assert [found.value - found.baseline for found in slices] == pytest.approx([0, 0, 0, 0.2])


def test_variants_of_one_scenario_are_told_apart_by_what_differs(tmp_path: Path) -> None:
    runs = [run(tmp_path, "01", 1, 0.1), run(tmp_path, "01", 1, 0.2, settings={"epochs": 5}, variant_of={"epochs"})]
    assert {variant.name for variant in variants_of(runs)} == {"01 (plain) [epochs=None]", "01 (plain) [epochs=5]"}
