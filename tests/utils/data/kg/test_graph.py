import numpy as np
import pyarrow as pa
import pytest

from utils.data.kg.graph import KnowledgeGraph, _sorted_rows

# Node 0 is "a", 1 "b", 2 "c"; relation 0 is "likes", 1 "owns".
GRAPH = KnowledgeGraph.of(["b", "a", "b", "c", "b"], ["owns", "likes", "likes", "likes", "owns"], list("aaaca"))


def test_entities_and_relations_are_numbered_by_their_tokens_and_a_triple_counts_once():
    assert GRAPH.entities == ("a", "b", "c")
    assert GRAPH.relations == ("likes", "owns")
    assert GRAPH.triples.tolist() == [[0, 0, 0], [1, 0, 0], [1, 1, 0], [2, 0, 2]]


def test_columns_of_arrow_and_lists_are_the_same_graph():
    columns = (["b", "a"], ["owns", "likes"], ["a", "c"])
    arrow = (pa.chunked_array([column[:1], column[1:]]) for column in columns)
    of_lists, of_arrow = KnowledgeGraph.of(*columns), KnowledgeGraph.of(*arrow)
    assert of_lists.entities == of_arrow.entities
    assert (of_lists.triples == of_arrow.triples).all()


def test_every_triple_touches_both_of_its_ends_sorted_by_neighbour_then_by_relation():
    adjacency = GRAPH.adjacency
    # "a" is its own neighbour from both ends; relation 0 + 2 is the first one against its direction.
    assert adjacency.indptr.tolist() == [0, 4, 6, 8]
    assert adjacency.neighbours.tolist() == [0, 0, 1, 1, 0, 0, 2, 2]
    assert adjacency.relations.tolist() == [0, 2, 2, 3, 0, 1, 0, 2]
    assert adjacency.degrees.tolist() == [4, 2, 2]
    kept = (adjacency.indptr, adjacency.neighbours, adjacency.relations)
    assert [array.dtype for array in kept] == [np.int64, np.int32, np.int32]


def test_a_graph_without_triples_has_no_neighbours():
    empty = KnowledgeGraph.of([], [], [])
    assert (len(empty), empty.triples.shape) == (0, (0, 3))
    assert empty.adjacency.indptr.tolist() == [0]


@pytest.mark.parametrize("size", [5, 2**30], ids=["as one number", "too large for one number"])
def test_rows_are_in_order_whatever_the_size_of_the_graph(size):
    columns = [column.astype(np.int32) for column in np.random.default_rng(0).integers(5, size=(3, 200))]
    rows = np.stack(_sorted_rows(columns, (size, size, size)), axis=1)
    assert rows.tolist() == sorted(np.stack(columns, axis=1).tolist())
    assert rows.dtype == np.int32
