"""Whole files of LLM-KT's run to their end as they are; only their trainings are cut short."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import pytest

from tests.workspace import Lines, standing_in
from utils.journal.records import RunRecord
from utils.runner import run_plan
from utils.scenario import plan, source

HERE = Path(__file__).parent
# More users than the 128 dimensions that the files reduce their vectors to.
USERS, ITEMS, PER_USER, WIDTH = 150, 60, 20, 160


def _write_dataset(folder: Path) -> None:
    """`folder/ml-1m` as LLM-KT has it: one file of interactions, and the same in three parts."""
    draw = random.Random(3)
    parts: dict[str, list[str]] = {"train": [], "valid": [], "test": []}
    for user in range(1, USERS + 1):
        for step, item in enumerate(draw.sample(range(1, ITEMS + 1), PER_USER)):
            part = "train" if step < PER_USER - 6 else "valid" if step < PER_USER - 3 else "test"
            # Two of three are liked, so that enough are left of a file that keeps only those.
            rating = 5 - 3 * (step % 3 == 2)
            parts[part].append(f"{user}\t{item}\t{rating}\t{1000 * user + step}")
    target = folder / "ml-1m"
    target.mkdir(parents=True)
    whole = [row for rows in parts.values() for row in rows]
    for name, rows in {"ml-1m": whole, **{f"ml-1m.{part}": rows for part, rows in parts.items()}}.items():
        header = "user_id:token\titem_id:token\trating:float\ttimestamp:float"
        (target / f"{name}.inter").write_text("\n".join([header, *rows]) + "\n", "utf-8")


def _write_profiles(folder: Path) -> None:
    """Profiles in LLM-KT's JSON, users in no order, and the same vectors in a `.pt` file."""
    from utils.data.preprocess import write_from_json

    draw = random.Random(4)
    users = draw.sample(range(1, USERS + 1), USERS)
    profiles = [
        {"id": user, "description": f"likes {user}", "embedding": [draw.gauss(0, 1) for _ in range(WIDTH)]}
        for user in users
    ]
    target = folder / "llm_embeddings" / "ml-1m"
    target.mkdir(parents=True)
    (target / "profiles.json").write_text(json.dumps(profiles), "utf-8")
    write_from_json(target, "profiles.json", "user1536.pt")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    _write_dataset(tmp_path / "datasets")
    _write_profiles(tmp_path / "datasets")
    return tmp_path


def _run(folder: Path, name: str) -> RunRecord:
    text = (HERE / "llm_kt" / name).read_text("utf-8")
    # Nothing but the number of epochs is another one.
    short = re.sub(r"((?:'epochs'|\bepochs): )\d+", r"\g<1>2", text)
    (folder / name).write_text(short, "utf-8")
    console = Lines()
    with standing_in(folder):
        record = run_plan(plan.build(source.read(Path(name))), console)
    assert record.status == "done", console.text
    return record


def _metrics(*ks: int) -> set[str]:
    return {f"{metric}@{k}" for metric in ("recall", "mrr", "ndcg", "hit", "precision", "map") for k in ks}


def test_the_neumf_file_runs(folder: Path) -> None:
    pytest.importorskip("umap")
    record = _run(folder, "neumf_ml1m.yaml")
    distilled, tuned = record.stages["0"], record.stages["1"]
    assert (distilled["transferred"], tuned["transferred"]) == (True, False)
    assert (distilled["loss_name"], distilled["users_emb"]) == ("NeumfUserRMSE", "user128.pt")
    # On the first half of the train set, then on all of it.
    assert (distilled["train_ds_ind"], tuned["train_ds_ind"]) == (0, 2)
    for stage, parts in ((distilled, 2), (tuned, 1)):
        assert [len(epoch["losses"]) for epoch in stage["epochs"]] == [parts, parts]
        assert set(stage["best_test_res"]) == _metrics(5, 10, 20)
    assert (folder / "neumf_ml1m.csv").is_file()


def test_the_multivae_file_runs(folder: Path) -> None:
    record = _run(folder, "multivae_ml1m.yaml")
    distilled, tuned = record.stages["0"], record.stages["1"]
    assert (distilled["transferred"], tuned["transferred"]) == (True, False)
    assert (distilled["loss_name"], distilled["particular"]) == ("MultiVAEUserRMSE", True)
    for stage, parts in ((distilled, 2), (tuned, 1)):
        assert [len(epoch["losses"]) for epoch in stage["epochs"]] == [parts, parts]
        assert set(stage["best_test_res"]) == _metrics(10)
    # `save: False` keeps no model, and save_datasets writes the parts of benchmark_filename.
    assert not list((folder / "saved").rglob("*.pth"))
    assert len((folder / "multivae_ml1m.test.tsv").read_text("utf-8").splitlines()) == 1 + 3 * USERS
