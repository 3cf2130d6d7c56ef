"""Our SASRec is RecBole's on the same weights, learns every position of a window, and sees nothing of what follows."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional

from tests.workspace import SASREC, TRAIN, Workspace, metrics
from utils.recbole_port import session

LONGEST = 5


def _model(workspace: Workspace, **settings: Any) -> tuple[Any, Any]:
    given = {**SASREC, "n_heads": 2, "hidden_dropout_prob": 0.0, "attn_dropout_prob": 0.0, **settings}
    ctx = workspace.context(**given)
    model = session.build_model(ctx.recbole_config(), ctx.data)
    # Away from the small weights of the start, where many mistakes would not show.
    for number, parameter in enumerate(model.parameters()):
        torch.manual_seed(number)
        parameter.data += 0.3 * torch.randn_like(parameter)
    model.item_embedding.weight.data[0] = 0
    return model, ctx.data


def test_states_and_scores_are_recboles(workspace: Workspace) -> None:
    from recbole.model.sequential_recommender.sasrec import SASRec as RecBoleSASRec

    model, data = _model(workspace, train_rows="windows")
    model.eval()
    rows, *_ = next(iter(data.test))
    torch.testing.assert_close(
        model.full_sort_predict(rows), RecBoleSASRec.full_sort_predict(_as_recboles(model), rows), rtol=1e-4, atol=1e-5
    )
    scores = model.full_sort_predict(rows)
    chosen = scores.gather(1, rows["item_id"].unsqueeze(1)).squeeze(1)
    torch.testing.assert_close(model.predict(rows), chosen, rtol=1e-4, atol=1e-5)


def _as_recboles(model: Any) -> Any:
    model.windows = False
    return model


def test_the_state_dict_is_recboles(workspace: Workspace) -> None:
    from recbole.model.sequential_recommender.sasrec import SASRec as RecBoleSASRec

    model, data = _model(workspace)
    theirs = RecBoleSASRec(workspace.context(**SASREC, n_heads=2).recbole_config(), data.full_train._dataset)
    assert {name: value.shape for name, value in model.state_dict().items()} == {
        name: value.shape for name, value in theirs.state_dict().items()
    }


def test_the_loss_of_windows_is_the_mean_over_their_prefixes(workspace: Workspace) -> None:
    model, data = _model(workspace, train_rows="windows")
    batch = next(iter(data.full_train))
    losses = []
    for row in range(len(batch)):
        items = [*batch["item_id_list"][row][: batch["item_length"][row]].tolist(), int(batch["item_id"][row])]
        for end in range(1, len(items)):
            history = torch.tensor([items[:end] + [0] * (LONGEST - end)])
            logits = model.forward(history, torch.tensor([end])) @ model.item_embedding.weight.T
            losses.append(functional.cross_entropy(logits, torch.tensor(items[end : end + 1])))
    torch.testing.assert_close(model.calculate_loss(batch), torch.stack(losses).mean(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("architecture", ["recbole", "paper"])
def test_no_state_knows_what_follows_nor_what_padding_holds(workspace: Workspace, architecture: str) -> None:
    model, _ = _model(workspace, train_rows="windows", architecture=architecture)
    model.eval()
    history, other = torch.tensor([[3, 4, 5, 6, 7]]), torch.tensor([[3, 4, 5, 9, 8]])
    torch.testing.assert_close(model.encode(history)[:, :3], model.encode(other)[:, :3])
    assert not torch.allclose(model.encode(history)[:, 3:], model.encode(other)[:, 3:])
    short = torch.tensor([[3, 4, 0, 0, 0]])
    torch.testing.assert_close(model.encode(short)[:, :2], model.encode(history)[:, :2])


def test_the_papers_blocks_are_its_equations(workspace: Workspace) -> None:
    model, _ = _model(workspace, train_rows="windows", architecture="paper", n_heads=1, n_layers=1)
    model.eval()
    history = torch.tensor([[3, 4, 5]])
    block, width = model.trm_encoder.blocks[0], 8
    x = model.item_embedding(history)[0] * width**0.5 + model.position_embedding.weight[:3]
    query = block.query_norm(x)
    scores = block.query(query) @ block.key(x).T / width**0.5
    weights = torch.stack([functional.softmax(scores[i, : i + 1], 0) @ block.value(x)[: i + 1] for i in range(3)])
    hidden = block.norm(query + weights)
    expected = model.trm_encoder.last_norm(hidden + block.outer(block.inner(hidden).relu()))
    torch.testing.assert_close(model.encode(history)[0], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("settings", [{}, {"softmax": "sampled", "num_negatives": 20}, {"architecture": "paper"}])
def test_a_scenario_trains_and_tests_it(tiny: Workspace, settings: dict[str, Any]) -> None:
    given = {key: value for key, value in SASREC.items() if key != "inner_size" or "architecture" not in settings}
    run = tiny.run(TRAIN, **given, **settings)
    assert run.record.status == "done", run.console.text
    assert run.record.protocol["train_rows"] == "windows"
    losses = [sum(epoch["losses"]) for epoch in run.record.stages["0"]["epochs"]]
    assert losses[1] < losses[0]
    assert metrics(run.record).keys() == {"recall@5", "ndcg@5"}


def test_more_negatives_than_items_are_an_error(tiny: Workspace) -> None:
    run = tiny.run(TRAIN, **SASREC, softmax="sampled", num_negatives=41)
    assert "num_negatives is 41; accepted: a whole number from 1 to 40, the items" in run.console.text


def test_it_learns_a_cycle_by_heart(workspace: Workspace) -> None:
    from models.recommenders.sasrec import SASRec

    model, _ = _model(workspace, train_rows="windows", learning_rate=0.01)
    assert isinstance(model, SASRec)
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    cycle = torch.arange(1, 9)
    rows = torch.stack([cycle.roll(-start)[:5] for start in range(8)])
    batch = {"item_id_list": rows, "item_length": torch.full((8,), 5), "item_id": rows[:, -1] % 8 + 1}
    for _ in range(150):
        optimizer.zero_grad()
        model.calculate_loss(batch).backward()
        optimizer.step()
    model.eval()
    assert torch.equal(model.full_sort_predict(batch).argmax(1), batch["item_id"])
