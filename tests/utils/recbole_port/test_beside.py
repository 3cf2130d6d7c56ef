"""Adapters and masks are trained by the model's optimizer, and making them leaves no trace in the training."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.losses.base import LOSSES
from models.transfer.adapters import AdapterSpec
from models.transfer.masking import Mask
from models.transfer.teachers import Teacher
from models.transfer.wrapper import Term, TransferWrapper
from tests.contracts.build import Built, build
from tests.contracts.recbole_models import CASES
from tests.contracts.tiny_dataset import write_tiny_dataset
from utils.recbole_port.beside import learn_beside
from utils.recbole_port.training import TrainingError, build_trainer, close

TAPPED = {case.name: case for case in CASES if case.tap}
# Trainers, loaders and models that do something of their own before a batch.
PECULIAR = [
    "BPR", "CFKG", "CKE", "KGAT", "KGCN", "KGIN", "LDiffRec", "LINE", "MCCLK", "MKR", "MultiVAE", "NCL", "RaCT",
    "S3Rec", "SGL", "SASRec",
]  # fmt: skip
OTHERS = sorted(TAPPED.keys() - {*PECULIAR, "RecVAE"})
WIDTH = 5
ADAPTER = {"adapter": AdapterSpec(teacher="linear")}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "datasets"
    write_tiny_dataset(folder)
    return folder


@pytest.fixture
def made(data: Path, tmp_path: Path) -> Iterator[Any]:
    """A function that builds a model with its trainer and a wrapper; with one adapter, if nothing else is said."""
    trainers = []

    def make(
        name: str, loss: str = "mse", options: Any = ADAPTER, **settings: Any
    ) -> tuple[Built, Any, TransferWrapper]:
        built = build(TAPPED[name], data, tmp_path, **settings)
        trainer = build_trainer(built.config, built.model, tmp_path / "model.pth", tmp_path / "tensorboard")
        trainers.append(trainer)
        return built, trainer, _wrapper(built, name, loss, options)

    yield make
    for trainer in trainers:
        close(trainer)


def _wrapper(built: Built, name: str, loss: str, options: Any) -> TransferWrapper:
    case = TAPPED[name]
    rows = built.fields.count(case.side)
    vectors = torch.randn(rows, WIDTH, generator=torch.Generator().manual_seed(1))
    teacher = Teacher(case.side, vectors, torch.arange(rows) > 0, "v.pt")
    term = Term(LOSSES.get(loss), [teacher], **options)
    wrapper = TransferWrapper(built.model, built.fields, {"near": term}, weight=0.5)
    wrapper.set_outputs([str(case.tap)])
    return wrapper


def _state(built: Built) -> list[Any]:
    """All that a training draws from or changes, but for the methods that are tapped."""
    loaders = [built.train, *(getattr(built.train, name, None) for name in ("general_dataloader", "kg_dataloader"))]
    generators = [loader.generator.get_state().tolist() for loader in loaders if hasattr(loader, "generator")]
    plain = (bool, int, float, str, list, type(None))
    attributes = {
        (path, name): repr(value)
        for path, module in built.model.named_modules()
        for name, value in vars(module).items()
        if isinstance(value, plain)
    }
    weights = {name: value.tolist() for name, value in built.model.state_dict().items()}
    drawn = [random.getstate(), str(np.random.get_state()), torch.get_rng_state().tolist()]
    return [generators, attributes, str(weights), *drawn]


def _leaves_no_trace_and_trains(name: str, made: Any) -> None:
    built, trainer, wrapper = made(name)
    before = _state(built)
    learn_beside(trainer, wrapper, built.train, seed=3)
    assert _state(built) == before
    weights = [value.clone() for value in wrapper.learned.parameters()]
    assert [list(one.shape)[-1] for one in weights][:1] == [WIDTH]
    trainer.fit(built.train, None, saved=False, show_progress=False)
    assert all(not torch.equal(old, new) for old, new in zip(weights, wrapper.learned.parameters(), strict=True))


@pytest.mark.parametrize("name", PECULIAR)
def test_adapters_are_made_before_the_training_and_learn_in_it(name: str, made: Any) -> None:
    _leaves_no_trace_and_trains(name, made)


@pytest.mark.slow
@pytest.mark.parametrize("name", OTHERS)
def test_so_it_is_for_every_other_model(name: str, made: Any) -> None:
    _leaves_no_trace_and_trains(name, made)


def test_one_seed_makes_the_same_adapters(made: Any) -> None:
    def weights(seed: int) -> list[float]:
        built, trainer, wrapper = made("BPR")
        learn_beside(trainer, wrapper, built.train, seed)
        return torch.cat([one.detach().flatten() for one in wrapper.learned.parameters()]).tolist()

    assert weights(3) == weights(3)
    assert weights(3) != weights(4)


def test_mask_tokens_learn_with_the_model(made: Any) -> None:
    options = {"mask": Mask({"users": ["user_embedding"]}, 0.3), "adapter": AdapterSpec(student="linear")}
    built, trainer, wrapper = made("BPR", "masked_reconstruction", options)
    learn_beside(trainer, wrapper, built.train, seed=3)
    (token,) = (one for one in wrapper.learned.parameters() if one.shape == (8,))
    assert token.tolist() == [0.0] * 8
    trainer.fit(built.train, None, saved=False, show_progress=False)
    assert token.abs().min() > 0


def test_without_anything_to_learn_the_optimizer_stays(made: Any) -> None:
    built, trainer, wrapper = made("BPR", "cka", {})
    learn_beside(trainer, wrapper, built.train, seed=3)
    assert len(trainer.optimizer.param_groups) == 1
    assert not hasattr(trainer, "learned_beside")


@pytest.mark.parametrize(
    ("name", "settings", "advice"),
    [
        ("RecVAE", {}, "RecVAETrainer has 3 of them; leave adapters and masks out"),
        ("BPR", {"learner": "sparse_adam"}, "SparseAdam takes embeddings only; set learner: adam"),
    ],
)
def test_an_optimizer_that_cannot_is_refused_and_nothing_is_made(
    name: str, settings: dict[str, Any], advice: str, made: Any
) -> None:
    built, trainer, wrapper = made(name, **settings)
    with pytest.raises(TrainingError, match=advice):
        learn_beside(trainer, wrapper, built.train, seed=3)
    assert wrapper.lacks_adapters
