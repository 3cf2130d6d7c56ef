"""Runs of a language model stand in the report under its name, over their seeds, against the one without a graph."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from utils.journal.choices import choice_stage
from utils.journal.records import RunRecord
from utils.report.choice_rows import write_rows
from utils.report.data import report_data
from utils.report.gather import Found
from utils.report.table import variants_table
from utils.report.variants import Run

N = 40


def _run(folder: Path, name: str, seed: int, right: int, graph: bool) -> Run:
    run_dir = folder / f"{name}-{seed}"
    run_dir.mkdir()
    values = (np.arange(N) < right).astype(np.float64)
    users = [f"u{number}" for number in range(N)]
    files = write_rows(run_dir, 3, users, np.arange(N), {"graph_llm": {"accuracy": values}})
    epochs = [{"epoch": 0, "losses": [3.0], "valid": {"accuracy": 0.1}}]
    stage = {
        "transferred": graph,
        "knowledge": ["graph"] if graph else [],
        "settings": {"epochs": 1},
        "epochs": epochs,
        **choice_stage(
            "SmolLM2", {"accuracy": right / N}, 20, "uniform negatives", 3, files["graph_llm"], ["graph_llm"]
        ),
    }
    settings = {"model": "NeuMF", "dataset": "tiny", "seed": seed}
    record = RunRecord(
        run_dir.name,
        f"x/{name}.yaml",
        settings,
        status="done",
        started=f"2026-01-0{seed}",
        stages={"graph_llm": stage},
        variant=name,
    )
    return Run(record, run_dir)


@pytest.fixture
def runs(tmp_path: Path) -> list[Run]:
    plain = [_run(tmp_path, "01_text", seed, right, graph=False) for seed, right in ((1, 8), (2, 10))]
    return plain + [_run(tmp_path, "02_graph", seed, right, graph=True) for seed, right in ((1, 29), (2, 30))]


def test_the_gain_of_the_graph_is_tested_over_seeds_and_users(runs: list[Run]) -> None:
    lines = variants_table(runs).splitlines()
    # 8 and 10 of 40 are .2 and .25, deviation .05 / sqrt(2); 29 and 30 are .725 and .75.
    assert lines[2].split("  ")[:2] == ["SmolLM2", "01_text (plain)"]
    assert "0.2250 ±0.0354" in lines[2]
    assert "0.7375 ±0.0177" in lines[3]
    assert "+0.5125 accuracy (+227.8%)" in lines[3]
    # Gains of .525 and .5: t = 41, p = 2 / pi * atan(1 / 41) = .0155 with one degree of freedom.
    assert lines[3].endswith("0.016   better")
    assert "ranking: among 20 candidates (uniform negatives)" in lines


def test_the_page_shows_metrics_curves_and_what_was_chosen_from(runs: list[Run]) -> None:
    data = report_data(Found(runs))
    group = data["groups"][1]
    assert (group["model"], group["ranking"]) == ("SmolLM2", "among 20 candidates (uniform negatives)")
    assert group["metrics"]["accuracy"]["mean"] == pytest.approx((29 + 30) / 2 / 40)
    assert group["comparison"]["metrics"]["accuracy"]["verdict"] == "better"
    assert data["primary"] == "accuracy"
    assert {run["model"] for run in data["runs"]} == {"SmolLM2"}
    assert data["runs"][0]["curves"][0]["valid"] == {"accuracy": [0.1]}
