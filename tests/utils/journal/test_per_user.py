"""Metrics by user come back as they were, and their mean is the metric that was printed."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from tests.workspace import SASREC, TRAIN, Workspace
from utils.journal import per_user


def test_they_come_back_by_token(tmp_path: Path) -> None:
    values = pd.DataFrame({"ndcg@10": [0.25, 1.0]})
    per_user.write(tmp_path / "p.parquet", pd.Series(["b", "a"]), pd.Series([3, 5]), values)
    frame = per_user.read(tmp_path / "p.parquet")
    assert list(frame.index) == ["a", "b"]
    assert list(frame["ndcg@10"]) == [1.0, 0.25]
    assert list(frame["n_train"]) == [5, 3]


def test_several_rows_of_a_user_are_averaged(tmp_path: Path) -> None:
    values = pd.DataFrame({"hit@10": [1.0, 0.0, 1.0]})
    per_user.write(tmp_path / "p.parquet", pd.Series(["a", "a", "b"]), pd.Series([2, 2, 4]), values)
    assert list(per_user.read(tmp_path / "p.parquet")["hit@10"]) == [0.5, 1.0]


@pytest.mark.parametrize("content", [b"", b"PAR1", b"user,ndcg\n"])
def test_what_is_no_such_file_is_an_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "p.parquet").write_bytes(content)
    with pytest.raises(per_user.PerUserError, match="cannot be read"):
        per_user.read(tmp_path / "p.parquet")


def test_another_table_is_no_such_file(tmp_path: Path) -> None:
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "p.parquet")
    with pytest.raises(per_user.PerUserError, match="holds no metrics by user; its columns: a"):
        per_user.read(tmp_path / "p.parquet")


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("general", {}),
        ("sequential", SASREC),
        ("sampled", {"eval_args": {"split": {"LS": "valid_and_test"}, "order": "TO", "mode": "uni10"}}),
        (
            "sequential and sampled",
            {**SASREC, "eval_args": {"split": {"LS": "valid_and_test"}, "order": "TO", "mode": "uni10"}},
        ),
        (
            "pairs",
            {
                "model": "FM",
                "threshold": {"rating": 3},
                "eval_args": {"split": {"RS": [0.6, 0.2, 0.2]}, "mode": "full"},
            },
        ),
    ],
)
def test_the_mean_over_the_users_is_the_metric(tiny: Workspace, name: str, settings: dict[str, object]) -> None:
    run = tiny.run(TRAIN, metrics=["Recall", "NDCG", "MRR", "Hit", "MAP", "Precision"], topk=[1, 5], **settings)
    stage = run.record.stages["0"]
    frame = per_user.read(run.dir / stage["per_user_file"])
    # RecBole rounds to four places.
    assert {metric: round(frame[metric].mean(), 4) for metric in stage["best_test_res"]} == pytest.approx(
        stage["best_test_res"], abs=1.01e-4
    )
    assert set(frame.index) <= {f"u{number}" for number in range(1, 31)}
    inter = pd.read_csv(tiny.folder / "datasets" / "tiny" / "tiny.inter", sep="\t")
    interactions = inter.groupby("user_id:token")["item_id:token"].nunique()
    # The train part has at least one item less than all of them, and never more.
    assert all(0 <= frame["n_train"][user] < interactions[user] for user in frame.index)


def test_metrics_of_single_ratings_have_no_value_by_user(tiny: Workspace) -> None:
    eval_args = {"split": {"RS": [0.6, 0.2, 0.2]}, "mode": "labeled"}
    settings = {"model": "FM", "metrics": ["AUC"], "valid_metric": "AUC", "eval_args": eval_args}
    run = tiny.run(TRAIN, threshold={"rating": 3}, train_neg_sample_args=None, **settings)
    assert run.record.stages["0"]["per_user_file"] is None
    assert not list(run.dir.glob("*.parquet"))
