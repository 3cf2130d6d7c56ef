"""A recommender's top items are those of its best model, without what was seen, and asking for them leaves no trace."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from tests.workspace import SASREC, Workspace
from utils.recbole_port import session, training
from utils.recbole_port.top_items import TopItemsError, top_items

SPLIT = {"split": {"LS": "valid_and_test"}, "order": "TO", "group_by": "user"}
SAMPLED = {"eval_args": {**SPLIT, "mode": "uni5"}}
RATED = {
    "eval_args": {**SPLIT, "mode": "labeled"},
    "threshold": {"rating": 4},
    "metrics": ["AUC"],
    "valid_metric": "AUC",
    "train_neg_sample_args": None,
}
NEUMF = {"model": "NeuMF", "mf_embedding_size": 4, "mlp_embedding_size": 4, "mlp_hidden_size": [8]}
DIFFREC = {"model": "DiffRec", "train_neg_sample_args": None, "dims_dnn": [8], "sampling_steps": 2}
# Of 20 items in order of time the last one is the test's and the one before the valid part's.
N_SEEN = {"valid": 18, "test": 19}
N_ITEMS = 40


def _trainer(workspace: Workspace, folder: Path, **settings: Any) -> tuple[Any, Any]:
    ctx = workspace.context(**settings)
    model = session.build_model(ctx.recbole_config(), ctx.data)
    return training.build_trainer(ctx.recbole_config(), model, folder / "model.pth", folder / "tensorboard"), ctx.data


def _trained(workspace: Workspace, folder: Path, scores: tuple[float, ...] = (0.5, 0.4), **settings: Any) -> Any:
    """(trainer, data) after an epoch for each of these valid scores, the weights being the last epoch's."""
    trainer, data = _trainer(workspace, folder, epochs=len(scores), learning_rate=0.05, **settings)
    given = iter(scores)
    trainer._valid_epoch = lambda *args, **options: (score := next(given), {trainer.valid_metric: score})
    training.fit(trainer, data.full_train, data.valid, False, lambda epoch: None)
    return trainer, data


def _items_by_user(workspace: Workspace, data: Any) -> dict[str, list[int]]:
    """User token -> its items by time, as rows without padding."""
    tokens = session.id_map(data, "item_id").real_tokens
    rows = pd.read_csv(workspace.folder / "datasets" / "tiny" / "tiny.inter", sep="\t")
    by_time = rows.sort_values("timestamp:float")
    return {
        user: [tokens.index(item) for item in items]
        for user, items in by_time.groupby("user_id:token", sort=False)["item_id:token"]
    }


def _scores(trainer: Any, data: Any, user: str, history: list[int]) -> np.ndarray:
    """[n_items] by the model's own `predict`, one pair of user and item at a time."""
    from recbole.data.interaction import Interaction

    n = N_ITEMS
    latest = history[-5:]
    row = {
        "user_id": torch.full((n,), data.dataset.token2id("user_id", user)),
        "item_id": torch.arange(1, n + 1),
        "item_id_list": torch.tensor([item + 1 for item in latest]).repeat(n, 1),
        "item_length": torch.full((n,), len(latest)),
    }
    trainer.model.eval()
    with torch.no_grad():
        return trainer.model.predict(data.dataset.join(Interaction(row))).numpy()


def _expected(trainer: Any, data: Any, user: str, seen: list[int], n: int) -> list[int]:
    scores = _scores(trainer, data, user, seen)
    scores[seen] = -np.inf
    return np.argsort(-scores, kind="stable")[:n].tolist()


