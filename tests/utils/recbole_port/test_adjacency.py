"""Seven graph models get from arrays, bit for bit, the adjacency that RecBole builds from a dictionary."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from utils.recbole_port import adjacency
from utils.recbole_port.gaps import close_gaps

USERS, ITEMS, ENTITIES = 40, 30, 50
MODES = {"KGIN": ["bi", "si"], "MCCLK": ["bi", "si"]}
CASES = [(builder, mode) for builder in adjacency._BUILDERS for mode in MODES.get(builder[1], [None])]


def _interactions(count: int = 300) -> sp.coo_matrix:
    """Pairs in no order, many of them twice; neither user 0 nor item 0 has any, as in RecBole."""
    draw = np.random.default_rng(3)
    users, items = draw.integers(1, USERS, count), draw.integers(1, ITEMS, count)
    return sp.coo_matrix((np.ones(count, np.float32), (users, items)), (USERS, ITEMS))


def _model(cls: Any, attribute: str, interactions: Any) -> Any:
    """What the builders of a model look at."""
    sizes = {"n_users": USERS, "n_items": ITEMS, "n_entities": ENTITIES, "device": torch.device("cpu")}
    model = SimpleNamespace(**sizes, **{attribute: interactions})
    model.get_eye_mat = lambda num: cls.get_eye_mat(model, num)
    return model


def _parts(built: Any) -> Iterator[torch.Tensor]:
    for matrix in built if isinstance(built, tuple) else (built,):
        yield matrix._indices()
        yield matrix._values()
        yield torch.tensor(matrix.shape)


@pytest.mark.parametrize(("builder", "mode"), CASES, ids=lambda case: case[1] if isinstance(case, tuple) else case)
def test_the_matrix_is_recboles_to_the_last_bit(builder: tuple[str, str, str, str], mode: str | None) -> None:
    close_gaps()
    path, name, method, attribute = builder
    module = importlib.import_module(f"recbole.model.{path}")
    cls = getattr(module, name)
    theirs = getattr(cls, method)
    theirs = getattr(theirs, "__wrapped__", theirs)
    ours = adjacency._from_arrays(theirs, module, attribute)
    interactions = _interactions()
    given = {} if mode is None else {"mode": mode}
    scipy_sparse, pytorch = module.sp, module.torch

    models = [_model(cls, attribute, interactions) for _ in range(2)]
    expected, built = theirs(models[0], **given), ours(models[1], **given)

    for part, their in zip(_parts(built), _parts(expected), strict=True):
        assert part.dtype == their.dtype
        assert torch.equal(part, their)
    assert next(iter(_parts(built))).shape[1] > 2 * USERS
    if name == "NCL":
        assert torch.equal(models[1].diag, models[0].diag)
    assert getattr(models[1], attribute) is interactions
    assert (module.sp, module.torch) == (scipy_sparse, pytorch)


def test_no_dictionary_is_made_of_the_interactions(monkeypatch: pytest.MonkeyPatch) -> None:
    close_gaps()
    made: list[int] = []
    monkeypatch.setattr(adjacency._Links, "_update", lambda self, data: made.append(len(data)))
    module = importlib.import_module("recbole.model.general_recommender.lightgcn")
    build = module.LightGCN.get_norm_adj_mat
    ours = adjacency._from_arrays(getattr(build, "__wrapped__", build), module, "interaction_matrix")
    ours(_model(module.LightGCN, "interaction_matrix", _interactions()))
    assert made == [0]


def test_links_stand_in_both_directions_each_where_it_first_occurs() -> None:
    pairs = sp.coo_matrix((np.ones(4), ([2, 1, 2, 2], [0, 1, 0, 1])), (3, 2))
    links = adjacency.links(pairs, (5, 5), n_users=3).tocoo()
    # Items 0 and 1 are nodes 3 and 4; the second (2, 0) does not count.
    assert links.row.tolist() == [2, 1, 2, 3, 4, 4]
    assert links.col.tolist() == [3, 4, 4, 2, 1, 2]
    assert links.data.tolist() == [1, 1, 1, 1, 1, 1]


def test_asking_for_it_twice_wraps_a_builder_once(monkeypatch: pytest.MonkeyPatch) -> None:
    close_gaps()
    for path, name, method, _ in adjacency._BUILDERS:
        cls = getattr(importlib.import_module(f"recbole.model.{path}"), name)
        # Put back after the test.
        monkeypatch.setattr(cls, method, getattr(cls, method))
    adjacency.build_from_arrays()
    adjacency.build_from_arrays()
    build = importlib.import_module("recbole.model.general_recommender.lightgcn").LightGCN.get_norm_adj_mat
    assert not hasattr(build.__wrapped__, "__wrapped__")
    model = _model(None, "interaction_matrix", _interactions())
    assert build(model)._nnz() == 2 * len(set(zip(*_interactions().coords, strict=True)))


def test_a_way_of_scipys_through_the_dictionary_fails() -> None:
    links = adjacency.links(_interactions(), (USERS + ITEMS,) * 2, USERS)
    with pytest.raises(AttributeError, match="_dict"):
        links.get((1, 1))
