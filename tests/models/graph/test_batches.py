"""Each distinct subgraph is made and encoded once, and everybody gets their own."""

from __future__ import annotations

import pytest
import torch
from torch_geometric.data import Batch
from torch_geometric.nn import TransformerConv, global_mean_pool

from models.graph.batches import batch_of, spread
from models.graph.subgraphs import Subgraphs

N_NODES, N_RELATIONS, DIM = 30, 3, 6


@pytest.fixture(scope="module")
def subgraphs() -> Subgraphs:
    """60 random triples, parallel ones and a self-loop among them; nothing touches the last node."""
    generator = torch.Generator().manual_seed(0)
    triples = torch.stack(
        [torch.randint(top, (60,), generator=generator) for top in (N_NODES - 1, N_RELATIONS, N_NODES - 1)], dim=1
    )
    known = torch.tensor([[0, 0, 1], [0, 1, 1], [2, 2, 2]])
    heads, relations, tails = torch.unique(torch.cat([triples, known]), dim=0).T
    entries = torch.cat(
        [torch.stack([heads, tails, relations]), torch.stack([tails, heads, relations + N_RELATIONS])], 1
    )
    ends, neighbours, kinds = torch.unique(entries, dim=1)
    indptr = torch.cat([torch.zeros(1, dtype=torch.long), torch.bincount(ends, minlength=N_NODES).cumsum(0)])
    nodes, vectors = (torch.randn(n, DIM, generator=generator) for n in (N_NODES, 2 * N_RELATIONS))
    return Subgraphs(indptr, neighbours, kinds, nodes, vectors, max_neighbors=4)


CENTRES = torch.tensor([[[3, 0], [7, -1]], [[0, 29], [-1, -1]], [[7, 2], [3, 0]]])


def assert_same(batch: Batch, other: Batch) -> None:
    for name in ("x", "edge_index", "edge_attr", "node", "batch", "ptr"):
        assert torch.equal(batch[name], other[name]), name
    assert batch.num_graphs == other.num_graphs


def test_stars_at_once_are_the_stars_one_by_one(subgraphs: Subgraphs) -> None:
    made = batch_of(subgraphs, CENTRES)
    assert_same(made.data, Batch.from_data_list([subgraphs.star(centre) for centre in (0, 2, 3, 7, 29)]))
    assert made.data.node[made.data.ptr[:-1]].tolist() == [0, 2, 3, 7, 29]
    assert made.inverse.tolist() == [[[2, 0], [3, -1]], [[0, 4], [-1, -1]], [[3, 1], [2, 0]]]


def test_balls_at_once_are_the_balls_one_by_one(subgraphs: Subgraphs) -> None:
    made = batch_of(subgraphs, CENTRES, "ball", hops=2)
    assert_same(made.data, Batch.from_data_list([subgraphs.ball(centre, 2) for centre in (0, 2, 3, 7, 29)]))


def test_induced_subgraphs_are_one_a_row(subgraphs: Subgraphs) -> None:
    made = batch_of(subgraphs, CENTRES, "induced")
    rows = ([0, 29], [3, 0], [7], [7, 2])
    assert_same(made.data, Batch.from_data_list([subgraphs.induced(row) for row in sorted(rows)]))
    assert made.inverse.shape == (3, 2)
    for user, slot, row in [(0, 0, [3, 0]), (0, 1, [7]), (1, 0, [0, 29]), (2, 0, [7, 2]), (2, 1, [3, 0])]:
        number = int(made.inverse[user, slot])
        assert made.data.node[made.data.batch == number].tolist() == row
    assert made.inverse[1, 1] == -1


def test_nobody_asking_is_an_empty_batch(subgraphs: Subgraphs) -> None:
    nothing = torch.full((2, 3), -1)
    for expansion, shape in (("star", (2, 3)), ("induced", (2,))):
        made = batch_of(subgraphs, nothing, expansion)
        assert made.data.x.shape == (0, DIM)
        assert made.inverse.tolist() == torch.full(shape, -1).tolist()


def test_encoding_each_once_is_encoding_them_user_by_user(subgraphs: Subgraphs) -> None:
    torch.manual_seed(0)
    convolution = TransformerConv(DIM, 5, edge_dim=DIM)

    def encode(batch: Batch) -> torch.Tensor:
        return global_mean_pool(convolution(batch.x, batch.edge_index, batch.edge_attr), batch.batch, batch.num_graphs)

    made = batch_of(subgraphs, CENTRES)
    vectors, mask = spread(encode(made.data), made.inverse)
    assert vectors.shape == (3, 2, 2, 5)
    assert mask.tolist() == (CENTRES >= 0).tolist()
    for user in range(len(CENTRES)):
        own = CENTRES[user][CENTRES[user] >= 0]
        alone = encode(Batch.from_data_list([subgraphs.star(int(centre)) for centre in own]))
        torch.testing.assert_close(vectors[user][mask[user]], alone)


def test_who_asked_for_nothing_gets_zeros_and_no_gradient() -> None:
    encoded = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    vectors, mask = spread(encoded, torch.tensor([[1, -1], [1, 0]]))
    assert vectors.tolist() == [[[3, 4], [0, 0]], [[3, 4], [1, 2]]]
    assert mask.tolist() == [[True, False], [True, True]]
    vectors.sum().backward()
    # The second subgraph was asked for twice.
    assert encoded.grad is not None
    assert encoded.grad.tolist() == [[1, 1], [2, 2]]
