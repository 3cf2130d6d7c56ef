"""Layers by number, name and glob; freezing; the tree."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from torch import nn

from models.transfer.layers import LayerError, count_parameters, layers, select, set_trainable, tree_text

# LLM-KT's README: NeuMF on a dataset of 84 users and 2,975 items.
TREE = """\
    1 |  | root | NeuMF ()
    2 | ---- | user_mf_embedding | Embedding (84, 64)
    3 | ---- | item_mf_embedding | Embedding (2975, 64)
    4 | ---- | user_mlp_embedding | Embedding (84, 512)
    5 | ---- | item_mlp_embedding | Embedding (2975, 512)
    6 | ---- | mlp_layers | MLPLayers ()
    7 | -------- | mlp_layers | Sequential ()
    8 | ------------ | 0 | Dropout (p=0.1, inplace=False)
    9 | ------------ | 1 | Linear (in_features=1024, out_features=256, bias=True)
   10 | ------------ | 2 | ReLU ()
   11 | ------------ | 3 | Dropout (p=0.1, inplace=False)
   12 | ------------ | 4 | Linear (in_features=256, out_features=128, bias=True)
   13 | ------------ | 5 | ReLU ()
   14 | ------------ | 6 | Dropout (p=0.1, inplace=False)
   15 | ------------ | 7 | Linear (in_features=128, out_features=64, bias=True)
   16 | ------------ | 8 | ReLU ()
   17 | ---- | predict_layer | Linear (in_features=128, out_features=1, bias=True)
   18 | ---- | sigmoid | Sigmoid ()
   19 | ---- | loss | BCEWithLogitsLoss ()"""


class MLPLayers(nn.Module):
    def __init__(self, sizes: Sequence[int]) -> None:
        super().__init__()
        steps: list[nn.Module] = []
        for size_in, size_out in pairwise(sizes):
            steps += [nn.Dropout(0.1), nn.Linear(size_in, size_out), nn.ReLU()]
        self.mlp_layers = nn.Sequential(*steps)


class NeuMF(nn.Module):
    """RecBole's NeuMF without its data: mf 64, mlp 512, [256, 128, 64]."""

    def __init__(self) -> None:
        super().__init__()
        self.user_mf_embedding, self.item_mf_embedding = nn.Embedding(84, 64), nn.Embedding(2975, 64)
        self.user_mlp_embedding, self.item_mlp_embedding = nn.Embedding(84, 512), nn.Embedding(2975, 512)
        self.mlp_layers = MLPLayers([2 * 512, 256, 128, 64])
        self.predict_layer = nn.Linear(64 + 64, 1)
        self.sigmoid = nn.Sigmoid()
        self.loss = nn.BCEWithLogitsLoss()


# Rows times widths of four tables, then weights and biases.
TABLES = (84 + 2975) * 64 + (84 + 2975) * 512
MLP = (1024 * 256 + 256) + (256 * 128 + 128) + (128 * 64 + 64)
PREDICT = 128 * 1 + 1


@pytest.fixture(scope="module")
def neumf() -> NeuMF:
    return NeuMF()


def test_the_tree_is_llm_kts(neumf: NeuMF) -> None:
    assert tree_text(neumf) == TREE


@pytest.mark.parametrize(
    ("selectors", "numbers"),
    [
        ([9], [9]),
        ([1], [1]),
        (["predict_layer"], [17]),
        (["mlp_layers.mlp_layers.1"], [9]),
        (["root"], [1]),
        (["*_mlp_embedding"], [4, 5]),
        (["mlp_layers*"], list(range(6, 17))),
        (["*"], list(range(1, 20))),
        # In tree order, each once.
        ([19, 2, "user_m?_embedding", "sigmoid"], [2, 18, 19]),
        ([], []),
    ],
)
def test_layers_are_selected_by_number_name_and_glob(
    neumf: NeuMF, selectors: list[int | str], numbers: list[int]
) -> None:
    assert [layer.number for layer in select(neumf, selectors)] == numbers


@pytest.mark.parametrize(
    ("selector", "message"),
    [
        (0, "no layer 0: layers of NeuMF start at 1 (the model) and end at 19"),
        (20, "no layer 20: layers of NeuMF start at 1 (the model) and end at 19"),
        (-1, "no layer -1: layers of NeuMF start at 1 (the model) and end at 19"),
        ("predict_layr", "NeuMF has no layer 'predict_layr'; did you mean 'predict_layer'?"),
        ("zzz*", "NeuMF has no layer 'zzz*'"),
        # The number of a layer is no name.
        ("mlp_layers.9", "NeuMF has no layer 'mlp_layers.9'"),
    ],
)
def test_a_layer_that_is_not_there_is_refused(neumf: NeuMF, selector: int | str, message: str) -> None:
    with pytest.raises(LayerError) as caught:
        select(neumf, [selector])
    assert str(caught.value).startswith(message)


def test_names_paths_and_depths(neumf: NeuMF) -> None:
    ninth = layers(neumf)[9 - 1]
    assert (ninth.name, ninth.path, ninth.depth) == ("1", "mlp_layers.mlp_layers.1", 3)


def test_parameters_are_counted(neumf: NeuMF) -> None:
    assert count_parameters(neumf) == (TABLES + MLP + PREDICT, TABLES + MLP + PREDICT)


def test_a_frozen_layer_takes_its_children_along_and_thaws_in_parts() -> None:
    model = NeuMF()
    total = TABLES + MLP + PREDICT
    assert [layer.number for layer in set_trainable(model, ["*"], False)] == list(range(1, 20))
    assert count_parameters(model) == (total, 0)
    set_trainable(model, [6], True)
    assert count_parameters(model) == (total, MLP)
    set_trainable(model, ["mlp_layers.mlp_layers.1"], False)
    assert count_parameters(model) == (total, MLP - (1024 * 256 + 256))


def test_a_miss_freezes_nothing() -> None:
    model = NeuMF()
    with pytest.raises(LayerError):
        set_trainable(model, ["predict_layer", "nothing"], False)
    assert count_parameters(model)[1] == TABLES + MLP + PREDICT
