"""The table of a folder with several seeds: mean, deviation, count, gain, and what a test says."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.utils.report.runs import run
from utils.report.comparison import ONE_SEED
from utils.report.table import TESTED, variants_table


def test_it_shows_mean_deviation_count_gain_and_verdict(tmp_path: Path) -> None:
    plain = [run(tmp_path, "01_plain", seed, value) for seed, value in ((1, 0.1), (2, 0.2), (3, 0.3))]
    # Gains .01, .02 and .03: mean .02 of a mean of .2 is 10%; t = .02 / (.01 / sqrt 3) = 3.46, p = .074 with 2 degrees.
    better = [run(tmp_path, "02_kt", seed, value, "rmse") for seed, value in ((1, 0.11), (2, 0.22), (3, 0.33))]
    header, line, first, second, *notes = variants_table([*plain, *better]).splitlines()
    assert header.split() == ["model", "variant", "seeds", "ndcg@10", "gain", "95%", "interval", "p", "verdict"]
    assert set(line) == {"-", " "}
    assert first == "NeuMF  01_plain (plain)      3  0.2000 ±0.1000"
    assert second.startswith("NeuMF  02_kt (rmse)          3  0.2200 ±0.1100  +0.0200 ndcg@10 (+10.0%)")
    assert second.endswith("0.074  no difference shown")
    assert notes == [
        "ranking: seen items left out",
        "02_kt (rmse) against 01_plain (plain): not every run kept its metrics by user, so users are not tested",
        TESTED,
    ]


def test_with_users_the_interval_is_shown(tmp_path: Path) -> None:
    users = np.linspace(0.1, 0.3, 50)
    runs = [run(tmp_path, "01_plain", seed, users) for seed in (1, 2)]
    runs += [run(tmp_path, "02_kt", seed, users + 0.01, "rmse") for seed in (1, 2)]
    row = variants_table(runs).splitlines()[3]
    assert "+0.0100 ndcg@10 (+5.0%)  +0.0100 to +0.0100" in row


def test_one_seed_is_said_to_allow_no_test(tmp_path: Path) -> None:
    runs = [run(tmp_path, "01_plain", 1, 0.1), run(tmp_path, "02_kt", 1, 0.2, "rmse")]
    lines = variants_table(runs).splitlines()
    assert lines[3].split()[-3:] == ["(+100.0%)", "not", "tested"]
    assert ONE_SEED in lines


def test_failed_runs_have_a_line_and_do_not_count(tmp_path: Path) -> None:
    runs = [run(tmp_path, "01_plain", seed, 0.1, status="failed" if seed == 2 else "done") for seed in (1, 2, 3)]
    runs.append(run(tmp_path, "02_kt", 1, 0.1, "rmse", status="failed", stage={"best_test_res": None}))
    lines = variants_table(runs).splitlines()
    assert lines[2].startswith("NeuMF  01_plain (plain)      2  0.1000")
    assert lines[3].startswith("NeuMF  02_kt (failed)        0")


def test_an_unfair_comparison_says_why(tmp_path: Path) -> None:
    runs = [run(tmp_path, "01_plain", seed, 0.1) for seed in (1, 2)]
    runs += [run(tmp_path, "02_kt", seed, 0.2, "rmse", stage_settings={"epochs": 99}) for seed in (1, 2)]
    text = variants_table(runs)
    assert "unfair: 02_kt (rmse) against 01_plain (plain): epochs: 99 against 8" in text
    assert text.splitlines()[3].endswith("unfair")


def test_nothing_run_is_said() -> None:
    assert variants_table([]) == "nothing was run"
