"""AutoIntKAR, DCNKAR and DeepFMKAR: RecBole's backbones with the knowledge of user and item as further fields."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch

from models.transfer.teachers import Side, Teacher
from tests.contracts.recbole_models import CONTEXT_MLP
from tests.workspace import TRAIN, Workspace, metrics
from utils.recbole_port import session

MODELS = ("AutoIntKAR", "DCNKAR", "DeepFMKAR")
FULL: dict[str, Any] = {"split": {"RS": [0.8, 0.1, 0.1]}, "order": "RO", "group_by": "user", "mode": "full"}
SETTINGS: dict[str, Any] = {
    **CONTEXT_MLP,
    "eval_args": FULL,
    "users_emb_file": "u.pt",
    "items_emb_file": "i.pt",
    "kar_hidden_size": 4,
}
COUNTS: dict[Side, int] = {"users": 31, "items": 41}
# Of RecBole's fields of CONTEXT_MLP: user, item, age, gender, occupation, release_year, class.
FIELDS = 7


def _teacher(side: Side, width: int = 6) -> Teacher:
    """Vectors of all users or items but the padding."""
    vectors = torch.randn(COUNTS[side], width, generator=torch.Generator().manual_seed(0))
    vectors[0] = 0
    return Teacher(side, vectors, torch.arange(COUNTS[side]) > 0, "vectors of a test")


def _built(workspace: Workspace, model: str, teachers: list[Teacher] | None = None, **settings: Any) -> Any:
    ctx = workspace.context(model=model, **copy.deepcopy({**SETTINGS, **settings}))
    given = [_teacher("users"), _teacher("items")] if teachers is None else teachers
    vectors = {teacher.side: teacher for teacher in given}
    return session.build_model(ctx.recbole_config(), ctx.data, vectors), ctx


def _batch(ctx: Any) -> Any:
    return next(iter(ctx.data.full_train))


@pytest.mark.parametrize("model", MODELS)
def test_users_and_items_have_a_field_more_each(workspace: Workspace, model: str) -> None:
    built, ctx = _built(workspace, model)
    batch = _batch(ctx)
    assert built.num_feature_field == FIELDS + 2
    assert built.concat_embed_input_fields(batch).shape == (len(batch), FIELDS + 2, 8)
    assert built(batch).shape == (len(batch),)


def test_one_side_alone_is_one_field_more(workspace: Workspace) -> None:
    built, ctx = _built(workspace, "DCNKAR", [_teacher("items")])
    assert built.concat_embed_input_fields(_batch(ctx)).shape[1] == FIELDS + 1


def test_a_field_is_the_adapted_vector_of_the_rows_own_user_and_item(workspace: Workspace) -> None:
    built, ctx = _built(workspace, "DCNKAR")
    batch = _batch(ctx)
    fields = built.concat_embed_input_fields(batch)
    for place, side, column in ((-2, "users", "user_id"), (-1, "items", "item_id")):
        own = torch.stack([_teacher(side).vectors[row] for row in batch[column].tolist()])  # type: ignore[arg-type]
        torch.testing.assert_close(fields[:, place], built.adaptor.adapt(own, side))


def test_another_width_is_projected_to_that_of_the_embeddings(workspace: Workspace) -> None:
    built, ctx = _built(workspace, "DeepFMKAR", output_kar_dim=5)
    assert (built.projection.in_features, built.projection.out_features) == (5, 8)
    assert built.concat_embed_input_fields(_batch(ctx)).shape[2] == 8


def test_a_row_without_a_vector_has_a_field_of_zeros(workspace: Workspace) -> None:
    teacher = _teacher("users")
    teacher.present[5] = False
    built, _ = _built(workspace, "DCNKAR", [teacher], output_kar_dim=5)
    for parameter in built.parameters():
        torch.nn.init.normal_(parameter)
    zero = built._field(torch.tensor([5, 6]), "users") == 0
    assert zero.all(dim=1).tolist() == [True, False]


@pytest.mark.parametrize("model", ["DCNKAR", "DeepFMKAR"])
def test_without_any_knowledge_the_scores_are_recboles(workspace: Workspace, model: str) -> None:
    # Fields of zeros add nothing to a cross, a factorization machine or a layer without dropout.
    nothing = [
        Teacher(side, torch.zeros(count, 6), torch.zeros(count, dtype=torch.bool), "nothing")
        for side, count in COUNTS.items()
    ]
    built, ctx = _built(workspace, model, nothing)
    plain_settings = {name: value for name, value in SETTINGS.items() if not name.endswith("_emb_file")}
    del plain_settings["kar_hidden_size"]
    other = workspace.context(model=model.removesuffix("KAR"), **copy.deepcopy(plain_settings))
    plain = session.build_model(other.recbole_config(), other.data)
    ours = built.state_dict()
    with torch.no_grad():
        for name, value in plain.state_dict().items():
            value.copy_(_first_fields(ours[name], value))
    batch = _batch(ctx)
    with torch.no_grad():
        torch.testing.assert_close(built.eval()(batch), plain.eval()(batch))


def _first_fields(ours: torch.Tensor, theirs: torch.Tensor) -> torch.Tensor:
    """A weight without its columns for the knowledge of user and item, which are 2 * 8 after the first 7 * 8."""
    if ours.shape == theirs.shape:
        return ours
    kept = [*range(FIELDS * 8), *range((FIELDS + 2) * 8, ours.shape[-1])]
    return ours[..., kept]


@pytest.mark.parametrize("model", MODELS)
def test_the_vectors_do_not_learn_and_are_in_no_checkpoint(workspace: Workspace, model: str) -> None:
    built, ctx = _built(workspace, model)
    before = _teacher("users").vectors
    built.calculate_loss(_batch(ctx)).backward()
    torch.optim.SGD(built.parameters(), lr=1.0).step()
    assert not built.users_vectors.requires_grad
    assert torch.equal(built.users_vectors, before)
    assert [name for name in built.state_dict() if "vectors" in name or "present" in name] == []
    assert built.adaptor.gates["item"].weight.grad.abs().sum() > 0
    # What a checkpoint says of the settings holds none either.
    assert [name for name in ctx.recbole_config().final_config_dict if name.endswith("_vectors")] == []


def test_a_model_without_vectors_says_what_to_set(workspace: Workspace) -> None:
    with pytest.raises(ValueError, match="DCNKAR needs vectors; set users_emb_file and/or items_emb_file"):
        _built(workspace, "DCNKAR", [])


def test_a_stated_width_has_to_be_the_vectors(workspace: Workspace) -> None:
    with pytest.raises(ValueError, match="item_kar_emb is 8, but the vectors of vectors of a test are 6 wide"):
        _built(workspace, "DCNKAR", item_kar_emb=8)


def test_settings_are_those_of_the_backbone_where_nothing_is_said(workspace: Workspace) -> None:
    ctx = workspace.context(model="AutoIntKAR", load_col=CONTEXT_MLP["load_col"])
    config = ctx.recbole_config()
    assert (config["embedding_size"], config["attention_size"], config["dropout_probs"]) == (10, 16, [0.2, 0.2, 0.2])
    assert (config["shared_kar_experts_n"], config["user_kar_experts_n"], config["kar_hidden_size"]) == (2, 5, 128)


def _trained(workspace: Workspace, model: str, name: str, steps: list[Any] = TRAIN, **settings: Any) -> Any:
    given = copy.deepcopy({**SETTINGS, "epochs": 1, **settings})
    return workspace.run(steps, name, model=model, **given)


@pytest.fixture(scope="module", autouse=True)
def _vector_files(workspace: Workspace) -> None:
    workspace.save_vectors("u.pt", [f"u{number}" for number in range(1, 31)], 6)
    workspace.save_vectors("i.pt", [f"i{number}" for number in range(1, 31)], 6)


@pytest.mark.parametrize("model", MODELS)
def test_it_trains_and_ranks_all_items(workspace: Workspace, model: str) -> None:
    run = _trained(workspace, model, "ranking", [*TRAIN, {"info": 1}])
    assert run.record.status == "done", run.console.text
    assert set(metrics(run.record)) == {"recall@5", "ndcg@5"}
    assert run.facts("init_model")["coverage"] == {"users": "30 of 30 users", "items": "30 of 40 items"}
    assert run.facts("init_model")["users_emb"] == "u.pt"
    assert "HybridExpertAdaptor" in run.console.text


def test_it_is_measured_on_labels_as_well(workspace: Workspace) -> None:
    labelled = {"eval_args": {**FULL, "mode": "labeled"}, "metrics": ["AUC"], "valid_metric": "AUC", "topk": [5]}
    run = _trained(workspace, "DeepFMKAR", "labels", **labelled)
    assert set(metrics(run.record)) == {"auc"}, run.console.text


def test_a_file_in_another_order_gives_the_same_scores(workspace: Workspace) -> None:
    from utils.data.embeddings import VectorFile, read_vectors, write_vectors

    file = read_vectors(workspace.vectors / "u.pt")
    assert file.tokens is not None
    write_vectors(workspace.vectors / "turned.pt", VectorFile(file.vectors.flip(0), file.tokens[::-1], {}))
    write_vectors(workspace.vectors / "wrong.pt", VectorFile(file.vectors.flip(0), file.tokens, {}))
    as_is, turned, wrong = (
        _trained(workspace, "DCNKAR", name.removesuffix(".pt"), users_emb_file=name).record
        for name in ("u.pt", "turned.pt", "wrong.pt")
    )
    losses = [record.stages["0"]["epochs"][0]["losses"] for record in (as_is, turned, wrong)]
    assert losses[0] == losses[1] != losses[2]


def test_a_checkpoint_goes_on_with_the_vectors_of_the_files(workspace: Workspace) -> None:
    first = _trained(workspace, "AutoIntKAR", "first")
    tensors = torch.load(first.dir / "model.pth", weights_only=True)["state_dict"]
    assert not any("vectors" in name for name in tensors)
    load: list[Any] = ["init_model", "init_trainer", {"load_from_file": str(first.dir / "model.pth")}, "test_eval"]
    again = _trained(workspace, "AutoIntKAR", "again", load)
    assert metrics(again.record) == metrics(first.record), again.console.text


def test_a_transfer_loss_can_be_put_on_it_too(workspace: Workspace) -> None:
    wrap = [{"wrap_model": {"distil_loss": "rmse", "users_emb_file": "u.pt"}}, {"set_outputs": ["adaptor#1"]}]
    settings = {"embedding_size": 6}
    run = _trained(workspace, "DCNKAR", "wrapped", [TRAIN[0], *wrap, *TRAIN[1:]], **settings)
    assert run.record.status == "done", run.console.text
    assert run.record.stages["0"]["transferred"]


@pytest.mark.parametrize("control", ["random", "shuffled"])
def test_a_control_takes_the_place_of_its_vectors(workspace: Workspace, control: str) -> None:
    knowing = _trained(workspace, "DeepFMKAR", "knowing")
    run = _trained(workspace, "DeepFMKAR", control, control=control)
    assert run.facts("init_model")["control"] == control
    assert run.record.stages["0"]["epochs"][0]["losses"] != knowing.record.stages["0"]["epochs"][0]["losses"]
