"""Retrieval for all users at once finds what K-RagRec's way, one user after another, finds."""

from functools import partial

import numpy as np
import pytest
import torch

from tests.bench.reference_retrieval import Reference, all_cosines, products
from utils.data.kg.graph import KnowledgeGraph
from utils.retrieval.base import Index, Items, Queries
from utils.retrieval.policy import selected
from utils.retrieval.retrievers.similarity import Similarity

N_ITEMS, N_NODES, N_USERS, DIM = 30, 40, 20, 8


def unit(n: int, seed: int) -> torch.Tensor:
    rows = torch.randn(n, DIM, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.normalize(rows, dim=1)


@pytest.fixture
def index():
    rng = np.random.default_rng(0)
    # Each node touches the next one, so that there are as many as there should be.
    tokens = [f"n{number:02}" for number in range(N_NODES)]
    graph = KnowledgeGraph.of(tokens, ["next"] * N_NODES, tokens[1:] + tokens[:1])
    items = Items(
        tuple(f"i{number:02}" for number in range(N_ITEMS)),
        unit(N_ITEMS, 1),
        np.ones(N_ITEMS, dtype=bool),
        rng.integers(1, 10, N_ITEMS),
        np.arange(N_ITEMS),
        np.zeros(N_ITEMS + 1, dtype=np.int64),
        np.zeros(0, dtype=np.int32),
    )
    centres = np.arange(N_NODES, dtype=np.int32)
    return Index(graph, items, unit(N_NODES, 2), unit(2, 3), unit(N_NODES, 4), centres, "")


@pytest.mark.parametrize("similarity", [all_cosines, products])
@pytest.mark.parametrize("threshold", [0.1, 0.5, 1.0])
def test_both_ways_find_the_same_centres_in_the_same_order(index, threshold, similarity):
    rng = np.random.default_rng(5)
    histories = rng.integers(N_ITEMS, size=(N_USERS, 10)).astype(np.int32)
    wanted = unit(N_USERS, 6)
    asking = selected(histories, index.items.popularity, index.items.token_order, "per_user", threshold)
    ours = Similarity()(index, Queries(asking, wanted), 5).centres
    reference = Reference(index, index.items.vectors.__getitem__, threshold, similarity=similarity)
    for user, history in enumerate(histories.tolist()):
        theirs = reference.centres(history, partial(wanted.__getitem__, user))
        assert [[node for node in slot if node >= 0] for slot in ours[user].tolist()] == theirs


def test_a_star_of_the_reference_holds_a_centre_and_what_touches_it(index):
    reference = Reference(index, index.items.vectors.__getitem__)
    wanted = unit(1, 6)
    centres = reference.centres([0, 1], lambda: wanted[0])
    first = reference([0, 1], lambda: wanted[0])[0][0]
    # What touches node i is the next one, and the one before it.
    around = sorted([(centres[0][0] + 1) % N_NODES, (centres[0][0] - 1) % N_NODES])
    assert torch.equal(first.x[0], index.nodes[centres[0][0]])
    assert sorted(first.x[1:].tolist()) == sorted(index.nodes[around].tolist())
    assert first.edge_index.tolist() == [[0, 0], [1, 2]]
