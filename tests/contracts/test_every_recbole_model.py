"""Every RecBole model is wrapped, tapped and trained for a batch, by the one wrapper there is."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from models.losses import find_loss
from models.transfer.layers import count_parameters
from models.transfer.rows import RowMatcher, StudentRows
from models.transfer.taps import Taps
from models.transfer.teachers import Teacher
from models.transfer.wrapper import Term, TransferWrapper
from tests.contracts.build import Built, build
from tests.contracts.recbole_models import CASES, LEFT_OUT, ModelCase
from utils.recbole_port import known_models, training
from utils.recbole_port.session import seed_everything

TAPPED = [case for case in CASES if case.tap]
UNTAPPED = [case for case in CASES if not case.tap]
# The trainers that do more in an epoch than RecBole's plain one, and how many parts their losses have when wrapped:
# the model's own and the transfer's, and for CKE and NCL their other two, for KGAT and MKR the knowledge graph's.
OWN_TRAINERS = {"CKE": 4, "KGAT": 3, "MKR": 3, "NCL": 4, "RaCT": 2, "RecVAE": 2, "S3Rec": 2}


def _named(case: ModelCase) -> str:
    return case.name


def _hooks(model: nn.Module) -> int:
    """Forward hooks in all modules, and methods that were replaced on the object."""
    return sum(
        len(module._forward_hooks) + sum(callable(value) and hasattr(type(module), name) for name, value in own)
        for module in model.modules()
        for own in [vars(module).items()]
    )


def _loss_of(built: Built, case: ModelCase) -> Callable[[Any], Any]:
    return lambda batch: getattr(built.model, case.loss)(batch, **case.loss_args)


def _tap_width(built: Built, case: ModelCase, batch: Any) -> int:
    """How wide the tapped vectors are, seen in one loss."""
    taps = Taps(built.model)
    taps.add([str(case.tap)])
    with taps.recording():
        _loss_of(built, case)(batch)
        fired = taps.fired[0]
        output = fired.call().output
    taps.remove()
    while not isinstance(output, torch.Tensor):
        output = output[fired.tap.item or 0]
    return int(output.shape[-1])


def _teacher(built: Built, case: ModelCase, width: int) -> Teacher:
    rows = built.fields.count(case.side)
    vectors = torch.randn(rows, width, generator=torch.Generator().manual_seed(1))
    return Teacher(case.side, vectors, torch.arange(rows) > 0, "random vectors")


def _wrapper(built: Built, case: ModelCase, width: int, loss: str = "rmse") -> TransferWrapper:
    teacher = _teacher(built, case, width)
    term = Term(find_loss(loss, case.name), [teacher])
    return TransferWrapper(built.model, built.fields, {"": term}, weight=0.5)


@pytest.mark.parametrize("case", TAPPED, ids=_named)
def test_the_transfer_loss_reaches_the_model_and_leaves_no_trace(
    case: ModelCase, tiny: Path, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    built = build(case, tiny, tmp_path)
    model = built.model
    # SGL draws its graphs here, as it does at the start of an epoch.
    model.train()
    batch = built.batch()
    plain = _loss_of(built, case)(batch)
    parts = len(plain) if isinstance(plain, tuple) else 1
    width = _tap_width(built, case, batch)
    before = list(model.state_dict()), count_parameters(model), _hooks(model)

    wrapper = _wrapper(built, case, width)
    wrapper.set_outputs([str(case.tap)])
    losses = _loss_of(built, case)(batch)

    assert len(losses) == parts + 1
    assert math.isfinite(float(sum(losses).detach()))
    assert losses[1] > 0
    losses[1].backward(retain_graph=True)
    reached = [name for name, parameter in model.named_parameters() if _is_moved_by(parameter)]
    assert reached

    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    optimizer.zero_grad()
    old = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    sum(losses).backward()
    optimizer.step()
    assert any(not torch.equal(parameter, old[name]) for name, parameter in model.named_parameters())
    assert all(torch.isfinite(parameter).all() for parameter in model.parameters())

    wrapper.remove_outputs()
    assert (list(model.state_dict()), count_parameters(model), _hooks(model)) == before
    again = _loss_of(built, case)(batch)
    assert (len(again) if isinstance(again, tuple) else 1) == parts
    record_property("covered", "wrapped, tapped and trained for a batch with a transfer loss")


def _is_moved_by(parameter: nn.Parameter) -> bool:
    return parameter.grad is not None and bool((parameter.grad != 0).any())


def _owners(built: Built, case: ModelCase, batch: Any) -> torch.Tensor:
    """Whose rows a batch has: its users, its items, or the items of its sequences."""
    if case.rows == "sequence":
        return batch[built.fields.item_sequence].flatten()
    return batch[built.fields.column(case.side)]


HOW = {
    "batch": {"batch", "ids of the call"},
    "users": {"table", "both tables"},
    "sequence": {"positions of the sequence"},
}


@pytest.mark.parametrize("case", TAPPED, ids=_named)
def test_only_the_vectors_of_a_batchs_own_users_or_items_are_compared(
    case: ModelCase, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So few rows that some users and items are not among them.
    built = build(case, tiny, tmp_path, train_batch_size=8)
    built.model.train()
    batch = built.batch()
    teacher = _teacher(built, case, _tap_width(built, case, batch))
    terms = {"": Term(find_loss("mse", case.name), [teacher])}
    wrapper = TransferWrapper(built.model, built.fields, terms, weight=0.5)
    wrapper.set_outputs([str(case.tap)])
    seen: list[StudentRows] = []
    match = RowMatcher.match

    def watched(matcher: RowMatcher, *args: Any) -> StudentRows:
        seen.append(match(matcher, *args))
        return seen[-1]

    monkeypatch.setattr(RowMatcher, "match", watched)

    def transfer_loss() -> float:
        # The same dropout, masks and graphs each time.
        seed_everything(built.config)
        return float(_loss_of(built, case)(batch)[1].detach())

    before = transfer_loss()
    owners = _owners(built, case, batch)
    matched = seen[0]
    assert matched.matched in HOW[case.rows]
    # A call may be given the batch's ids twice over, for positive and for negative items.
    assert matched.ids.tolist() == owners.tolist() * (len(matched.ids) // len(owners))
    mine = {row for row in owners.tolist() if row}
    others = set(range(1, len(teacher.present))) - mine
    assert mine
    assert others
    for row, counts in ((min(mine), True), (max(mine), True), (min(others), False), (max(others), False), (0, False)):
        kept = teacher.vectors[row].clone()
        teacher.vectors[row] += 10
        assert (transfer_loss() != before) is counts
        teacher.vectors[row] = kept
    assert transfer_loss() == before


@pytest.mark.parametrize("case", UNTAPPED, ids=_named)
def test_a_model_with_nothing_to_learn_is_wrapped_and_left_alone(
    case: ModelCase, tiny: Path, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    built = build(case, tiny, tmp_path)
    before = list(built.model.state_dict()), count_parameters(built.model), _hooks(built.model)
    _wrapper(built, case, width=8)
    loss = _loss_of(built, case)(built.batch())
    loss.sum().backward()
    torch.optim.SGD(built.model.parameters(), lr=0.1).step()
    assert math.isfinite(float(loss.detach()))
    assert (list(built.model.state_dict()), count_parameters(built.model), _hooks(built.model)) == before
    record_property("covered", "with nothing to learn, wrapped and trained for a batch without outputs")


@pytest.mark.parametrize("name", OWN_TRAINERS)
def test_trainers_of_their_own_take_a_loss_of_parts(name: str, tiny: Path, tmp_path: Path) -> None:
    case = next(case for case in TAPPED if case.name == name)
    built = build(case, tiny, tmp_path)
    width = _tap_width(built, case, built.batch())
    wrapper = _wrapper(built, case, width, "cosine")
    wrapper.set_outputs([str(case.tap)])
    trainer = training.build_trainer(built.config, built.model, tmp_path / "model.pth", tmp_path / "tensorboard")
    losses: list[tuple[float, ...]] = []
    trainer._add_train_loss_to_tensorboard = lambda epoch, loss: losses.append(loss)
    trainer.fit(built.train, built.valid, saved=True, show_progress=False)
    assert [len(parts) for parts in losses] == [OWN_TRAINERS[name]]
    assert all(math.isfinite(part) for part in losses[0])


def test_the_models_that_are_not_tapped_are_these() -> None:
    # One that joins them needs a reason as good as theirs.
    assert len(TAPPED) >= 84
    assert sorted(case.name for case in UNTAPPED) == [
        "ADMMSLIM",
        "AsymKNN",
        "EASE",
        "ItemKNN",
        "NCEPLRec",
        "Pop",
        "Random",
        "SLIMElastic",
    ]
    assert LEFT_OUT == {"LightGBM": "needs lightgbm", "XGBoost": "needs xgboost"}


def test_no_model_is_forgotten() -> None:
    theirs = {name for name, model in known_models.models().items() if model.family != "own"}
    assert {case.name for case in CASES} | set(LEFT_OUT) == theirs
