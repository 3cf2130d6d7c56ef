"""Metrics of choices by user lie beside the record, one file for each row."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from utils.journal import per_user
from utils.report.choice_rows import write_rows


def test_each_row_comes_back_by_user(tmp_path: Path) -> None:
    rows = {
        "graph_llm": {"accuracy": np.array([1.0, 0.0]), "recall@3": np.array([1.0, 0.5])},
        "random": {"accuracy": np.array([0.25, 0.25]), "recall@3": np.array([0.75, 0.75])},
    }
    files = write_rows(tmp_path, 4, ["u2", "u1"], np.array([7, 9]), rows)
    assert files == {"graph_llm": "per_user_4_graph_llm.parquet", "random": "per_user_4_random.parquet"}
    frame = per_user.read(tmp_path / files["graph_llm"])
    assert frame.to_dict("index") == {
        "u1": {"n_train": 9, "accuracy": 0.0, "recall@3": 0.5},
        "u2": {"n_train": 7, "accuracy": 1.0, "recall@3": 1.0},
    }
    assert per_user.read(tmp_path / files["random"])["accuracy"].tolist() == [0.25, 0.25]


def test_no_name_leads_out_of_the_folder_or_into_another_rows_file(tmp_path: Path) -> None:
    names = ["../graph llm", "graph/llm", "graph_llm"]
    files = write_rows(tmp_path, 0, ["u"], np.array([1]), {name: {"accuracy": np.array([1.0])} for name in names})
    assert sorted(files.values()) == sorted(path.name for path in tmp_path.iterdir())
    assert len(set(files.values())) == 3
