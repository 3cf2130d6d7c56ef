"""Full ranking in blocks gives RecBole's scores, whatever the size of a block; seen items are left out as asked."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import yaml

from tests.contracts.recbole_models import CASES
from tests.workspace import SASREC, TRAIN, Workspace, metrics
from utils.recbole_port import ranking, session, training
from utils.recbole_port.ranking_loader import Seen

FULL = {"eval_args": {"split": {"LS": "valid_and_test"}, "order": "TO", "group_by": "user", "mode": "full"}}
# With full_sort_predict and without, of every family, those that draw as they predict among them.
MODELS = [
    "BPR",
    "LightGCN",
    "NeuMF",
    "ConvNCF",
    "DMF",
    "DeepFM",
    "FM",
    "CKE",
    "MultiVAE",
    "DiffRec",
    "SASRec",
    "GRU4Rec",
]


def _trainer(workspace: Workspace, model: str, **settings: Any) -> tuple[Any, Any]:
    case = next(case for case in CASES if case.name == model)
    columns = case.settings.get("load_col")
    loaded = columns and {**columns, "inter": sorted({*columns["inter"], "timestamp"})}
    given = {**case.settings, **FULL, **settings, "load_col": loaded, "model": model}
    given.pop("threshold", None)
    ctx = workspace.context(**given)
    config = ctx.recbole_config()
    built = session.build_model(config, ctx.data)
    return training.build_trainer(config, built, ctx.run_dir / "model.pth", ctx.run_dir / "tensorboard"), ctx.data


@pytest.mark.parametrize("model", MODELS)
def test_metrics_are_recboles_in_blocks_of_any_size(
    model: str, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    from recbole.trainer import Trainer

    trainer, data = _trainer(workspace, model)
    found = {}
    for name, size in {"one row": 1, "some rows": 2**16, "all rows": 2**27}.items():
        monkeypatch.setattr(ranking, "BLOCK_BYTES", size)
        trainer._rows_at_once = None
        torch.manual_seed(0)
        found[name], _ = training.test(trainer, data.full_train, data.test, False)
    monkeypatch.setattr(type(trainer), "_full_sort_batch_eval", Trainer._full_sort_batch_eval)
    torch.manual_seed(0)
    found["RecBole"], _ = training.test(trainer, data.full_train, data.test, False)
    if model != "DiffRec":
        # Its noise is drawn once per block.
        assert found["one row"] == found["some rows"] == found["RecBole"]
    assert found["all rows"] == found["RecBole"]
    assert found["RecBole"].keys() == {"recall@5", "ndcg@5"}


@pytest.mark.parametrize("model", ["BPR", "DeepFM", "SASRec"])
@pytest.mark.parametrize("filter_seen", [True, False])
def test_seen_items_are_left_out_or_kept_for_every_family(model: str, filter_seen: bool, workspace: Workspace) -> None:
    trainer, data = _trainer(workspace, model, filter_seen=filter_seen)
    batch = next(iter(data.test))
    trainer.tot_item_num = data.dataset.item_num
    trainer.item_tensor = data.test._dataset.get_item_feature()
    trainer.model.eval()
    with torch.no_grad():
        rows, scores, _, targets = trainer._full_sort_batch_eval(batch)
    out = torch.isinf(scores[:, 1:]).sum(dim=1)
    # 20 items each: one is the test item, the others were in the train or the valid part.
    assert set(out.tolist()) == ({19} if filter_seen else {0})
    assert not torch.isinf(scores[torch.arange(len(rows)), targets]).any()


def test_the_valid_part_is_seen_for_the_test_only(workspace: Workspace) -> None:
    _, data = _trainer(workspace, "SASRec", filter_seen=True, train_rows="windows")
    for part, seen in ((data.valid, 18), (data.test, 19)):
        _, (row, item), _, _ = next(iter(part))
        assert {len(items) for items in _by_row(row, item).values()} == {seen}


def _by_row(row: torch.Tensor, item: torch.Tensor) -> dict[int, set[int]]:
    found: dict[int, set[int]] = {}
    for one, seen in zip(row.tolist(), item.tolist(), strict=True):
        found.setdefault(one, set()).add(seen)
    return found


@pytest.mark.parametrize("model", ["BPR", "SASRec"])
def test_without_eval_batch_size_all_users_are_one_batch(model: str, tiny: Workspace) -> None:
    from tests.workspace import SETTINGS

    given = {**SETTINGS, **(SASREC if model == "SASRec" else {}), "scenario": TRAIN}
    if model == "SASRec":
        del given["embedding_size"]
    bounded, free = tiny.folder / "bounded.yaml", tiny.folder / "free.yaml"
    bounded.write_text(yaml.safe_dump({**given, "eval_batch_size": 100}), "utf-8")
    del given["eval_batch_size"]
    free.write_text(yaml.safe_dump(given), "utf-8")
    runs = [tiny.run_file(file) for file in (bounded, free)]
    assert [run.record.status for run in runs] == ["done", "done"]
    assert metrics(runs[0].record) == metrics(runs[1].record)


@pytest.mark.parametrize("rows", ["windows", "last_window", "prefix"])
def test_every_earlier_item_is_left_out_whatever_the_rows(rows: str, workspace: Workspace) -> None:
    _, data = _trainer(workspace, "SASRec", filter_seen=True, train_rows=rows, MAX_ITEM_LIST_LENGTH=4)
    for part, seen in ((data.valid, 18), (data.test, 19)):
        _, (row, item), _, _ = next(iter(part))
        assert {len(items) for items in _by_row(row, item).values()} == {seen}


@pytest.mark.parametrize(("filter_seen", "left_out"), [(True, 19), (None, 0)])
def test_a_repeatable_general_model_leaves_out_what_it_says(
    filter_seen: bool | None, left_out: int, workspace: Workspace
) -> None:
    said = {} if filter_seen is None else {"filter_seen": filter_seen}
    _, data = _trainer(workspace, "BPR", repeatable=True, **said)
    _, history, _, _ = next(iter(data.test))
    found = 0 if history is None else len(_by_row(*history)[0])
    assert found == left_out
    assert data.test.config["filter_seen"] is bool(filter_seen)


@pytest.mark.parametrize("split", ["test_only", "valid_only"])
@pytest.mark.parametrize("rows", ["windows", "prefix"])
def test_a_part_may_be_empty(split: str, rows: str, tiny: Workspace) -> None:
    given = {"eval_args": {"split": {"LS": split}, "order": "TO", "group_by": "user", "mode": "full"}}
    steps = TRAIN[:-1] if split == "valid_only" else TRAIN
    run = tiny.run(steps, "empty", **SASREC, **given, filter_seen=True, train_rows=rows)
    assert run.record.status == "done", run.console.text


def test_seen_pairs_are_kept_by_user_each_once() -> None:
    seen = Seen.of(torch.tensor([2, 1, 2, 2, 0]), torch.tensor([3, 4, 3, 1, 2]), n_users=4, n_items=5)
    rows, items = seen.of_rows(torch.tensor([2, 3, 1]))
    assert (rows.tolist(), items.tolist()) == ([0, 0, 2], [1, 3, 4])


def test_a_repeated_target_stays_in_the_ranking(workspace: Workspace) -> None:
    _, data = _trainer(workspace, "SASRec", filter_seen=True)
    rows, _, _, targets = next(iter(data.test))
    rows["item_id_list"][0, 0] = targets[0]
    row, item = data.test._history(data.test._seen, rows, torch.arange(len(rows)), targets)
    assert int(targets[0]) not in _by_row(row, item)[0]


def test_the_record_and_the_table_say_how_seen_items_were_treated(tiny: Workspace) -> None:
    from utils.journal.summary import summary_table

    kept = tiny.run(TRAIN, "kept", **SASREC)
    left_out = tiny.run(TRAIN, "left_out", **SASREC, filter_seen=True)
    assert (kept.record.protocol["filter_seen"], left_out.record.protocol["filter_seen"]) == (False, True)
    assert "(seen items left out)" in left_out.console.text
    assert metrics(kept.record)["recall@5"] <= metrics(left_out.record)["recall@5"]
    table = summary_table([kept.record, left_out.record])
    assert "ranking: seen items kept: SASRec; seen items left out: SASRec; do not compare across these" in table


def test_block_sizes_follow_what_a_row_allocates() -> None:
    def score(rows: torch.Tensor) -> torch.Tensor:
        return rows.unsqueeze(1).expand(-1, 100).contiguous() + 1

    # Two tensors of 100 float32 per row; what expand returns is a view that counts as well.
    assert ranking.bytes_per_row(score, torch.zeros(5)) >= 2 * 100 * 4
