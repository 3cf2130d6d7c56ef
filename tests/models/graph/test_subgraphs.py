"""Stars, balls and induced subgraphs of a graph that can be drawn on paper."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch_geometric.data import Data

from models.graph.subgraphs import Subgraphs

# Film 0 is directed (relation 0) by 1 and written (relation 1) by 1; 2 and 3 play (relation 2) in it, and 3 plays in
# film 4 too. Nothing touches node 5, and node 6 is a sequel (relation 3) of itself.
TRIPLES = [(0, 0, 1), (0, 1, 1), (0, 2, 2), (0, 2, 3), (4, 2, 3), (6, 3, 6)]
N_NODES, N_RELATIONS = 7, 4


def graph(**options: Any) -> Subgraphs:
    """Node i has the vector [i, 1], relation k the vector [k, -1]; reversed ones are 4 to 7."""
    entries = sorted(
        [(head, tail, relation) for head, relation, tail in TRIPLES]
        + [(tail, head, relation + N_RELATIONS) for head, relation, tail in TRIPLES]
    )
    ends, neighbours, relations = torch.tensor(entries).T
    indptr = torch.cat([torch.zeros(1, dtype=torch.long), torch.bincount(ends, minlength=N_NODES).cumsum(0)])
    nodes = torch.stack([torch.arange(float(N_NODES)), torch.ones(N_NODES)], dim=1)
    kinds = torch.stack([torch.arange(2.0 * N_RELATIONS), -torch.ones(2 * N_RELATIONS)], dim=1)
    return Subgraphs(indptr, neighbours.int(), relations.int(), nodes, kinds, **options)


def edges(data: Data) -> set[tuple[int, int, int]]:
    """(source, relation, target) in the numbers of the whole graph; none may stand there twice."""
    sources, targets = data.node[data.edge_index]
    found = list(zip(sources.tolist(), data.edge_attr[:, 0].int().tolist(), targets.tolist(), strict=True))
    assert len(set(found)) == len(found)
    return set(found)


def both_ways(*triples: tuple[int, int, int]) -> set[tuple[int, int, int]]:
    return {*triples, *((tail, relation + N_RELATIONS, head) for head, relation, tail in triples)}


def test_a_star_has_its_centre_first_and_every_triple_of_it_in_both_directions() -> None:
    star = graph().star(0)
    assert star.node.tolist() == [0, 1, 2, 3]
    assert star.x.tolist() == [[0, 1], [1, 1], [2, 1], [3, 1]]
    assert star.edge_attr.shape == (8, 2)
    assert edges(star) == both_ways((0, 0, 1), (0, 1, 1), (0, 2, 2), (0, 2, 3))


def test_from_a_tail_the_same_triples_point_the_same_way() -> None:
    star = graph().star(3)
    assert star.node.tolist() == [3, 0, 4]
    assert edges(star) == both_ways((0, 2, 3), (4, 2, 3))


def test_a_node_that_nothing_touches_is_a_subgraph_of_one_node() -> None:
    star = graph().star(5)
    assert star.node.tolist() == [5]
    assert star.edge_index.shape == (2, 0)
    assert star.edge_attr.shape == (0, 2)


def test_a_node_that_is_related_to_itself_has_that_triple_once_each_way() -> None:
    star = graph().star(6)
    assert star.node.tolist() == [6]
    assert edges(star) == both_ways((6, 3, 6))


def test_a_ball_has_the_triples_of_all_that_are_nearer_than_its_rim() -> None:
    ball = graph().ball(4, 2)
    assert ball.node.tolist() == [4, 3, 0]
    assert edges(ball) == both_ways((4, 2, 3), (0, 2, 3))
    wider = graph().ball(4, 3)
    assert wider.node.tolist() == [4, 3, 0, 1, 2]
    assert edges(wider) == both_ways(*TRIPLES[:-1])


def test_an_induced_subgraph_has_the_nodes_in_their_order_and_all_between_them() -> None:
    part = graph().induced([3, 1, 0, 5])
    assert part.node.tolist() == [3, 1, 0, 5]
    assert edges(part) == both_ways((0, 2, 3), (0, 0, 1), (0, 1, 1))


def test_of_many_neighbours_those_that_most_triples_touch_stay() -> None:
    # Nodes 1 and 3 are touched by two triples each, node 2 by one.
    assert graph(max_neighbors=3).star(0).node.tolist() == [0, 1, 2, 3]
    assert graph(max_neighbors=2).star(0).node.tolist() == [0, 1, 3]
    capped = graph(max_neighbors=1).star(0)
    assert capped.node.tolist() == [0, 1]
    assert edges(capped) == both_ways((0, 0, 1), (0, 1, 1))


def test_those_named_stay_before_the_others() -> None:
    assert graph(max_neighbors=1, keep_first=[4, 2]).star(0).node.tolist() == [0, 2]
    assert graph(max_neighbors=2, keep_first=[4, 2]).star(0).node.tolist() == [0, 1, 2]


def test_nodes_that_were_given_are_not_cut() -> None:
    assert edges(graph(max_neighbors=1).induced([0, 1, 2, 3])) == both_ways(*TRIPLES[:4])


@pytest.mark.parametrize("hops", [1, 2])
def test_no_centres_are_an_empty_batch(hops: int) -> None:
    batch = graph().balls(torch.tensor([], dtype=torch.long), hops)
    assert batch.x.shape == (0, 2)
    assert batch.edge_index.shape == (2, 0)
    assert batch.ptr.tolist() == [0]
