"""Checkpoints of graph language models come back as they were written, and fit the model they are loaded into."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from models.training.trained_state import trained_state
from utils.data.torch_files import save_plain
from utils.knowledge.graph_checkpoint import (
    CheckpointError,
    GraphCheckpoint,
    load_into,
    read_checkpoint,
    write_checkpoint,
)

CONFIG = {"llm": "tiny", "lora": None, "gnn": {"type": "gt", "num_layers": 3, "dropout": 0.0}, "letters": ["A", "B"]}
META = {"dataset": "ml-100k", "train_fingerprint": "f1", "betas": (0.9, 0.95), "best": True}


class _Model(nn.Module):
    """A frozen part, and two tensors that are its own."""

    def __init__(self, width: int = 2) -> None:
        super().__init__()
        self.frozen = nn.Linear(2, 2).requires_grad_(False)
        self.projector = nn.Linear(2, width)

    def own_state(self) -> dict[str, Tensor]:
        return trained_state(self)


def _checkpoint(model: _Model) -> GraphCheckpoint:
    return GraphCheckpoint(CONFIG, model.own_state(), META)


def test_a_checkpoint_comes_back_as_it_was_written(tmp_path: Path) -> None:
    path, model, other = tmp_path / "new" / "k.pth", _Model(), _Model()
    frozen = other.frozen.weight.clone()
    write_checkpoint(path, _checkpoint(model))
    back = read_checkpoint(path)
    assert (back.config, back.meta) == (CONFIG, META)
    assert {type(value) for value in back.tensors.values()} == {Tensor}
    load_into(path, other, back.tensors)
    assert torch.equal(other.projector.weight, model.projector.weight)
    assert torch.equal(other.projector.bias, model.projector.bias)
    assert torch.equal(other.frozen.weight, frozen)


def test_a_part_of_a_large_tensor_takes_no_more_than_the_part(tmp_path: Path) -> None:
    path = tmp_path / "k.pth"
    write_checkpoint(path, GraphCheckpoint({}, {"row": torch.zeros(1000, 1000)[0]}, {}))
    # 1,000 numbers of 4 bytes, and what torch writes around them.
    assert path.stat().st_size < 4 * 1000 + 4000


def test_a_missing_file_suggests_a_near_one(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "kragrec.pth", GraphCheckpoint({}, {}, {}))
    with pytest.raises(CheckpointError) as caught:
        read_checkpoint(tmp_path / "kragrek.pth")
    assert str(caught.value) == f"no file {tmp_path}/kragrek.pth; did you mean 'kragrec.pth'?"


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ([1], "holds list, not a checkpoint of a graph language model"),
        ({"config": {}, "tensors": {}}, "holds no meta; a checkpoint of a graph language model holds config, tensors"),
        ({"config": {}, "tensors": {}, "meta": {}, "users": []}, "also holds 'users'; a checkpoint of a graph"),
        ({"config": {}, "tensors": {}, "meta": None}, "its meta is NoneType, not dict"),
        ({"config": {}, "tensors": {"a": 1}, "meta": {}}, "its tensors has 'a': int; it is tensors by name"),
        ({"config": {"a": torch.zeros(1)}, "tensors": {}, "meta": {}}, "config.a is torch.Tensor; it is a text"),
    ],
)
def test_a_file_that_is_no_checkpoint_is_refused(tmp_path: Path, content: Any, what: str) -> None:
    path = tmp_path / "k.pth"
    save_plain(path, content)
    with pytest.raises(CheckpointError) as caught:
        read_checkpoint(path)
    assert str(path) in str(caught.value)
    assert what in str(caught.value)


def test_half_a_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "k.pth"
    write_checkpoint(path, _checkpoint(_Model()))
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(CheckpointError, match="it is no whole torch file"):
        read_checkpoint(path)


@pytest.mark.parametrize(
    ("config", "what"),
    [
        ({"gnn": {"dropout": np.float64(0.1)}}, "config.gnn.dropout is numpy.float64; it is a text, a number"),
        ({"letters": ["A", Path("x")]}, "config.letters[1] is pathlib."),
        ({"rows": {3: "x"}}, "config.rows has the key 3; keys are texts"),
    ],
)
def test_what_could_not_be_read_again_is_not_written(tmp_path: Path, config: dict[str, Any], what: str) -> None:
    path = tmp_path / "k.pth"
    with pytest.raises(CheckpointError) as caught:
        write_checkpoint(path, replace(_checkpoint(_Model()), config=config))
    assert what in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_model_of_another_shape_is_refused_and_stays_as_it_was(tmp_path: Path) -> None:
    model = _Model(width=3)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(CheckpointError) as caught:
        load_into(tmp_path / "k.pth", model, {**_Model().own_state(), "gnn.bias": torch.zeros(1)})
    assert str(caught.value) == (
        f"{tmp_path}/k.pth does not fit this model: 1 unexpected: gnn.bias; 2 of another shape: "
        "projector.weight is [2, 2] there and [3, 2] here, projector.bias is [2] there and [3] here"
    )
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_a_tensor_of_a_frozen_part_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"1 unexpected: frozen\.weight"):
        load_into(tmp_path / "k.pth", (model := _Model()), {**model.own_state(), "frozen.weight": torch.zeros(2, 2)})
