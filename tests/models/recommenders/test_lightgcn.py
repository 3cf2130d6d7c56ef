"""Our LightGCN computes what RecBole's does from the same weights, and weighs its layers as it is told."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from tests.workspace import TRAIN, USERS, Workspace, metrics, transferred
from utils.recbole_port.precision import bfloat16
from utils.recbole_port.session import model_class, seed_everything

SMALL = {"model": "LightGCN", "embedding_size": 8, "n_layers": 3}
EXACT = {"rtol": 1e-5, "atol": 1e-6}


def _pair(workspace: Workspace, **settings: Any) -> tuple[Any, Any, Any]:
    """(our model, RecBole's with the same weights, a batch to train on)."""
    from recbole.model.general_recommender import LightGCN as RecBoleLightGCN

    context = workspace.context(**{**SMALL, **settings})
    config, data = context.recbole_config(), context.data
    seed_everything(config)
    ours = model_class("LightGCN")(config, data.full_train._dataset)
    seed_everything(config)
    theirs = RecBoleLightGCN(config, data.full_train._dataset)
    assert type(ours) is not type(theirs)
    return ours, theirs, next(iter(data.full_train))


@pytest.mark.parametrize("require_pow", [False, True])
@pytest.mark.parametrize("n_layers", [0, 1, 3])
def test_loss_and_gradients_are_recboles(workspace: Workspace, n_layers: int, require_pow: bool) -> None:
    ours, theirs, batch = _pair(workspace, n_layers=n_layers, require_pow=require_pow, reg_weight=0.01)
    losses = [model.calculate_loss(batch) for model in (ours, theirs)]
    for loss in losses:
        loss.sum().backward()
    torch.testing.assert_close(losses[0], losses[1], **EXACT)
    gradients = dict(theirs.named_parameters())
    assert [name for name, _ in ours.named_parameters()] == list(gradients)
    for name, parameter in ours.named_parameters():
        assert gradients[name].grad.abs().max() > 0
        torch.testing.assert_close(parameter.grad, gradients[name].grad, **EXACT)


def test_embeddings_and_scores_are_recboles(workspace: Workspace) -> None:
    ours, theirs, batch = _pair(workspace)
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    for name, value in theirs.state_dict().items():
        assert torch.equal(ours.state_dict()[name], value), name
    for own, their in zip(ours(), theirs(), strict=True):
        torch.testing.assert_close(own, their, **EXACT)
    torch.testing.assert_close(ours.predict(batch), theirs.predict(batch), **EXACT)
    torch.testing.assert_close(ours.full_sort_predict(batch[:5]), theirs.full_sort_predict(batch[:5]), **EXACT)


def test_scores_of_full_ranking_are_computed_anew_after_a_training_step(workspace: Workspace) -> None:
    ours, _, batch = _pair(workspace)
    before = ours.full_sort_predict(batch[:1])
    ours.calculate_loss(batch).sum().backward()
    torch.optim.SGD(ours.parameters(), lr=1.0).step()
    users, items = ours()
    expected = users[batch["user_id"][0]] @ items.T
    torch.testing.assert_close(ours.full_sort_predict(batch[:1]), expected, **EXACT)
    assert not torch.allclose(before, expected)


def test_the_gradient_of_propagation_is_its_numerical_one(workspace: Workspace) -> None:
    ours, _, _ = _pair(workspace, layer_weights="learned", embedding_size=2)
    ours.double()
    ours.norm_adj_matrix = ours.norm_adj_matrix.double()
    tables = [ours.user_embedding.weight, ours.item_embedding.weight, ours.layer_logits]
    assert torch.autograd.gradcheck(lambda *_: torch.cat(ours()), tables, fast_mode=True)


def test_weights_from_a_list_are_those_of_the_layers(workspace: Workspace) -> None:
    ours, _, _ = _pair(workspace, n_layers=2, layer_weights=[0.5, 0, -2])
    ego = ours.get_ego_embeddings()
    adjacency = ours.norm_adj_matrix.to_dense()
    torch.testing.assert_close(torch.cat(ours()), 0.5 * ego - 2 * adjacency @ (adjacency @ ego), **EXACT)


def test_learned_weights_begin_as_the_mean_and_learn(workspace: Workspace) -> None:
    ours, theirs, batch = _pair(workspace, layer_weights="learned")
    assert set(ours.state_dict()) - set(theirs.state_dict()) == {"layer_logits"}
    for own, their in zip(ours(), theirs(), strict=True):
        torch.testing.assert_close(own, their, **EXACT)
    ours.calculate_loss(batch).sum().backward()
    gradient = ours.layer_logits.grad
    # A softmax does not see a number that is added to all logits.
    assert gradient.abs().max() > 0
    assert gradient.sum().item() == pytest.approx(0, abs=1e-7)


@pytest.mark.parametrize("wrong", ["sum", [0.5, 0.5], [1, 2, 3, math.nan], [1, 2, 3, "4"], [1, 2, 3, True], 0.25, None])
def test_other_layer_weights_are_refused(workspace: Workspace, wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"layer_weights is .*; accepted: 'mean', 'learned' or a list of 4 numbers"):
        _pair(workspace, n_layers=3, layer_weights=wrong)


def test_bfloat16_leaves_the_propagation_in_float32(workspace: Workspace) -> None:
    ours, theirs, batch = _pair(workspace)
    with bfloat16(torch.device("cpu")):
        loss = ours.calculate_loss(batch).sum()
        loss.backward()
        assert all(part.dtype == torch.float32 for part in ours())
    theirs.calculate_loss(batch).sum().backward()
    expected = theirs.item_embedding.weight.grad
    torch.testing.assert_close(ours.item_embedding.weight.grad, expected, **EXACT)


@pytest.mark.parametrize("layer_weights", ["mean", "learned", [0.2, 0.3, 0.5]])
def test_scenarios_train_it_with_knowledge_in_its_propagated_embeddings(tiny: Workspace, layer_weights: Any) -> None:
    tiny.save_vectors("u.pt", USERS)
    wrap = [{"wrap_model": {"distil_loss": "cosine", "users_emb_file": "u.pt"}}, {"set_outputs": ["forward"]}]
    settings = {"model": "LightGCN", "embedding_size": 8, "n_layers": 2, "layer_weights": layer_weights}
    run = tiny.run([TRAIN[0], *wrap, *TRAIN[1:]], **settings)
    assert run.record.status == "done", run.console.text
    assert transferred(run.record)
    assert set(metrics(run.record)) == {"recall@5", "ndcg@5"}