@pytest.mark.parametrize("part", ["valid", "test"])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {**NEUMF, **SAMPLED},
        {"filter_seen": False},
        {"model": "DeepFM", "embedding_size": 4, **RATED},
        SASREC,
        {**SASREC, **SAMPLED, "train_rows": "prefix"},
    ],
    ids=["BPR", "NeuMF-sampled", "BPR-seen-kept", "DeepFM-labeled", "SASRec", "SASRec-sampled"],
)
def test_lists_are_a_sort_of_all_unseen_items_by_score(
    settings: dict[str, Any], part: Any, workspace: Workspace, tmp_path: Path
) -> None:
    trainer, data = _trained(workspace, tmp_path, **settings)
    found = top_items(trainer, data, part, 10)
    trainer.model.load_state_dict(torch.load(tmp_path / "model.pth")["state_dict"])
    by_user = _items_by_user(workspace, data)
    assert found.users == tuple(session.id_map(data, "user_id").real_tokens)
    assert (found.items.dtype, found.scores.dtype) == (np.int32, np.float32)
    assert (np.diff(found.scores) <= 0).all()
    for user, items, scores in zip(found.users, found.items, found.scores, strict=True):
        seen = by_user[user][: N_SEEN[part]]
        assert items.tolist() == _expected(trainer, data, user, seen, 10), user
        np.testing.assert_allclose(scores, _scores(trainer, data, user, seen)[items], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("settings", [{}, NEUMF, {"model": "LightGCN"}, {**SASREC, "filter_seen": True}])
def test_how_many_targets_they_hold_is_the_recall_of_test_eval(
    settings: dict[str, Any], workspace: Workspace, tmp_path: Path
) -> None:
    trainer, data = _trained(workspace, tmp_path, **settings)
    found = top_items(trainer, data, "test", 5)
    metrics, _ = training.test(trainer, data.full_train, data.test, False)
    targets = _items_by_user(workspace, data)
    hits = [targets[user][-1] in items for user, items in zip(found.users, found.items.tolist(), strict=True)]
    assert metrics["recall@5"] == round(sum(hits) / 30, 4)
    assert 0 < sum(hits) < 30


def test_the_best_model_ranks_and_the_last_one_stays(workspace: Workspace, tmp_path: Path) -> None:
    trainer, data = _trained(workspace, tmp_path / "three", scores=(0.5, 0.4, 0.3))
    last = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    found = top_items(trainer, data, "test", 5)
    single, data_of_single = _trained(workspace, tmp_path / "one", scores=(0.5,))
    expected = top_items(single, data_of_single, "test", 5)
    np.testing.assert_array_equal(found.items, expected.items)
    np.testing.assert_array_equal(found.scores, expected.scores)
    assert all(torch.equal(value, last[name]) for name, value in trainer.model.state_dict().items())
    assert not torch.equal(last["item_embedding.weight"], single.model.state_dict()["item_embedding.weight"])


@pytest.mark.parametrize("settings", [{"model": "LightGCN"}, DIFFREC])
def test_trainer_model_loaders_and_generators_are_left_as_they_were(
    settings: dict[str, Any], workspace: Workspace, tmp_path: Path
) -> None:
    trainer, data = _trained(workspace, tmp_path, **settings)
    trainer.model.train()
    attributes, of_model, rows = dict(vars(trainer)), dict(vars(trainer.model)), data.test._dataset.inter_feat
    columns = dict(rows.interaction)
    torch.manual_seed(3)
    expected = torch.rand(1), np.random.RandomState(3).random()
    torch.manual_seed(3)
    np.random.seed(3)
    top_items(trainer, data, "test", 5)
    assert (torch.rand(1), np.random.random()) == expected
    assert trainer.model.training
    assert vars(trainer).keys() == attributes.keys()
    assert all(vars(trainer)[name] is value for name, value in attributes.items())
    # LightGCN keeps what it has propagated, and DiffRec draws as it predicts.
    assert all(vars(trainer.model)[name] is value for name, value in of_model.items())
    assert data.test._dataset.inter_feat is rows
    assert all(rows[name] is column for name, column in columns.items())


def test_users_are_in_recboles_order_whatever_that_of_a_sequential_part(workspace: Workspace, tmp_path: Path) -> None:
    trainer, data = _trainer(workspace, tmp_path, **SASREC)
    part = data.test._dataset
    backwards = part.copy(part.inter_feat[torch.arange(len(part)).flip(0)])
    expected = top_items(trainer, data, "test", 5)
    found = top_items(trainer, replace(data, test=SimpleNamespace(_dataset=backwards)), "test", 5)
    assert found.users == expected.users
    np.testing.assert_array_equal(found.items, expected.items)


def test_without_a_training_the_model_as_it_is_ranks_and_ties_go_to_the_lower_row(
    workspace: Workspace, tmp_path: Path
) -> None:
    trainer, data = _trainer(workspace, tmp_path)
    torch.nn.init.zeros_(trainer.model.user_embedding.weight)
    found = top_items(trainer, data, "test", 21)
    by_user = _items_by_user(workspace, data)
    assert not found.scores.any()
    for user, items in zip(found.users, found.items.tolist(), strict=True):
        assert items == sorted(set(range(N_ITEMS)) - set(by_user[user][:19]))


@pytest.mark.parametrize("n", [22, 41, 100])
def test_more_items_than_are_left_are_refused(n: int, workspace: Workspace, tmp_path: Path) -> None:
    trainer, data = _trainer(workspace, tmp_path)
    before = dict(vars(trainer))
    # 40 items less the 19 of train and valid part.
    with pytest.raises(TopItemsError, match=f"user 'u1' has only 21 items left .* first {n} .* accepted are 21 at"):
        top_items(trainer, data, "test", n)
    assert vars(trainer) == before


def test_scores_that_are_no_numbers_are_refused(workspace: Workspace, tmp_path: Path) -> None:
    trainer, data = _trainer(workspace, tmp_path)
    torch.nn.init.constant_(trainer.model.user_embedding.weight[3], torch.nan)
    user = data.dataset.id2token("user_id", 3)
    with pytest.raises(TopItemsError, match=f"BPR gives NaN as a score for user '{user}'"):
        top_items(trainer, data, "test", 5)


@pytest.mark.parametrize(("part", "split"), [("test", "valid_only"), ("valid", "test_only")])
def test_a_part_that_is_not_there_is_refused(part: Any, split: str, workspace: Workspace, tmp_path: Path) -> None:
    trainer, data = _trainer(workspace, tmp_path, eval_args={**SPLIT, "split": {"LS": split}, "mode": "full"})
    with pytest.raises(TopItemsError, match=f"the split has no {part} part"):
        top_items(trainer, data, part, 5)
