"""What the report shows is what the runs have: for the page, the CSV and the picture alike."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from tests.utils.report.runs import run
from utils.report.data import report_data, rows
from utils.report.gather import Found
from utils.report.write import write_report

SEEDS = (1, 2, 3)


def _found(folder: Path) -> Found:
    users = {seed: np.random.default_rng(seed).uniform(0, 1, 60) for seed in SEEDS}
    runs = [run(folder, "01_plain", seed, users[seed], cost={"cpu_s": 10.0 * seed}) for seed in SEEDS]
    gains = {seed: np.random.default_rng(10 + seed).normal(0.1, 0.2, 60) for seed in SEEDS}
    runs += [run(folder, "02_kt", seed, users[seed] + gains[seed], "rmse") for seed in SEEDS]
    error = {"message": "train: it broke", "file": "x/03.yaml", "line": 4, "column": 5}
    runs.append(run(folder, "03", 1, 0.1, status="failed", error=error, stage={"best_test_res": None}))
    return Found(runs, [("saved/x/record.json", "is no whole record")])


def test_the_numbers_are_those_of_the_tests(tmp_path: Path) -> None:
    found = _found(tmp_path)
    data = report_data(found)
    plain, better, _ = data["groups"]
    gain = better["comparison"]["metrics"]["ndcg@10"]
    by_user = np.stack(
        [
            (found.runs[3 + number].by_user["ndcg@10"] - found.runs[number].by_user["ndcg@10"]).to_numpy()  # type: ignore[index]
            for number in range(3)
        ]
    )
    assert gain["gain"] == pytest.approx(by_user.mean())
    assert gain["p_seeds"]["t"] == pytest.approx(stats.ttest_1samp(by_user.mean(axis=1), 0).pvalue)
    assert gain["p_users"]["t"] == pytest.approx(stats.ttest_1samp(by_user.mean(axis=0), 0).pvalue)
    assert gain["p"] == max(gain["p_seeds"]["t"], gain["p_users"]["t"])
    assert better["comparison"]["baseline"] == plain["id"]
    # 10, 20 and 30 CPU seconds.
    assert plain["cost"]["cpu_s"] == 20


def test_curves_have_both_loss_parts_and_failures_their_place(tmp_path: Path) -> None:
    data = report_data(_found(tmp_path))
    of_run = {(one["scenario"], one["seed"]): one for one in data["runs"]}
    assert of_run["x/02_kt.yaml", 1]["curves"] == [
        {"stage": "0", "epochs": [0], "losses": [[0.5], [0.25]], "valid": {"ndcg@10": [0.1]}}
    ]
    assert of_run["x/03.yaml", 1]["error"] == "x/03.yaml:4:5: train: it broke"
    assert data["problems"] == [{"where": "saved/x/record.json", "message": "is no whole record"}]


def test_the_csv_has_a_row_per_variant_and_metric(tmp_path: Path) -> None:
    table = rows(report_data(_found(tmp_path)))
    assert [(row["variant"], row["metric"], row["n"]) for row in table] == [
        ("01_plain (plain)", "ndcg@10", 3),
        ("02_kt (rmse)", "ndcg@10", 3),
    ]


def test_trials_of_a_search_are_runs_and_no_variants(tmp_path: Path) -> None:
    trial = run(tmp_path, "04", 1, 0.1, search={"study": "s", "trial": 0, "values": {}})
    data = report_data(Found([trial]))
    assert data["groups"] == []
    assert [one["group"] for one in data["runs"]] == [None]


def test_a_report_is_written_and_says_what_it_found(tmp_path: Path) -> None:
    _found(tmp_path / "saved")
    n_runs, lines = write_report([tmp_path / "saved"], None, tmp_path / "out")
    assert n_runs == 7
    assert lines[0] == "7 runs of 3 variants, 1 of them failed or unfinished"
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["report.csv", "report.html", "report.png"]
    with (tmp_path / "out" / "report.csv").open(newline="") as file:
        assert next(csv.DictReader(file))["verdict"] == ""


def test_a_picture_of_an_earlier_report_does_not_stay(tmp_path: Path) -> None:
    run(tmp_path / "saved", "01_plain", 1, 0.1)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "report.png").write_bytes(b"old")
    write_report([tmp_path / "saved"], None, tmp_path / "out")
    assert not (tmp_path / "out" / "report.png").exists()
